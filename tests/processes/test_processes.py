"""What `linyue serve` promises about its processes, held with real ones."""

import http.client
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from tests.processes.conftest import StartToy, Toy, eventually, exists

pytestmark = pytest.mark.serial


def count(toy: Toy) -> int:
    return (toy.data / "background.count").stat().st_size


def test_ready_is_said_when_every_process_is_well_and_a_worker_answers(start: StartToy) -> None:
    toy = start().wait_until_ready()
    assert toy.get("/health/live") == (200, "live")
    assert len(re.findall("event=well", toy.log)) == 3


def test_ready_is_not_said_before_the_read_models_are_level(start: StartToy, tmp_path: Path) -> None:
    (tmp_path / "behind").touch()
    toy = start()
    eventually(lambda: toy.log.count("event=well") == 3)
    time.sleep(0.5)
    assert "event=ready" not in toy.log
    (tmp_path / "behind").unlink()
    toy.wait_until_ready()
    assert "event=ready" in toy.log


def test_read_models_that_stay_behind_do_not_keep_it_from_serving(start: StartToy, tmp_path: Path) -> None:
    (tmp_path / "behind").touch()
    toy = start().wait_until_ready()
    assert "serving, though not ready yet" in toy.log
    assert toy.get("/health/live") == (200, "live")


def test_a_connection_that_was_idle_for_a_while_still_serves(start: StartToy) -> None:
    """Five seconds, uvicorn's own limit, pass between two thoughts of a person; then a request met a closed door."""
    toy = start().wait_until_ready()
    one = http.client.HTTPConnection("127.0.0.1", toy.port, timeout=10)
    # A connection that was closed is not opened anew behind the test's back.
    one.auto_open = 0
    one.connect()
    for pause in (6, 0):
        one.request("GET", "/health/live")
        answer = one.getresponse()
        assert (answer.status, answer.read()) == (200, b"live")
        time.sleep(pause)
    one.close()


def test_what_lasts_is_spared_by_the_collector_of_garbage(start: StartToy) -> None:
    """Else a worker stands still for a tenth of a second again and again."""
    found = json.loads(start().wait_until_ready().get("/spared")[1])
    assert found["spared"] > 5 * found["looked_at"], found


def test_both_workers_serve_on_one_port(start: StartToy) -> None:
    toy = start().wait_until_ready()
    seen: set[int] = set()

    def both_answered() -> bool:
        seen.add(int(toy.get("/pid")[1]))
        return seen == {toy.pid_of("worker 1"), toy.pid_of("worker 2")}

    eventually(both_answered)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_ends_everything_in_order_and_exits_0(start: StartToy, number: signal.Signals) -> None:
    toy = start().wait_until_ready()
    assert toy.stop(number, within=15) == 0
    assert (toy.data / "background.left").exists()
    assert not any(exists(pid) for pid in toy.pids())
    assert "had to be killed" not in toy.log


def test_ctrl_c_in_a_terminal_reaches_all_and_the_parent_alone_heeds_it(start: StartToy) -> None:
    toy = start().wait_until_ready()
    with toy.ask("/slow", timeout=10) as waiting:
        time.sleep(0.3)
        os.killpg(toy.process.pid, signal.SIGINT)
        assert waiting.getresponse().read() == b"done"
    assert toy.process.wait(15) == 0
    assert "Traceback" not in toy.log


def test_an_open_stream_does_not_delay_a_stop_and_is_closed_in_form(start: StartToy) -> None:
    toy = start(TOY_GRACE="20").wait_until_ready()
    with toy.open("/stream", timeout=10) as response:
        assert response.readline() == b"data: tick\r\n"
        before = time.monotonic()
        assert toy.stop(within=20) == 0
        assert time.monotonic() - before < 15
        # No IncompleteRead: the client sees the end that HTTP knows.
        assert response.read().endswith(b"\r\n")


def test_too_many_streams_are_refused_until_one_ends(start: StartToy) -> None:
    toy = start(TOY_WORKERS="1", TOY_STREAMS="2").wait_until_ready()
    with toy.open("/stream") as one:
        one.readline()
        with toy.open("/stream") as two, toy.open("/stream") as three:
            assert two.readline() == b"data: tick\r\n"
            assert (three.status, three.getheader("Retry-After")) == (503, "5")
            assert three.getheader("Content-Type") == "application/problem+json"
            assert toy.get("/health/live") == (200, "live")

    def streams_again() -> bool:
        with toy.open("/stream") as again:
            return again.status == 200

    eventually(streams_again)


def test_a_stream_that_will_not_be_cancelled_is_ended_by_force(start: StartToy) -> None:
    toy = start(TOY_WORKERS="1").wait_until_ready()
    with toy.open("/stubborn", timeout=30):
        before = time.monotonic()
        assert toy.stop(within=20) == 0
        assert time.monotonic() - before < 15
    assert "had to be killed" in toy.log


def test_asked_twice_it_does_not_wait_for_requests(start: StartToy) -> None:
    toy = start(TOY_GRACE="60", TOY_WORKERS="1").wait_until_ready()
    with toy.open("/stubborn", timeout=90):
        toy.process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert toy.process.poll() is None
        assert toy.stop(signal.SIGINT, within=20) == 0


def test_children_leave_when_the_parent_is_killed_and_the_port_is_free_again(start: StartToy) -> None:
    toy = start().wait_until_ready()
    with toy.open("/stream", timeout=10) as response:
        response.readline()
        toy.process.kill()
        toy.process.wait()
        eventually(lambda: not any(exists(pid) for pid in toy.pids()), seconds=10)
    assert (toy.data / "background.left").exists()
    again = start().wait_until_ready()
    assert again.get("/health/live") == (200, "live")


def test_a_stuck_worker_does_not_outlive_its_parent(start: StartToy) -> None:
    toy = start(TOY_WORKERS="1").wait_until_ready()
    with toy.ask("/stuck", timeout=60):
        time.sleep(0.5)
        toy.process.kill()
        eventually(lambda: not exists(toy.pid_of("worker 1")), seconds=15)


def test_after_the_group_was_killed_a_new_start_serves(start: StartToy) -> None:
    toy = start().wait_until_ready()
    os.killpg(toy.process.pid, signal.SIGKILL)
    again = start().wait_until_ready()
    assert int(again.get("/pid")[1]) in again.pids()
    assert not any(exists(pid) for pid in toy.pids())


def test_a_port_in_use_is_said_before_anything_starts(start: StartToy) -> None:
    toy = start().wait_until_ready()
    second = start()
    assert second.process.wait(10) == 3
    assert (
        second.log
        == f"Port {toy.port} of 127.0.0.1 is in use: stop the server that answers there, or set another PORT.\n"
    )
    assert toy.get("/health/live") == (200, "live")


def test_a_killed_postgres_is_started_again_and_workers_reach_it(start: StartToy) -> None:
    toy = start(TOY_POSTGRES="1").wait_until_ready()
    assert toy.get("/database") == (200, "42")
    postmaster = int((toy.data / "pg" / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    eventually(lambda: 'event="the database is back"' in toy.log, toy.log)
    assert toy.get("/database") == (200, "42")
    assert toy.stop(within=15) == 0


def test_after_everything_was_killed_the_same_data_serves_again(start: StartToy) -> None:
    toy = start(TOY_POSTGRES="1").wait_until_ready()
    postmaster = int((toy.data / "pg" / "postgres" / "postmaster.pid").read_text().split()[0])
    os.killpg(toy.process.pid, signal.SIGKILL)
    again = start(TOY_POSTGRES="1").wait_until_ready()
    assert again.get("/database") == (200, "42")
    assert not exists(postmaster)
    assert again.stop(within=15) == 0

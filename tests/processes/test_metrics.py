"""Whichever worker is asked tells what all processes counted, also what one counted that has died since."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from tests.promises.places import commands
from tests.promises.served import Served, eventually, served

# Ten times what it takes here.
pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]

SLOT = {"start": "2026-12-02T14:00:00+08:00", "end": "2026-12-02T15:00:00+08:00"}
PAST = {"start": "2026-11-02T14:00:00+08:00", "end": "2026-11-02T15:00:00+08:00"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("metrics") / "data", workers=2) as found:
        found.decide(list(commands()))
        yield found


def scraped(running: Served) -> Mapping[str, float]:
    """All samples by name and labels, from whichever worker takes the connection."""
    answer = httpx.get(f"{running.url}/metrics")
    assert answer.status_code == httpx.codes.OK
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(figure) for name, _, figure in (line.rpartition(" ") for line in lines)}


def book(running: Served, token: str, slot: Mapping[str, str]) -> int:
    """A connection each, so that both workers get some."""
    asked = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{running.url}/api/v1/bookings", json={"room": "studio", **slot}, headers=asked).status_code


def test_a_scrape_shows_the_whole_installation(running: Served) -> None:
    token = running.let_in({"anna": ("resident", [])})["anna"]
    eventually(lambda: book(running, token, SLOT) == httpx.codes.CREATED or None, "the room is there to be booked")
    before = scraped(running)
    assert [book(running, token, PAST) for _ in range(12)] == [httpx.codes.CONFLICT] * 12
    seen = [scraped(running) for _ in range(6)]
    for name, more in {
        'linyue_http_answers_total{status="409"}': 12,
        'linyue_refusals_total{rule="in_the_past"}': 12,
        'linyue_desk_commands_total{outcome="refused"}': 12,
        'linyue_desk_faults_total{kind="unknown"}': 0,
    }.items():
        assert [after[name] - before[name] for after in seen] == [more] * 6, name
    assert seen[0]['linyue_processes{kind="worker"}'] == 2
    assert seen[0]['linyue_processes{kind="background"}'] == 1
    assert 0 <= seen[0]["linyue_tick_age_seconds"] < 60


def test_a_worker_that_dies_takes_its_gauges_along_and_leaves_what_it_counted(running: Served) -> None:
    before = scraped(running)
    victim = running.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: scraped(running)['linyue_processes{kind="worker"}'] == 1, "the dead one is not counted")
    eventually(lambda: scraped(running)['linyue_processes{kind="worker"}'] == 2, "the next one is")
    after = scraped(running)
    starts = [sum(each for name, each in found.items() if "process_starts" in name) for found in (before, after)]
    assert starts[1] - starts[0] == 1
    kept = 'linyue_http_answers_total{status="409"}'
    assert after[kept] == before[kept]


def test_no_more_files_than_places_however_often_processes_die(running: Served) -> None:
    names = {file.name.partition(".")[0].split("_")[-1] for file in Path(running.data / "metrics").iterdir()}
    assert names == {"worker-1", "worker-2", "background"}


def test_a_start_begins_to_count_anew(running: Served) -> None:
    running.stop()
    running.start()
    assert scraped(running)['linyue_http_answers_total{status="409"}'] == 0

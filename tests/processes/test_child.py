"""A place among the parent's processes is never empty for long, and never held by one that is not well."""

import os
import re
import signal
import time

import pytest
from tests.processes.conftest import StartToy, Toy, eventually, exists

pytestmark = pytest.mark.serial


def count(toy: Toy) -> int:
    return (toy.data / "background.count").stat().st_size


def test_what_dies_in_a_row_is_started_less_and_less_often(start: StartToy) -> None:
    toy = start(TOY_BACKGROUND="toy:ends_by_itself", TOY_WORKERS="1")
    eventually(lambda: toy.log.count("event=died child=background") >= 4)
    pauses = [float(pause) for pause in re.findall(r"how=\"exit 1\" again_in=([\d.]+)", toy.log)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert toy.stop(within=15) == 0


def test_a_frozen_worker_is_replaced(start: StartToy) -> None:
    toy = start(TOY_SILENCE="3").wait_until_ready()
    frozen = toy.pid_of("worker 1")
    os.kill(frozen, signal.SIGSTOP)
    eventually(lambda: toy.pid_of("worker 1") != frozen, seconds=15)
    assert not exists(frozen)
    assert "silent, killing it" in toy.log


def test_a_parent_that_was_frozen_itself_does_not_take_its_children_for_silent(start: StartToy) -> None:
    toy = start(TOY_SILENCE="3").wait_until_ready()
    os.killpg(toy.process.pid, signal.SIGSTOP)
    time.sleep(5)
    os.killpg(toy.process.pid, signal.SIGCONT)
    time.sleep(3)
    assert len(toy.pids()) == 3


def test_a_killed_worker_is_replaced_while_the_other_serves(start: StartToy) -> None:
    toy = start().wait_until_ready()
    killed, other = toy.pid_of("worker 1"), toy.pid_of("worker 2")
    os.kill(killed, signal.SIGKILL)
    assert int(toy.get("/pid")[1]) == other
    eventually(lambda: toy.pid_of("worker 1") != killed and toy.log.count('event=well child="worker 1"') == 2, toy.log)
    assert re.search(rf'event=died child="worker 1" pid={killed} how=SIGKILL', toy.log)


def test_a_killed_background_process_is_replaced(start: StartToy) -> None:
    toy = start().wait_until_ready()
    killed = toy.pid_of("background")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: not exists(killed))
    before = count(toy)
    eventually(lambda: toy.pid_of("background") != killed and count(toy) > before)

"""A worker that was frozen when its parent was killed does not keep the port from the next start."""

import os
import signal

import pytest
from tests.processes.conftest import StartToy, eventually, exists

from linyue.orphans import end_frozen_orphans

pytestmark = pytest.mark.serial


def test_a_frozen_worker_whose_parent_is_gone_does_not_keep_the_port(start: StartToy) -> None:
    toy = start().wait_until_ready()
    frozen = toy.pid_of("worker 1")
    os.kill(frozen, signal.SIGSTOP)
    toy.process.kill()
    toy.process.wait()
    eventually(lambda: [pid for pid in toy.pids() if exists(pid)] == [frozen], toy.log)
    again = start().wait_until_ready()
    assert again.get("/health/live") == (200, "live")
    assert not exists(frozen)


def test_a_frozen_worker_whose_parent_lives_is_the_parents_affair(start: StartToy) -> None:
    toy = start().wait_until_ready()
    frozen = toy.pid_of("worker 1")
    os.kill(frozen, signal.SIGSTOP)
    end_frozen_orphans()
    assert exists(frozen)
    os.kill(frozen, signal.SIGCONT)
    assert toy.stop(within=15) == 0

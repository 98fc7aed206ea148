"""A child tells its parent that it is well, and leaves when told to or when the parent is gone."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.processes.conftest import eventually

from linyue.streams import Message, Receive, Send
from linyue.worker import Duty, answers, load, pulse

HERE = Path(__file__).parent


class Started:
    """A child of this very process, with the two pipes that its parent holds."""

    def __init__(self, data: Path, target: str) -> None:
        lifeline, self.lifeline = os.pipe()
        self.pulse, pulse = os.pipe()
        duty = Duty(
            name="background",
            target=target,
            parent=os.getpid(),
            lifeline_fd=lifeline,
            pulse_fd=pulse,
            grace_seconds=1,
            streams_max=1,
        )
        self.log = data / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "linyue.worker", msgspec.json.encode(duty).decode()],
                env={**os.environ, "PYTHONPATH": str(HERE), "TOY_DATA": str(data)},
                pass_fds=(lifeline, pulse),
                stderr=log,
            )
        os.close(lifeline)
        os.close(pulse)

    def cut_lifeline(self) -> None:
        os.close(self.lifeline)
        self.lifeline = -1

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for fd in (self.lifeline, self.pulse):
            if fd >= 0:
                os.close(fd)


StartChild = Callable[[str], Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartChild]:
    children: list[Started] = []

    def start(target: str) -> Started:
        children.append(Started(tmp_path, target))
        return children[-1]

    yield start
    for child in children:
        child.end()


def test_sigterm_lets_the_background_clean_up(start: StartChild, tmp_path: Path) -> None:
    child = start("toy:background")
    assert os.read(child.pulse, 1) == b"."
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(15) == 0
    assert (tmp_path / "background.left").exists()


def test_the_lifeline_alone_is_enough(start: StartChild, tmp_path: Path) -> None:
    """Where there is no PR_SET_PDEATHSIG: here the parent lives on, and only the pipe says that it is gone."""
    child = start("toy:background")
    assert os.read(child.pulse, 1) == b"."
    child.cut_lifeline()
    assert child.process.wait(15) == 0
    assert (tmp_path / "background.left").exists()


def test_one_that_heeds_nothing_ends_with_its_lifeline_all_the_same(start: StartChild, tmp_path: Path) -> None:
    child = start("toy:blocks_for_ever")
    eventually((tmp_path / "blocked").exists)
    child.cut_lifeline()
    assert child.process.wait(10) == 1
    assert "ending at once" in child.log.read_text()


def test_a_background_that_ends_by_itself_is_a_fault(start: StartChild) -> None:
    child = start("toy:ends_by_itself")
    assert child.process.wait(10) == 1
    assert 'event="ended by itself"' in child.log.read_text()


def test_a_target_that_is_not_there_is_one_line_in_the_log(start: StartChild) -> None:
    child = start("toy:nobody")
    assert child.process.wait(10) == 1
    (line,) = child.log.read_text().splitlines()
    assert "has no attribute 'nobody'" in line


async def app_that_answers(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200 if scope["path"] == "/health/live" else 404})
    await send({"type": "http.response.body", "body": b""})


async def app_that_fails(scope: Message, receive: Receive, send: Send) -> None:
    raise LookupError


@pytest.mark.asyncio
async def test_an_app_answers_when_it_says_200_to_its_live_path() -> None:
    assert await answers(app_that_answers)
    with capture_logs() as lines:
        assert not await answers(app_that_fails)
    assert lines[0]["event"] == "the app does not answer"


@pytest.mark.asyncio
async def test_no_pulse_comes_while_something_is_wrong() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    well = False

    async def asked() -> bool:
        return well

    beat = asyncio.create_task(pulse(theirs, asked))
    await asyncio.sleep(0.25)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    well = True
    await asyncio.sleep(0.25)
    assert os.read(ours, 10) == b"."
    beat.cancel()
    os.close(ours)
    os.close(theirs)


def test_a_target_names_a_module_and_what_is_in_it() -> None:
    assert load("linyue.worker:load") is load

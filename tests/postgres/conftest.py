"""Servers of the test's own, in this process and in one that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linyue.postgres import EmbeddedServer

HOST = Path(__file__).with_name("host.py")
WAIT_SECONDS_MAX = 30.0


class Host:
    """A process that started the server of DATA and waits (host.py)."""

    def __init__(self, data: Path, *, before: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, str(HOST), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            raise RuntimeError(self.process.communicate()[1])
        self.server_pid: int = json.loads(said)["pid"]
        self.app: str = json.loads(said)["app"]

    def close(self) -> None:
        """Lets it stop its server and end, whatever was done to it before."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        self.process.communicate(timeout=WAIT_SECONDS_MAX)


@pytest.fixture
def host() -> Iterator[Callable[..., Host]]:
    """Starts hosts: `host(data)`; each is ended after the test."""
    started: list[Host] = []

    def start(data: Path, *, before: tuple[str, ...] = ()) -> Host:
        started.append(Host(data, before=before))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """An embedded server that has not been started."""
    server = EmbeddedServer(tmp_path / "data")
    yield server
    server.stop()


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Waits for something that must come true soon."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not true():
        assert time.monotonic() < until, f"{what} did not happen in {WAIT_SECONDS_MAX} s"
        time.sleep(0.02)


def ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet collected."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()

"""A real `serve` of the toy in this folder, in its own process group, and what the tests ask of it from outside."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WAIT_SECONDS_MAX = 30.0


class Toy:
    """A running toy. Its log names the pids of its children."""

    def __init__(self, data: Path, port: int, settings: dict[str, str], *, script: str = "toy.py") -> None:
        self.data, self.port = data, port
        self._log = data / f"log{len(list(data.glob('log*')))}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / script), str(port)],
                env={**os.environ, "PYTHONPATH": str(HERE), "TOY_DATA": str(data), **settings},
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> "Toy":
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"http://127.0.0.1:{self.port}\n".encode(), self.log
        return self

    def pid_of(self, child: str) -> int:
        """The process that holds the place now."""
        return int(re.findall(rf'event=started child="?{child}"? pid=(\d+)', self.log)[-1])

    def pids(self) -> list[int]:
        """Every child that was ever started."""
        return [int(pid) for pid in re.findall(r"event=started child=\S+(?: \d\")? pid=(\d+)", self.log)]

    def get(self, path: str, *, timeout: float = 5.0) -> tuple[int, str]:
        with self.open(path, timeout=timeout) as response:
            return response.status, response.read().decode()

    @contextlib.contextmanager
    def open(self, path: str, *, timeout: float = 5.0) -> Iterator[http.client.HTTPResponse]:
        with self.ask(path, timeout=timeout) as connection, connection.getresponse() as response:
            yield response

    @contextlib.contextmanager
    def ask(self, path: str, *, timeout: float = 5.0) -> Iterator[http.client.HTTPConnection]:
        """A connection on which the answer to GET has not been read yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path)
            yield connection

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float) -> int:
        """Send the parent a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(within)

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        for pid in self.pids():
            eventually(lambda pid=pid: not exists(pid), f"{pid} outlived the test\n{self.log}")  # type: ignore[misc]


StartToy = Callable[..., Toy]


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[StartToy]:
    """Starts toys on one port with one DATA: `toy = start(TOY_WORKERS="1")`."""
    toys: list[Toy] = []

    def start(**settings: str) -> Toy:
        toys.append(Toy(tmp_path, port, settings))
        return toys[-1]

    yield start
    for toy in toys:
        toy.end()


def eventually(holds: Callable[[], object], otherwise: str = "", *, seconds: float = WAIT_SECONDS_MAX) -> None:
    """Wait until it holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, otherwise or holds
        time.sleep(0.05)


def exists(pid: int) -> bool:
    """Whether the process is there and not merely waiting to be reaped."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

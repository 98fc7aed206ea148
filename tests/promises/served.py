"""A real Linyue: `linyue serve` in processes of its own, on its own DATA and port, to be raced and killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from tests.promises.station import OPENER

from booking.desk import new_command_id
from booking.messages import Ask, Command, Outcome, Role
from booking.vault import Vault
from linyue.clock import clock_of
from linyue.identity import Identity
from linyue.postgres import Databases, engine, running_databases
from linyue.settings import from_environment, vault_keys
from linyue.wiring import desk_of

# Of what a start takes here (3 s), more than ten times.
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 40.0
CLOCK = "2026-12-01T09:00:00+08:00"

T = TypeVar("T")


class Served:
    """One installation, as whoever runs it sees it: a command that is started, an address, a folder."""

    def __init__(self, data: Path, *, workers: int = 2) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "DATA": str(data),
            "PORT": str(self.port),
            "WORKERS": str(workers),
            "CLOCK": CLOCK,
            "SPEED": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the command, in a process group of its own, and wait until it is ready."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "linyue.cli", "serve"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready: {(self.data / 'serve.log').read_text()[-3000:]}")

    def stop(self) -> None:
        """Ask it to stop, as an operator would; nothing is left of it."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_SECONDS_MAX)
        self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill_group(self) -> None:
        """Everything that shares the command's process group dies at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def kill_parent(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def workers(self) -> list[int]:
        """The processes that answer HTTP now."""
        return [
            pid
            for pid, words in _commands()
            if _parent_of(pid) == self.pid and "-m linyue.worker" in words and _listens(words)
        ]

    @property
    def databases(self) -> Databases:
        found = running_databases(self.data)
        assert found is not None
        return found

    def let_in(self, people: Mapping[str, tuple[Role, Sequence[str]]]) -> dict[str, str]:
        """Accounts for these people, with roles and stations; a token for each."""

        async def opened() -> dict[str, str]:
            accounts = engine(self.databases.app)
            identity = Identity(accounts, "gumei", clock_of(self.data).now)
            tokens = {}
            for person, (role, stations) in people.items():
                await identity.open_account(person, role, stations)
                tokens[person] = await identity.issue_token(person, label="test")
            await accounts.dispose()
            return tokens

        return asyncio.run(opened())

    def decide(self, commands: Sequence[Command]) -> None:
        """Have commands carried out by a desk of the test's own, on the same log."""
        settings = from_environment({"DATA": str(self.data)})
        vault = Vault("gumei", vault_keys(settings))

        async def decided() -> None:
            async with desk_of("gumei", self.databases, vault, clock_of(self.data).now) as desk:
                for command in commands:
                    answer = await desk.ask(Ask(id=new_command_id(), command=command, asker=OPENER), 60)
                    assert answer.outcome is Outcome.DONE, (command, answer)

        asyncio.run(decided())

    def verify(self) -> dict[str, Any]:
        """What `linyue verify --json` says, beside the running server."""
        done = subprocess.run(
            [sys.executable, "-m", "linyue.cli", "verify", "--json"],
            env=self._environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report: dict[str, Any] = msgspec.json.decode(done.stdout)
        return report


@contextmanager
def served(data: Path, *, workers: int = 2) -> Iterator[Served]:
    """A running Linyue that is stopped at the end, whatever was done to it."""
    running = Served(data, workers=workers)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def eventually(check: Callable[[], T | None], what: str, seconds: float = 60.0) -> T:
    """What `check` finds, once it finds something; `seconds` is a limit for hangs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


async def gathered(work: Sequence[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*work))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _commands() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue


def _parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _listens(words: str) -> bool:
    return '"listen_fd":null' not in words

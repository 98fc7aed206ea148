"""A PostgreSQL server of linyue's own: lives in DATA, listens on a socket alone, ends with who started it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path
from typing import IO

from linyue.postgres import cluster, databases, postmaster
from linyue.postgres.account import Account, server_account
from linyue.postgres.binaries import Programs, program
from linyue.postgres.databases import Databases
from linyue.postgres.faults import DataFolderInUse, ServerCannotRun

_START_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.02
# What a server says while the last processes of a killed one still hold its memory: they end within moments.
_NOT_YET = "pre-existing shared memory block"
_LOG_BYTES_MAX = 10_000_000


class EmbeddedServer:
    """The server of one DATA folder.

    Start it from the main thread: on Linux it ends when the thread that started it does. Processes that are to live on
    without it are spawned, not forked: a fork would keep DATA's lock. `programs` finds PostgreSQL's programs by name.
    """

    def __init__(
        self, data: Path, *, fsync: bool = True, max_connections: int = 100, programs: Programs = program
    ) -> None:
        self._data = data.absolute()
        self._folder = self._data / "postgres"
        self._settings = {"fsync": "on" if fsync else "off", "max_connections": str(max_connections)}
        self._program = programs
        self._lock: IO[str] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._socket = Path()

    def start(self) -> Databases:
        """Starts the server, or again one that died; makes its cluster where there is none. Blocks until it answers.

        Raises DataFolderInUse while another linyue runs it, ServerCannotRun where it will not start.
        """
        if self.running:
            return self.databases
        try:
            self._take_data()
            account = server_account()
            postmaster.end_left_behind(self._folder)
            cluster.make(self._folder, account, self._program)
            cluster.admit_us(self._folder, account)
            self._socket = cluster.socket_folder(self._data, account)
            self._run(account)
        except OSError as error:
            self.stop()
            raise ServerCannotRun(f"PostgreSQL could not be started in {self._data}: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self.databases

    def stop(self) -> None:
        """Shuts the server down fast, harder when it does not obey, and gives DATA free. May be called at any time."""
        try:
            if self._child is not None:
                postmaster.end(self._child.pid, lambda: not self.running)
                cluster.forget_socket_folder(self._data)
        finally:
            self._child = None
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    @property
    def running(self) -> bool:
        """False before the start, after the stop, and where it died."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The server's main process."""
        if self._child is None:
            raise ServerCannotRun("The embedded server has not been started.")
        return self._child.pid

    @property
    def socket(self) -> Path:
        """The folder of the server's socket."""
        return self._socket

    @property
    def databases(self) -> Databases:
        """The addresses of the server's database."""
        return databases.embedded(self._socket)

    def _take_data(self) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = _locked(self._data)

    def _run(self, account: Account) -> None:
        until = time.monotonic() + _START_SECONDS_MAX
        while True:
            with _log(self._data) as log:
                begin = log.tell()
                self._child = self._spawn(account, log)
            if self._becomes_ready(until):
                return
            said = _since(self._data, begin).strip()[-2000:]
            if self.running or _NOT_YET not in said or time.monotonic() > until:
                raise ServerCannotRun(f"PostgreSQL did not start in {self._data}: {said or 'it said nothing.'}")
            time.sleep(0.2)

    def _spawn(self, account: Account, log: IO[bytes]) -> subprocess.Popen[bytes]:
        options = self._settings | {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self._socket}"',
            "unix_socket_permissions": "0700",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        passing = (self._folder, self._socket)
        command = account.command(self._program("postgres"), "-D", str(self._folder), *words, passing=passing)
        # A session of its own: Ctrl-C in a terminal is the parent's to answer, which stops the database last.
        return subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )

    def _becomes_ready(self, until: float) -> bool:
        while self.running and time.monotonic() < until:
            if postmaster.ready(self._folder, self.pid):
                return True
            time.sleep(_POLL_SECONDS)
        return False


def running_databases(data: Path) -> Databases | None:
    """The addresses of the server that another linyue runs in DATA right now; None where none does."""
    folder = data.absolute() / "postgres"
    found = postmaster.running(folder)
    if found is None or not postmaster.ready(folder, found[0]):
        return None
    return databases.embedded(found[1])


def _locked(data: Path) -> IO[str]:
    """The lock that one process holds on a DATA folder while it runs its server; it ends with the process."""
    path = data / "linyue.lock"
    lock = path.open("a+", encoding="ascii")
    path.chmod(0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise DataFolderInUse(
            f"{data} is in use by another linyue (process {holder}). Stop that one, or give this one a DATA of its own."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _log(data: Path) -> IO[bytes]:
    """The server's own log, which begins anew once it has grown past ten megabytes."""
    path = data / "postgres.log"
    if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
        path.replace(data / "postgres.log.1")
    log = path.open("ab")
    path.chmod(0o600)
    return log


def _since(data: Path, begin: int) -> str:
    with (data / "postgres.log").open("rb") as log:
        log.seek(begin)
        return log.read().decode("utf-8", errors="replace")

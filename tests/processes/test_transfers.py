"""`linyue export` and `linyue import` as whoever moves a station uses them: stopped anywhere, started again, proved."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from bench.verify import SUBDISTRICT as BENCH
from bench.verify import write
from click.testing import CliRunner, Result
from sqlalchemy import select
from tests.conftest import TestDatabase, cloned, in_a_thread
from tests.log.history import SUBDISTRICT, lived, opened, station

from booking import log
from booking.messages import SealedText
from booking.vault import Filed, Vault
from linyue.cli import main
from linyue.postgres import Databases, EmbeddedServer, engine
from linyue.postgres.sessions import serving_name
from linyue.wiring import codec_of
from projections.projector import Follower
from projections.questions import QUESTIONS

KEY = "A" * 43 + "="
OTHER_KEY = "B" * 43 + "="
KILLED_EVENTS = 20_000
FEW, MANY = 10_000, 1_000_000
# `verify` keeps a bit and a sum for so many events, and what is open; the others keep a page. Allocators vary by some.
MORE_MIB_MAX = 48


def settings_of(database: Databases, **more: str) -> dict[str, str | None]:
    return {
        **dict.fromkeys(("DATA", "PORT", "HOST", "WORKERS", "CLOCK", "SPEED")),
        "LINYUE_DATABASE_URL": database.app,
        "LINYUE_OWNER_URL": database.owner or "",
        "LINYUE_PROJECTOR_URL": database.projector,
        "LINYUE_VAULT_KEYS": KEY,
        **more,
    }


def linyue(database: TestDatabase, *arguments: object, stdin: bytes | None = None, **more: str) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments], env=settings_of(database, **more), input=stdin)


@pytest.fixture
def lived_in(database: TestDatabase) -> TestDatabase:
    """A database with a day's log."""

    async def live() -> None:
        async with station(database.app) as there:
            await opened(there)
            await lived(there)

    in_a_thread(live())
    return database


@pytest.fixture
def empty(postgres_socket: Path) -> Iterator[TestDatabase]:
    """Another database, with nothing in it."""
    with cloned(postgres_socket) as found:
        yield found


async def read_models_of(database: TestDatabase, subdistrict: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all questions, made from the log now."""
    projecting = engine(database.projector)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for question in QUESTIONS:
        await Follower(projecting, codec_of(subdistrict), question).catch_up()
        async with projecting.connect() as connection:
            for table in question.tables.sorted_tables:
                found = await connection.execute(select(table).order_by(*table.primary_key))
                rows[f"{question.name}.{table.name}"] = [tuple(row) for row in found]
    await projecting.dispose()
    return rows


def test_a_log_that_was_moved_gives_the_same_answers(
    lived_in: TestDatabase, empty: TestDatabase, tmp_path: Path
) -> None:
    """Every row of every question, and the proof."""
    in_a_thread(_file_a_text(lived_in))
    files = (tmp_path / "log", "--vault", tmp_path / "vault", "--answers", tmp_path / "answers.gz")
    written = linyue(lived_in, "export", *files)
    assert written.exit_code == 0, written.stderr
    came = linyue(empty, "import", *files)
    assert came.exit_code == 0, came.stderr
    assert came.stdout == written.stdout.replace("written", "came in")
    reports = [linyue(database, "verify", "--json").stdout for database in (lived_in, empty)]
    assert reports[0] == reports[1]
    checkpoint = msgspec.json.decode(reports[0])["checkpoint"]
    assert f"up to {checkpoint['position']}:{checkpoint['hash']}\n" in written.stdout
    models = [in_a_thread(read_models_of(database, SUBDISTRICT)) for database in (lived_in, empty)]
    assert models[0] == models[1]
    assert all(any(rows for name, rows in models[0].items() if name.startswith(q.name)) for q in QUESTIONS)


def test_what_was_moved_is_told_as_json(lived_in: TestDatabase, empty: TestDatabase, tmp_path: Path) -> None:
    told = msgspec.json.decode(linyue(lived_in, "export", tmp_path / "log", "--json").stdout)
    assert told == {
        "subdistrict": SUBDISTRICT, "events": told["events"], "added": told["events"],
        "checkpoint": told["checkpoint"], "texts": None, "answers": None,
    }  # fmt: skip
    assert msgspec.json.decode(linyue(empty, "import", tmp_path / "log", "--json").stdout) == told
    again = msgspec.json.decode(linyue(empty, "import", tmp_path / "log", "--json").stdout)
    assert again == told | {"added": 0}


def test_a_log_goes_from_one_to_the_other_without_a_file(lived_in: TestDatabase, empty: TestDatabase) -> None:
    """As `linyue export - | ssh … linyue import -` does."""
    environment = {**os.environ, **{name: value for name, value in settings_of(lived_in).items() if value}}
    command = [sys.executable, "-m", "linyue.cli", "export", "-", "--json"]
    out = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert msgspec.json.decode(out.stderr)["events"] == len(out.stdout.splitlines())
    came = linyue(empty, "import", "-", "--json", stdin=out.stdout)
    assert came.stdout.encode() == out.stderr


def test_a_line_that_cannot_come_in_is_one_sentence_with_its_file(
    lived_in: TestDatabase, empty: TestDatabase, tmp_path: Path
) -> None:
    assert linyue(lived_in, "export", tmp_path / "log").exit_code == 0
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole[:-100])
    said = linyue(empty, "import", tmp_path / "log")
    assert said.exit_code == 1
    assert said.stderr.startswith(f"linyue: {tmp_path / 'log'}: Line {len(whole.splitlines())}: it is cut short")


def test_a_file_that_is_not_there_is_one_sentence(empty: TestDatabase, tmp_path: Path) -> None:
    said = linyue(empty, "import", tmp_path / "log")
    assert (said.exit_code, said.stderr) == (1, f"linyue: {tmp_path / 'log'}: No such file or directory.\n")


async def _file_a_text(database: TestDatabase) -> None:
    """In the place of the note that came with the day, whose key nobody kept."""
    connection = await asyncpg.connect(database.app)
    await connection.execute("DELETE FROM booking.vault")
    text = SealedText(text="请改用会议室", key=b"k" * 32)
    vault = Vault(SUBDISTRICT, [KEY])
    await vault.write(connection, datetime(2026, 11, 24, tzinfo=UTC), [Filed("ask:note", "lin", "note", text)])
    await connection.close()


def test_texts_come_in_under_the_keys_that_sealed_them(
    lived_in: TestDatabase, empty: TestDatabase, tmp_path: Path
) -> None:
    in_a_thread(_file_a_text(lived_in))
    files = (tmp_path / "log", "--vault", tmp_path / "vault")
    assert linyue(lived_in, "export", *files).exit_code == 0
    wrong = linyue(empty, "import", *files, LINYUE_VAULT_KEYS=OTHER_KEY)
    assert (wrong.exit_code, f"{tmp_path / 'vault'}: Line 2: no key opens" in wrong.stderr) == (1, True)
    assert linyue(empty, "import", *files, "--rekey", LINYUE_VAULT_KEYS=f"{OTHER_KEY},{KEY}").exit_code == 0


def test_nothing_comes_in_while_somebody_serves(empty: TestDatabase, tmp_path: Path) -> None:
    """What half a log makes due would be recorded, and the other half could never follow."""
    (tmp_path / "log").touch()

    async def served() -> Result:
        named = {"application_name": serving_name(SUBDISTRICT)}
        connection = await asyncpg.connect(empty.app, server_settings=named)
        try:
            return await asyncio.to_thread(linyue, empty, "import", tmp_path / "log")
        finally:
            await connection.close()

    said = in_a_thread(served())
    assert said.exit_code == 1
    assert said.stderr.startswith("linyue: A linyue serves gumei from this database. Stop it")


class Killed:
    """A command on a log of the bench's, killed as soon as something is so, which another process is asked for."""

    def __init__(self, database: TestDatabase, *words: object) -> None:
        settings = settings_of(database, LINYUE_SUBDISTRICT=BENCH)
        self._environment = os.environ | {name: value for name, value in settings.items() if value}
        self._command = [sys.executable, "-m", "linyue.cli", *map(str, words)]
        self.kills = 0

    def run(self, kill_when: Callable[[], bool] = lambda: False) -> int:
        """The exit code."""
        with subprocess.Popen(self._command, env=self._environment, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if kill_when():
                    process.kill()
                time.sleep(0.003)
        self.kills += process.returncode == -signal.SIGKILL
        return process.returncode


@pytest.mark.serial
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.long)])
def test_an_export_and_an_import_that_are_killed_go_on(
    database: TestDatabase, empty: TestDatabase, tmp_path: Path, kills: int
) -> None:
    in_a_thread(_written(database, KILLED_EVENTS))
    for name in ("log", "log.gz"):
        exporting, file = Killed(database, "export", tmp_path / name), tmp_path / name
        for _ in range(kills):
            before = _size(file)
            exporting.run(lambda before=before, file=file: _size(file) > before)  # type: ignore[misc]
        assert exporting.run() == 0
        assert exporting.kills
    assert gzip.decompress((tmp_path / "log.gz").read_bytes()) == (tmp_path / "log").read_bytes()
    importing = Killed(empty, "import", tmp_path / "log")
    heads = [0]
    for _ in range(kills):
        importing.run(lambda: _head_of(empty) > heads[-1])
        heads.append(_head_of(empty))
    assert importing.run() == 0
    assert importing.kills
    assert in_a_thread(_rows_of(empty)) == in_a_thread(_rows_of(database))


async def _written(database: Databases, events: int) -> None:
    connection = await asyncpg.connect(database.app)
    await write(connection, events)
    await connection.close()


async def _rows_of(database: TestDatabase) -> list[list[asyncpg.Record]]:
    connection = await asyncpg.connect(database.app)
    try:
        return [
            await connection.fetch(f"SELECT * FROM booking.{table} ORDER BY 1, 2, 3")
            for table in ("events", "event_tags")
        ]
    finally:
        await connection.close()


def _head_of(database: TestDatabase) -> int:
    async def asked() -> int:
        connection = await asyncpg.connect(database.app)
        try:
            return (await log.head(connection, BENCH)).position
        finally:
            await connection.close()

    return in_a_thread(asked())


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


@pytest.mark.long
@pytest.mark.serial
@pytest.mark.timeout(3_600)
def test_a_million_events_are_moved_in_bounded_memory_and_proved(
    database: TestDatabase,
    own_server: Callable[..., EmbeddedServer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What each step takes is printed, beside what it takes for a hundredth of the events."""
    here, there = (own_server(fsync=False).databases for _ in range(2))
    in_a_thread(_written(database, FEW))
    in_a_thread(_written(here, MANY))
    few, many = tmp_path / "few", tmp_path / "many"
    peaks: dict[str, tuple[int, int]] = {}
    for step, of_few, of_many in (
        ("export", (database, "export", few), (here, "export", many)),
        ("export again", (database, "export", few), (here, "export", many)),
        ("import", (database, "import", few), (there, "import", many)),
        ("import again", (database, "import", few), (there, "import", many)),
        ("verify", (database, "verify"), (there, "verify")),
    ):
        peaks[step] = (_peak_mib(*of_few), _peak_mib(*of_many))
    began = time.perf_counter()
    positions = in_a_thread(_follow_all(there))
    told = [f"{step:<14} {little:>10} {much:>10} MiB" for step, (little, much) in peaks.items()]
    told.append(f"read models made anew in {time.perf_counter() - began:.0f} s")
    with capsys.disabled():
        sys.stdout.write("\n".join(["", f"{'peak memory':<14} {FEW:>10,} {MANY:>10,} events", *told, ""]))
    assert positions == {MANY}
    assert in_a_thread(_digest_of(there)) == in_a_thread(_digest_of(here))
    assert all(much < little + MORE_MIB_MAX for little, much in peaks.values())


def _peak_mib(database: Databases, *words: object) -> int:
    """The most memory that a command took, in MiB."""
    settings = settings_of(database, LINYUE_SUBDISTRICT=BENCH)
    environment = os.environ | {name: value for name, value in settings.items() if value}
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "linyue.cli", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout) // 1024


# A process begins with the memory of whoever started it, which for a test is much.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


async def _follow_all(database: Databases) -> set[int]:
    projecting = engine(database.projector)
    followers = [Follower(projecting, codec_of(BENCH), question) for question in QUESTIONS]
    positions = {await follower.catch_up() for follower in followers}
    await projecting.dispose()
    return positions


_DIGEST = """
SELECT encode(sha256(string_agg(sha256(data || hash), '' ORDER BY position)), 'hex') FROM booking.events
UNION ALL
SELECT encode(sha256(string_agg(sha256(convert_to(tag || position, 'UTF8')), '' ORDER BY tag, position)), 'hex')
FROM booking.event_tags
"""


async def _digest_of(database: Databases) -> list[str]:
    """What two logs have in common that are the same, rows and tags."""
    connection = await asyncpg.connect(database.app)
    try:
        return [row[0] for row in await connection.fetch(_DIGEST, timeout=600)]
    finally:
        await connection.close()

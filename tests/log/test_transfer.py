"""A log goes into a file and out of it, byte for byte; both can stop anywhere and go on; nothing false comes in."""

import asyncio
import gzip
import io
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase, cloned, in_a_thread
from tests.log import desks, doors
from tests.log.history import CODEC, LIN, SUBDISTRICT, at, lived, opened, station
from tests.log.tampering import canonical, past_the_triggers

from booking import log, transfer
from booking.codec import Codec
from booking.messages import SealedText
from booking.transfer import (
    Answers,
    Beside,
    BesideRefused,
    FileFault,
    ImportStopped,
    LineRefused,
    LogUnsound,
    Source,
    Target,
    Texts,
    exporting,
    importing,
)
from booking.transfer.lines import line_of
from booking.vault import Filed, Vault
from booking.verify import verify
from booking.writer import Writer

pytestmark = pytest.mark.asyncio

DOCS = Path(__file__).parents[2] / "docs/transfer.md"


class Day(NamedTuple):
    """A log of a day that nobody changes any more, and its rows."""

    database: TestDatabase
    rows: list[log.Row]

    @property
    def events(self) -> int:
        return len(self.rows)

    @property
    def lines(self) -> list[bytes]:
        return [line_of(row) for row in self.rows]

    @property
    def exported(self) -> bytes:
        return b"".join(self.lines)


@pytest.fixture(scope="session")
def day(postgres_socket: Path) -> Iterator[Day]:
    with cloned(postgres_socket) as database:
        yield Day(database, in_a_thread(_lived(database)))


async def _lived(database: TestDatabase) -> list[log.Row]:
    async with station(database.app) as there:
        await opened(there)
        await lived(there)
    async with reading(database) as connection:
        return await log.follow(connection, SUBDISTRICT, 0, 1_000)


@asynccontextmanager
async def reading(database: TestDatabase) -> AsyncIterator[log.Connection]:
    connection = await asyncpg.connect(database.app)
    try:
        yield connection
    finally:
        await connection.close()


async def export(database: TestDatabase, path: Path, subdistrict: str = SUBDISTRICT) -> transfer.Exported:
    """As `linyue export` does."""
    async with reading(database) as connection:
        with Target.open(path, packed=transfer.is_packed(path)) as target:
            return await transfer.export_log(connection, subdistrict, target)


async def bring_in(database: TestDatabase, exported: bytes, codec: Codec = CODEC) -> transfer.Came:
    """As `linyue import` does."""
    writer = Writer(codec.subdistrict, lambda: desks.writer(database))
    try:
        return await transfer.import_log(writer, codec, Source(io.BytesIO(exported)).whole())
    finally:
        writer.drop()


async def tables_of(database: TestDatabase) -> list[list[tuple[object, ...]]]:
    """Events and tags, row by row."""
    async with reading(database) as connection:
        return [
            [tuple(row) for row in await connection.fetch(f"SELECT * FROM booking.{table} ORDER BY 1, 2, 3")]
            for table in ("events", "event_tags")
        ]


async def count_of(database: TestDatabase) -> int:
    async with reading(database) as connection:
        return (await log.head(connection, SUBDISTRICT)).position


def otherwise(data: bytes) -> bytes:
    """The event as it might have been."""
    envelope = msgspec.json.decode(data)
    return canonical(envelope | {"n": envelope["n"] + 1})


def chained(*datas: bytes, subdistrict: str = SUBDISTRICT) -> bytes:
    """Lines of any bytes, with the chain that they make."""
    last, lines = log.first_hash(subdistrict), []
    for position, data in enumerate(datas, 1):
        last = log.next_hash(last, data)
        lines.append(line_of(log.Row(position, data, last)))
    return b"".join(lines)


# Out of the log.


async def test_a_line_is_an_event_at_its_position_with_its_bytes_and_its_hash(day: Day, tmp_path: Path) -> None:
    exported = await export(day.database, tmp_path / "log")
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert (len(lines), exported.head.position, exported.there) == (day.events, day.events, 0)
    for row, line in zip(day.rows, lines, strict=True):
        assert line == b'{"position":%d,"hash":"%s","data":%s}' % (row.position, row.hash.hex().encode(), row.data)
        assert msgspec.json.decode(line)["data"] == msgspec.json.decode(row.data)


async def test_a_stranger_checks_a_file_with_what_the_docs_show(day: Day, tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len(program.strip().splitlines()) <= 10

    def check(exported: bytes) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-c", program, SUBDISTRICT]
        return subprocess.run(command, input=exported, capture_output=True, check=False)

    sound = await asyncio.to_thread(check, day.exported)
    assert sound.stdout.decode() == f"{day.events}:{day.rows[-1].hash.hex()}\n"
    changed = await asyncio.to_thread(check, day.exported.replace(b"changed_plans", b"changed_pl4ns"))
    assert changed.returncode != 0


@pytest.mark.parametrize("name", ["log.ndjson", "log.ndjson.gz"])
async def test_an_export_that_was_killed_at_any_byte_goes_on(
    day: Day, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 5)
    path = tmp_path / name
    await export(day.database, path)
    whole = path.read_bytes()
    # Every end of a line and of a page is among the places next to which it is cut, and many within.
    cuts = {*range(0, len(whole), 211), *range(200), *(len(whole) - n for n in range(200)), *_ends(whole)}
    async with reading(day.database) as connection:
        for cut in sorted(cuts):
            path.write_bytes(whole[:cut])
            with Target.open(path, packed=transfer.is_packed(path)) as target:
                exported = await transfer.export_log(connection, SUBDISTRICT, target)
            assert exported.head.position == day.events
            assert path.read_bytes() == whole, cut


def _ends(whole: bytes) -> set[int]:
    ends = {found.end() for found in re.finditer(rb"\n|\x1f\x8b\x08", whole)}
    return {end + by for end in ends for by in (-1, 0, 1) if end + by <= len(whole)}


async def test_a_compressed_file_is_read_by_whatever_reads_gzip(
    day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 5)
    await export(day.database, tmp_path / "log.gz")
    assert gzip.decompress((tmp_path / "log.gz").read_bytes()) == day.exported


async def test_a_file_that_gzip_made_is_gone_on_with_too(day: Day, tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"".join(day.lines[:20])))
    assert (await export(day.database, tmp_path / "log.gz")).there == 20
    assert gzip.decompress((tmp_path / "log.gz").read_bytes()) == day.exported


async def test_an_export_goes_on_where_the_log_has_grown(day: Day, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"".join(day.lines[:30]))
    assert (await export(day.database, tmp_path / "log")).there == 30
    assert (await export(day.database, tmp_path / "log")).there == day.events
    assert (tmp_path / "log").read_bytes() == day.exported


def _spoilt(day: Day) -> Iterator[bytes]:
    yield day.exported.replace(b"changed_plans", b"changed_pl4ns")
    yield b"".join(day.lines[:5] + day.lines[6:])
    yield b"".join(day.lines[1:])
    yield chained(*[row.data for row in day.rows], subdistrict="other")
    yield chained(*[row.data for row in day.rows[:20]], b'{"another":"end"}')
    yield day.exported + chained(*[row.data for row in day.rows], b"{}").splitlines(keepends=True)[-1]
    yield b"".join(day.lines[:3]) + b"notes of somebody"
    yield b"notes of somebody"
    yield b"notes\n"


async def test_a_file_that_is_not_of_this_log_is_left_as_it_is(day: Day, tmp_path: Path) -> None:
    for number, content in enumerate(_spoilt(day)):
        for name, wrap in (("log", bytes), ("log.gz", gzip.compress)):
            path = tmp_path / f"{number}-{name}"
            path.write_bytes(wrap(content))
            with pytest.raises(LineRefused):
                await export(day.database, path)
            assert path.read_bytes() == wrap(content)


async def test_a_name_in_gz_of_something_else_is_left_as_it_is(day: Day, tmp_path: Path) -> None:
    for content in (b"notes of somebody", day.exported, b"\x1f\x8b\x08\x08 by another program, cut short"):
        (tmp_path / "log.gz").write_bytes(content)
        with pytest.raises(LineRefused):
            await export(day.database, tmp_path / "log.gz")
        assert (tmp_path / "log.gz").read_bytes() == content


async def test_an_unsound_log_is_exported_up_to_where_it_is_sound(
    day: Day, database: TestDatabase, tmp_path: Path
) -> None:
    await bring_in(database, day.exported)
    async with past_the_triggers(database.superuser) as connection:
        await connection.execute(
            "UPDATE booking.events SET data = overlay(data placing '!' from 9) WHERE position = 20"
        )
    with pytest.raises(LogUnsound, match="Position 20"):
        await export(database, tmp_path / "log")


async def test_a_log_with_a_gap_is_exported_up_to_it(day: Day, database: TestDatabase, tmp_path: Path) -> None:
    await bring_in(database, day.exported)
    async with past_the_triggers(database.superuser) as connection:
        await connection.execute("DELETE FROM booking.events WHERE position BETWEEN 5 AND 9")
    with pytest.raises(LogUnsound, match="Position 5"):
        await export(database, tmp_path / "log")


async def test_of_two_exports_into_one_file_the_second_is_told(day: Day, tmp_path: Path) -> None:
    with Target.open(tmp_path / "log", packed=False), pytest.raises(FileFault, match="another export"):
        await export(day.database, tmp_path / "log")


async def test_a_file_is_private_and_one_that_cannot_be_made_is_told(day: Day, tmp_path: Path) -> None:
    await export(day.database, tmp_path / "log")
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    with pytest.raises(FileFault, match="No such file"):
        await export(day.database, tmp_path / "nowhere" / "log")


async def test_a_disk_that_is_full_is_told(day: Day) -> None:
    with pytest.raises(FileFault, match="No space left"):
        await export(day.database, Path("/dev/full"))


# Into the log.


async def test_what_comes_in_is_row_for_row_what_went_out(day: Day, log_database: TestDatabase) -> None:
    assert await bring_in(log_database, day.exported) == (day.events, 0)
    assert await tables_of(log_database) == await tables_of(day.database)
    async with reading(log_database) as there, reading(day.database) as here:
        proofs = [await verify(connection, SUBDISTRICT, lambda _: None) for connection in (there, here)]
    assert proofs[0] == proofs[1]
    assert proofs[0].ok


async def test_an_import_goes_on_behind_what_is_there(
    day: Day, log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 5)
    for count in (7, 7, 20, 12, 0, day.events, day.events):
        before = await count_of(log_database)
        assert await bring_in(log_database, b"".join(day.lines[:count])) == (count, min(before, count))
    assert await tables_of(log_database) == await tables_of(day.database)


def _refused(day: Day) -> Iterator[tuple[bytes, int, str]]:
    """What does not come in, the line that says why, and a word of it."""
    lines, datas = day.lines, [row.data for row in day.rows]
    yield b"".join(lines[:5] + lines[6:]), 6, "it holds position 7"
    yield b"".join(lines[1:]), 1, "it holds position 2"
    yield b"".join([*lines[:9], lines[9].replace(b'"v":1', b'"v":2'), *lines[10:]]), 10, "something was changed"
    yield b"".join([*lines[:9], lines[9].replace(day.rows[9].hash.hex().encode(), b"0" * 64)]), 10, "the hash does not"
    yield day.exported[:-1], day.events, "cut short"
    yield day.exported[:-300], day.events, "cut short"
    yield b"".join(lines[:5]) + b"\n" + b"".join(lines[5:]), 6, "no line of an exported log"
    yield day.exported.replace(b'{"position":12,', b'{"position": 12,'), 12, "no line of an exported log"
    yield chained(*datas, subdistrict="other"), 1, "another subdistrict's"
    # With a chain that is right, as somebody would write them who means it.
    yield chained(*datas[:4], datas[4].replace(b'"subdistrict":"gumei"', b'"subdistrict":"other"')), 5, "that of other"
    yield chained(*datas[:4], datas[5]), 5, "at 6"
    yield chained(*datas[:4], datas[4].replace(b'"type":"', b'"type":"Un')), 5, "a newer one wrote it"
    yield chained(*datas[:4], datas[4].replace(b'"version":1', b'"version":9')), 5, "a newer one wrote it"
    yield chained(*datas[:4], b'{"position":5}'), 5, "cannot be read as an event"
    yield chained(*datas[:4], b"\xff"), 5, "cannot be read as an event"


async def test_what_cannot_follow_is_refused_with_its_line_and_all_before_it_is_in(
    day: Day, database: TestDatabase
) -> None:
    for number, (exported, line, word) in enumerate(_refused(day)):
        with pytest.raises(LineRefused, match=re.escape(word)) as refused:
            await bring_in(database, exported)
        assert refused.value.number == line, number
        async with past_the_triggers(database.superuser) as connection:
            assert await connection.fetchval("SELECT max(position) FROM booking.events") == (line - 1 or None), number
            await connection.execute("TRUNCATE booking.events, booking.event_tags")


async def test_a_log_that_lived_otherwise_is_not_added_to(day: Day, log_database: TestDatabase) -> None:
    async with station(log_database.app) as there:
        await opened(there)
    before = await tables_of(log_database)
    with pytest.raises(LineRefused, match="another event") as refused:
        await bring_in(log_database, day.exported)
    # The first event has another command's id.
    assert refused.value.number == 1
    assert await tables_of(log_database) == before


async def test_the_line_at_which_two_logs_part_is_told(day: Day, log_database: TestDatabase) -> None:
    datas = [row.data for row in day.rows]
    await bring_in(log_database, chained(*datas[:20], otherwise(datas[20])))
    with pytest.raises(LineRefused, match="another event") as refused:
        await bring_in(log_database, day.exported)
    assert refused.value.number == 21


async def test_who_writes_meanwhile_stops_the_import_and_forks_nothing(
    day: Day, log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 5)
    writer = Writer(SUBDISTRICT, lambda: desks.writer(log_database))

    def between(count: int) -> None:
        if count == 10:
            in_a_thread(_written_by_another(log_database))

    with pytest.raises(LineRefused, match="another event") as refused:
        await transfer.import_log(writer, CODEC, Source(io.BytesIO(day.exported)).whole(), between)
    writer.drop()
    assert refused.value.number == 11
    assert await count_of(log_database) == 11


async def _written_by_another(database: TestDatabase) -> None:
    connection = await desks.writer(database)
    await log.begin_and_lock(connection, SUBDISTRICT)
    head = await log.head(connection, SUBDISTRICT)
    await log.append(connection, SUBDISTRICT, head, [log.Entry(head.position + 1, b"{}", ())])
    await log.commit(connection)
    await connection.close()


async def test_an_import_that_loses_its_database_says_how_to_go_on(
    day: Day, log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 5)
    connection = await desks.writer(log_database)

    async def once() -> log.Connection:
        return connection

    def lose(count: int) -> None:
        if count == 10:
            connection.terminate()

    with pytest.raises(ImportStopped, match="start the same import again"):
        await transfer.import_log(Writer(SUBDISTRICT, once), CODEC, Source(io.BytesIO(day.exported)).whole(), lose)
    assert await count_of(log_database) == 10
    assert await bring_in(log_database, day.exported) == (day.events, 10)


async def test_a_desk_goes_on_behind_what_came_in(day: Day, log_database: TestDatabase) -> None:
    await bring_in(log_database, day.exported)
    async with station(log_database.app) as there:
        there.now = at("25 16:00")
        assert await there.book(LIN, "tribe", "26 09:00", "26 10:00")
    async with reading(log_database) as connection:
        assert (await verify(connection, SUBDISTRICT, lambda _: None)).ok


# What lies beside the log.

LINS = Filed("ask1:note", "lin", "note", SealedText(text="给奶奶过九十大寿", key=b"k" * 32))
WANGS = Filed("ask2:note", "wang", "note", SealedText(text="请改用会议室", key=b"k" * 32))
OTHER_KEY = Fernet.generate_key().decode()


def texts(*keys: str, rekey: bool = False) -> Texts:
    return Texts(Vault(SUBDISTRICT, keys or (desks.KEY,)), rekey=rekey)


async def sealed_in(database: TestDatabase) -> list[tuple[object, ...]]:
    async with reading(database) as connection:
        return [tuple(row) for row in await connection.fetch("SELECT * FROM booking.vault ORDER BY id")]


async def out(database: TestDatabase, table: Beside[Any], path: Path) -> int:
    async with reading(database) as connection:
        head = await log.head(connection, SUBDISTRICT)
        with transfer.written_whole(path, transfer.begin_of(table)) as target:
            return await transfer.export_beside(connection, SUBDISTRICT, table, target, head)


async def into(database: TestDatabase, table: Beside[Any], path: Path, *, older: bool = False) -> int:
    async with reading(database) as connection:
        with path.open("rb") as file:
            lines = Source(file, packed=transfer.is_packed(path)).whole()
            return await transfer.import_beside(connection, SUBDISTRICT, table, lines, older=older)


@pytest_asyncio.fixture
async def filed(day: Day, database: TestDatabase) -> TestDatabase:
    """The day's log with two texts in its vault."""
    await bring_in(database, day.exported)
    async with reading(database) as connection:
        await Vault(SUBDISTRICT, [desks.KEY]).write(connection, desks.NOW, [LINS, WANGS])
    return database


async def test_texts_travel_as_they_are_sealed(
    day: Day, filed: TestDatabase, log_database: TestDatabase, tmp_path: Path
) -> None:
    await bring_in(log_database, day.exported)
    for name in ("vault", "vault.gz"):
        assert await out(filed, texts(), tmp_path / name) == 2
        assert await into(log_database, texts(), tmp_path / name) == 2
        assert await sealed_in(log_database) == await sealed_in(filed)
    assert LINS.text.text.encode() not in (tmp_path / "vault").read_bytes()
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o600


async def test_texts_can_be_sealed_anew_on_the_way(
    day: Day, filed: TestDatabase, log_database: TestDatabase, tmp_path: Path
) -> None:
    await bring_in(log_database, day.exported)
    await out(filed, texts(), tmp_path / "vault")
    await into(log_database, texts(OTHER_KEY, desks.KEY, rekey=True), tmp_path / "vault")
    async with reading(log_database) as connection:
        assert await Vault(SUBDISTRICT, [OTHER_KEY]).read(connection, [LINS.id]) == {LINS.id: LINS.text}


async def test_a_text_that_no_key_opens_is_refused(
    day: Day, filed: TestDatabase, log_database: TestDatabase, tmp_path: Path
) -> None:
    await bring_in(log_database, day.exported)
    await out(filed, texts(), tmp_path / "vault")
    with pytest.raises(LineRefused, match="Line 2: no key opens"):
        await into(log_database, texts(OTHER_KEY), tmp_path / "vault")
    assert await sealed_in(log_database) == []


async def test_what_was_erased_is_in_no_later_file_and_does_not_come_back(
    day: Day, filed: TestDatabase, tmp_path: Path
) -> None:
    await out(filed, texts(), tmp_path / "vault")
    async with reading(filed) as connection:
        await Vault(SUBDISTRICT, [desks.KEY]).erase(connection, "lin")
    await _written_by_another(filed)
    with pytest.raises(BesideRefused, match="what was erased since would come back"):
        await into(filed, texts(), tmp_path / "vault")
    assert await out(filed, texts(), tmp_path / "vault") == 1
    assert b"lin" not in (tmp_path / "vault").read_bytes()


async def test_an_older_vault_is_taken_where_one_says_so(
    day: Day, filed: TestDatabase, log_database: TestDatabase, tmp_path: Path
) -> None:
    await out(filed, texts(), tmp_path / "vault")
    await bring_in(log_database, day.exported)
    await _written_by_another(log_database)
    with pytest.raises(BesideRefused, match="--older"):
        await into(log_database, texts(), tmp_path / "vault")
    assert await into(log_database, texts(), tmp_path / "vault", older=True) == 2


async def test_a_vault_of_another_log_is_refused(
    day: Day, filed: TestDatabase, log_database: TestDatabase, tmp_path: Path
) -> None:
    await out(filed, texts(), tmp_path / "vault")
    with pytest.raises(BesideRefused, match=f"at event {day.events}, the log here ends at 0"):
        await into(log_database, texts(), tmp_path / "vault")
    datas = [row.data for row in day.rows[:-1]]
    await bring_in(log_database, chained(*datas, otherwise(day.rows[-1].data)))
    with pytest.raises(BesideRefused, match="beside another log"):
        await into(log_database, texts(), tmp_path / "vault")
    whole = (tmp_path / "vault").read_bytes()
    (tmp_path / "vault").write_bytes(whole.replace(b'"subdistrict":"gumei"', b'"subdistrict":"other"'))
    with pytest.raises(BesideRefused, match="that of other, not of gumei"):
        await into(filed, texts(), tmp_path / "vault")


async def test_a_file_beside_the_log_must_be_whole_and_of_its_kind(
    day: Day, filed: TestDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "vault"
    await out(filed, texts(), path)
    lines = path.read_bytes().splitlines(keepends=True)
    for broken, word in (
        (lines[:-1], "Line 4: the file is cut short"),
        (lines[:1], "Line 2: the file is cut short"),
        ([*lines[:2], lines[3]], "Line 3: this is not where"),
        ([*lines, lines[2]], "Line 4: this is not where"),
        (lines[1:], "Line 1: this is no line"),
        ([], "Line 1: this is no line"),
        ([*lines[:3], lines[3][:-3]], "Line 4: it is cut short"),
    ):
        path.write_bytes(b"".join(broken))
        with pytest.raises(LineRefused, match=word):
            await into(filed, texts(), path)
    path.write_bytes(b"".join(lines))
    with pytest.raises(LineRefused, match="a file of the vault, not of the answers"):
        await into(filed, Answers(SUBDISTRICT), path)


def half_written(path: Path) -> None:
    with transfer.written_whole(path, b"be") as target:
        target.add(b"half")
        # Of two at once, the second fails.
        with transfer.written_whole(path, b"be"):
            pass


async def test_a_file_that_cannot_be_written_whole_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "vault").write_bytes(b"before\n")
    with pytest.raises(FileFault, match="another export"):
        half_written(tmp_path / "vault")
    assert (tmp_path / "vault").read_bytes() == b"before\n"


async def test_nothing_is_written_over_but_an_earlier_file_of_the_same(filed: TestDatabase, tmp_path: Path) -> None:
    await out(filed, Answers(SUBDISTRICT), tmp_path / "answers.gz")
    (tmp_path / "log").write_bytes(day_line := b'{"position":1,"hash":"00","data":{}}\n')
    (tmp_path / "notes.gz").write_bytes(b"notes")
    (tmp_path / "empty.gz").write_bytes(b"")
    for path in (tmp_path / "log", tmp_path / "notes.gz", tmp_path / "answers.gz", tmp_path, Path("/dev/null")):
        with pytest.raises(FileFault, match="something else"):
            await out(filed, texts(), path)
    assert (tmp_path / "log").read_bytes() == day_line
    for _ in range(2):
        assert await out(filed, texts(), tmp_path / "empty.gz") == 2


async def test_a_key_that_was_answered_before_gets_the_same_answer_after_the_move(
    log_database: TestDatabase, database: TestDatabase, tmp_path: Path
) -> None:
    knock = desks.ask(doors.Knock(), key="mine", fingerprint=b"same")
    async with desks.desk_on(log_database) as desk:
        first = await desk.ask(knock, 60)
    await export(log_database, tmp_path / "log")
    assert await out(log_database, Answers(SUBDISTRICT), tmp_path / "answers") == 1
    await bring_in(database, (tmp_path / "log").read_bytes(), doors.codec())
    for _ in range(2):
        assert await into(database, Answers(SUBDISTRICT), tmp_path / "answers") == 1
    async with desks.desk_on(database) as desk:
        again = desks.ask(doors.Knock(), key="mine", fingerprint=b"same")
        assert await desk.ask(again, 60) == first
    assert await count_of(database) == 1


async def test_an_answer_about_what_is_not_in_the_log_is_left_out(
    log_database: TestDatabase, database: TestDatabase, tmp_path: Path
) -> None:
    """It was given while the export ran, after the log's file was done."""
    async with desks.desk_on(log_database) as desk:
        await desk.ask(desks.ask(doors.Knock(), key="one"), 60)
        exported = await export(log_database, tmp_path / "log")
        await desk.ask(desks.ask(doors.Knock(), key="two"), 60)
    async with reading(log_database) as connection:
        with transfer.written_whole(tmp_path / "answers", b"") as target:
            await transfer.export_beside(connection, SUBDISTRICT, Answers(SUBDISTRICT), target, exported.head)
    await bring_in(database, (tmp_path / "log").read_bytes(), doors.codec())
    assert await into(database, Answers(SUBDISTRICT), tmp_path / "answers") == 1

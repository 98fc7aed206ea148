"""`linyue export` and `linyue import`: from the database that the settings name into files, and back."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from booking import log, transfer
from booking.transfer import Answers, Beside, Source, Target, Texts
from booking.vault import Vault
from booking.writer import Writer
from linyue import postgres, wiring
from linyue.postgres import Databases, reached
from linyue.postgres.sessions import is_served
from linyue.settings import Settings, vault_keys

STREAM = Path("-")
"""Standard input, or output."""

OnProgress = Callable[[float | None], None]
"""Gets the part that is done, from 0 to 1; None where nobody knows how much there is."""


class TransferRefused(Exception):
    """The file, or this installation, does not let it happen; the message says what to do."""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Where a log goes or comes from, `STREAM` or a file; and, if they are to, the vault and the answers."""

    log: Path
    vault: Path | None = None
    answers: Path | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now at the other end, and how much of it this run has brought there.

    `checkpoint` is the last event's position and hash, as `linyue verify --checkpoint` takes it. `texts` and `answers`
    are None where they were not asked for.
    """

    subdistrict: str
    events: int
    added: int
    checkpoint: str
    texts: int | None = None
    answers: int | None = None


def export_all(settings: Settings, files: Files, on_progress: OnProgress = lambda _: None) -> Moved:
    """Write the log into its file, or what the file does not have yet; then, anew, what lies beside it.

    Raises TransferRefused, `transfer.FileFault` and `transfer.LogUnsound`.
    """
    with reached(settings) as databases:
        return asyncio.run(_export(settings, databases, files, on_progress))


async def _export(settings: Settings, databases: Databases, files: Files, on_progress: OnProgress) -> Moved:
    await postgres.check_revision(databases.app)
    connection = await wiring.writer(databases)
    try:
        with _named(files.log), _target(files.log) as target:
            head, there = await transfer.export_log(connection, settings.subdistrict, target, on_progress)
        # After the log, so that of each event in the log's file the texts are there, unless they were erased.
        out = partial(_export_beside, connection, settings.subdistrict, head)
        texts = await out(_texts(settings), files.vault) if files.vault else None
        answers = await out(Answers(settings.subdistrict), files.answers) if files.answers else None
    finally:
        await connection.close()
    return _moved(settings, head, head.position - there, texts, answers)


async def _export_beside(
    connection: log.Connection, subdistrict: str, head: log.Head, table: Beside[Any], path: Path
) -> int:
    with transfer.written_whole(path, transfer.begin_of(table)) as target:
        return await transfer.export_beside(connection, subdistrict, table, target, head)


def import_all(
    settings: Settings,
    files: Files,
    on_progress: OnProgress = lambda _: None,
    *,
    older: bool = False,
    rekey: bool = False,
) -> Moved:
    """Append to the log what its file has beyond it; then keep what lies beside it. Prepares the database where it can.

    `older` takes a vault or answers from before the log's last event; `rekey` seals texts anew under the first key.
    Raises TransferRefused and `transfer.ImportStopped`.
    """
    with reached(settings) as databases:
        return asyncio.run(_import(settings, databases, files, on_progress, older=older, rekey=rekey))


async def _import(
    settings: Settings, databases: Databases, files: Files, on_progress: OnProgress, *, older: bool, rekey: bool
) -> Moved:
    await postgres.prepare(databases)
    if await is_served(databases.app, settings.subdistrict):
        # Half a log is a log too: what it makes due would be recorded, and the other half could never follow.
        raise TransferRefused(f"A linyue serves {settings.subdistrict} from this database. Stop it, then import.")
    writer = Writer(settings.subdistrict, partial(wiring.writer, databases))
    try:
        with _named(files.log), _source(files.log) as (source, size):
            codec = wiring.codec_of(settings.subdistrict)
            came = await transfer.import_log(
                writer, codec, source.whole(), lambda _: on_progress(source.read / size if size else None)
            )
    finally:
        writer.drop()
    connection = await wiring.writer(databases)
    try:
        into = partial(_import_beside, connection, settings.subdistrict, older)
        texts = await into(_texts(settings, rekey=rekey), files.vault) if files.vault else None
        answers = await into(Answers(settings.subdistrict), files.answers) if files.answers else None
        head = await log.head(connection, settings.subdistrict)
    finally:
        await connection.close()
    return _moved(settings, head, came.lines - came.there, texts, answers)


async def _import_beside(
    connection: log.Connection, subdistrict: str, older: bool, table: Beside[Any], path: Path
) -> int:
    with _named(path), _source(path) as (source, _):
        return await transfer.import_beside(connection, subdistrict, table, source.whole(), older=older)


def _texts(settings: Settings, *, rekey: bool = False) -> Texts:
    return Texts(Vault(settings.subdistrict, vault_keys(settings)), rekey=rekey)


def _moved(settings: Settings, head: log.Head, added: int, texts: int | None, answers: int | None) -> Moved:
    return Moved(
        subdistrict=settings.subdistrict,
        events=head.position,
        added=added,
        checkpoint=f"{head.position}:{head.hash.hex()}",
        texts=texts,
        answers=answers,
    )


def _target(path: Path) -> Target:
    if path == STREAM:
        return Target(FileIO(sys.stdout.fileno(), "wb", closefd=False), Path("Standard output"))
    return Target.open(path, packed=transfer.is_packed(path))


@contextmanager
def _source(path: Path) -> Iterator[tuple[Source, int]]:
    """The lines of a file, and its size in bytes; 0 of a stream."""
    if path == STREAM:
        yield Source(sys.stdin.buffer), 0
        return
    try:
        with path.open("rb") as file:
            yield Source(file, packed=transfer.is_packed(path)), path.stat().st_size
    except OSError as error:
        if error.filename is None:
            raise
        raise TransferRefused(f"{path}: {error.strerror}.") from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What is said of a line is said with its file."""
    try:
        yield
    except (transfer.LineRefused, transfer.BesideRefused) as refused:
        name = "Standard input" if path == STREAM else path
        raise TransferRefused(f"{name}: {refused}") from refused

"""What lies beside the log, in files of their own: the vault, each text sealed as it is, and the answers of 30 days.

Unlike the log these change: texts are erased and answers forgotten. So a file of them is written anew each time, says
up to which event of which log it was taken, and is taken in with that log and no other.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal, Protocol, TypeVar

import msgspec

from booking import answers, log
from booking.answers import Answered
from booking.transfer.files import Target
from booking.transfer.lines import LineRefused
from booking.vault import Sealed, Vault

ROWS_AT_ONCE = 500

_END = b'{"rows":'

FileOf = Literal["vault", "answers"]
R = TypeVar("R", bound=msgspec.Struct)


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: what this is a file of, and the event of the log up to which it was taken."""

    file: FileOf
    subdistrict: str
    position: int
    hash: str


class End(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line: how many lines stand between the first and this one."""

    rows: int


class BesideRefused(Exception):
    """A file was not taken together with this log; the message says what to do."""


class Beside(Protocol[R]):
    """A table beside the log of a subdistrict, in the order of its primary key."""

    name: FileOf
    row: type[R]

    async def after(self, connection: log.Connection, last: R | None, limit: int) -> list[R]:
        """The next rows after one, as they are kept."""

    async def take_in(self, connection: log.Connection, rows: list[R]) -> None:
        """Keep rows; those that are there already stay."""

    def prepared(self, row: R, head: int) -> R | str | None:
        """What is to be kept for a row beside a log that goes up to `head`: None for nothing; or why it cannot be."""


class Texts:
    """The vault. With `rekey` the texts are sealed anew under the first of its keys."""

    name: FileOf = "vault"
    row = Sealed

    def __init__(self, vault: Vault, *, rekey: bool = False) -> None:
        self._vault = vault
        self._rekey = rekey

    async def after(self, connection: log.Connection, last: Sealed | None, limit: int) -> list[Sealed]:
        return await self._vault.after(connection, last.id if last else "", limit)

    async def take_in(self, connection: log.Connection, rows: list[Sealed]) -> None:
        await self._vault.take_in(connection, rows)

    def prepared(self, row: Sealed, head: int) -> Sealed | str | None:
        if not self._vault.opens(row):
            return "no key opens this text. Set LINYUE_VAULT_KEYS, or DATA/vault.key, to that of the exported vault."
        return self._vault.sealed_anew(row) if self._rekey else row


class Answers:
    """What was answered to whom under which key."""

    name: FileOf = "answers"
    row = Answered

    def __init__(self, subdistrict: str) -> None:
        self._subdistrict = subdistrict

    async def after(self, connection: log.Connection, last: Answered | None, limit: int) -> list[Answered]:
        known = (last.actor, last.key) if last else ("", "")
        return await answers.after(connection, self._subdistrict, known, limit)

    async def take_in(self, connection: log.Connection, rows: list[Answered]) -> None:
        await answers.take_in(connection, self._subdistrict, rows)

    def prepared(self, row: Answered, head: int) -> Answered | str | None:
        # Given while the export ran: what it speaks of is not in this log, so here it never was.
        return row if row.position <= head else None


def begin_of(table: Beside[R]) -> bytes:
    """What every file of a table begins with."""
    return b'{"file":"%b",' % table.name.encode()


async def export_beside(
    connection: log.Connection, subdistrict: str, table: Beside[R], target: Target, head: log.Head
) -> int:
    """Write all rows; `head` is how far the log's file goes, which must have been written before. Returns how many."""
    begin = Begin(file=table.name, subdistrict=subdistrict, position=head.position, hash=head.hash.hex())
    target.add(msgspec.json.encode(begin) + b"\n")
    written, last = 0, None
    while rows := await table.after(connection, last, ROWS_AT_ONCE):
        target.add(msgspec.json.Encoder().encode_lines(rows))
        written, last = written + len(rows), rows[-1]
    target.add(msgspec.json.encode(End(rows=written)) + b"\n")
    return written


async def import_beside(
    connection: log.Connection, subdistrict: str, table: Beside[R], lines: Iterable[bytes], *, older: bool = False
) -> int:
    """Keep all rows of a file that was taken up to the log's last event; with `older`, or up to an earlier one.

    Returns how many rows of it belong here, those included that were there already. Raises `BesideRefused`, and
    `LineRefused` for a line that cannot be kept. May be started again.
    """
    numbered = enumerate(lines, 1)
    head = await log.head(connection, subdistrict)
    await _check_same_log(connection, subdistrict, _begin(table.name, numbered), head, older=older)
    kept = 0
    rows = _rows(numbered, table, head.position)
    while page := list(islice(rows, ROWS_AT_ONCE)):
        await table.take_in(connection, page)
        kept += len(page)
    return kept


def _begin(name: str, numbered: Iterator[tuple[int, bytes]]) -> Begin:
    number, line = next(numbered, (1, b""))
    begin = _decoded(number, line, Begin)
    if begin.file != name:
        raise LineRefused(number, f"this is a file of the {begin.file}, not of the {name}.")
    return begin


async def _check_same_log(
    connection: log.Connection, subdistrict: str, begin: Begin, head: log.Head, *, older: bool
) -> None:
    what = f"This file of the {begin.file}"
    if begin.subdistrict != subdistrict:
        raise BesideRefused(f"{what} is that of {begin.subdistrict}, not of {subdistrict}.")
    if begin.position > head.position:
        raise BesideRefused(
            f"{what} was taken at event {begin.position:,}, the log here ends at {head.position:,}. Export both anew."
        )
    known = (
        await log.hash_at(connection, subdistrict, begin.position) if begin.position else log.first_hash(subdistrict)
    )
    if known is None or known.hex() != begin.hash:
        raise BesideRefused(f"{what} was taken beside another log: its event {begin.position:,} has another hash.")
    if begin.position < head.position and not older:
        raise BesideRefused(
            f"{what} was taken at event {begin.position:,}, and the log goes on to {head.position:,}: what was written"
            " since is missing in it, and what was erased since would come back. Export both anew, or say --older."
        )


def _rows(numbered: Iterator[tuple[int, bytes]], table: Beside[R], head: int) -> Iterator[R]:
    """What is to be kept, up to the last line, which must tell of as many as there were. Raises `LineRefused`."""
    number = 1
    for number, line in numbered:
        if line.startswith(_END):
            if _decoded(number, line, End).rows == number - 2 and next(numbered, None) is None:
                return
            raise LineRefused(number, "this is not where the file ends: lines are missing, or more follow.")
        row = table.prepared(_decoded(number, line, table.row), head)
        if isinstance(row, str):
            raise LineRefused(number, row)
        if row is not None:
            yield row
    raise LineRefused(number + 1, "the file is cut short. Export it anew.")


def _decoded(number: int, line: bytes, type_: type[R]) -> R:
    try:
        return msgspec.json.decode(line, type=type_)
    except msgspec.MsgspecError as error:
        raise LineRefused(number, f"this is no line of such a file: {error}. Export it anew.") from error

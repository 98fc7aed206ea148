"""Out of a file into the log, page by page, behind what is there already and is the same.

Writes as a desk does: under the log's lock, by the log's own append, in the role that may only append.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from booking import log
from booking.codec import Codec, UnknownEvent
from booking.messages import unique
from booking.transfer.lines import LineRefused, chained
from booking.writer import Writer, is_passing

ROWS_AT_ONCE = 500
"""A transaction of so many takes some 20 ms."""
BYTES_AT_ONCE = 8 << 20


class ImportStopped(Exception):
    """The database was lost, or did not take it. What was told to be in is in: start the same import again."""


class Came(NamedTuple):
    """How many lines there were, and how many of them the log had already."""

    lines: int
    there: int


class Tagged(NamedTuple):
    """A row, and the tags of the event in it."""

    row: log.Row
    tags: tuple[str, ...]


class _Envelope(msgspec.Struct, frozen=True):
    """Where an event says that it belongs."""

    subdistrict: str
    position: int


async def import_log(
    writer: Writer, codec: Codec, lines: Iterable[bytes], on_page: Callable[[int], None] = lambda _: None
) -> Came:
    """Append the lines that the log does not have yet; `on_page` gets how many lines are in.

    What is appended is what `lines` has, byte for byte, and only while each line follows from all before it. Raises
    `LineRefused` for the first line that cannot follow, with all before it in the log; `ImportStopped`.
    """
    return await _Import(writer, codec, on_page).run(lines)


class _Import:
    """One run over the lines."""

    def __init__(self, writer: Writer, codec: Codec, on_page: Callable[[int], None]) -> None:
        self._writer = writer
        self._codec = codec
        self._on_page = on_page
        self._lines = self._there = 0
        self._decoder = msgspec.json.Decoder(_Envelope)

    async def run(self, lines: Iterable[bytes]) -> Came:
        page: list[Tagged] = []
        size = 0
        try:
            for row in chained(self._codec.subdistrict, lines):
                page.append(Tagged(row, self._tags(row)))
                size += len(row.data)
                if len(page) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                    await self._take(page)
                    page, size = [], 0
        except LineRefused:
            # All that stands before it is sound: with the rest mended, the import goes on from there.
            await self._take(page)
            raise
        await self._take(page)
        return Came(self._lines, self._there)

    def _tags(self, row: log.Row) -> tuple[str, ...]:
        """The event's tags, by the program that will read it. Raises `LineRefused` where it cannot."""
        try:
            envelope = self._decoder.decode(row.data)
            belongs = (envelope.subdistrict, envelope.position) == (self._codec.subdistrict, row.position)
            if not belongs:
                raise LineRefused(row.position, f"the event is that of {envelope.subdistrict} at {envelope.position}.")
            return unique(self._codec.decode(row.data).tags())
        except UnknownEvent as unknown:
            why = f"this linyue does not know {unknown}: a newer one wrote it. Import with one that is as new."
            raise LineRefused(row.position, why) from unknown
        except msgspec.MsgspecError as error:
            raise LineRefused(row.position, f"it cannot be read as an event: {error}") from error

    async def _take(self, page: list[Tagged]) -> None:
        """One transaction: what the log has already is the same, and the rest follows it."""
        if not page:
            return
        try:
            await self._append(page)
        except Exception as error:
            self._writer.drop()
            if is_passing(error):
                raise ImportStopped(f"{ImportStopped.__doc__} ({error!r})") from error
            raise
        self._lines += len(page)
        self._on_page(self._lines)

    async def _append(self, page: list[Tagged]) -> None:
        connection = await self._writer.begin()
        head = await log.head(connection, self._codec.subdistrict)
        known = [row for row, _ in page if row.position <= head.position]
        await self._compare(connection, known)
        entries = [log.Entry(row.position, row.data, tags) for row, tags in page[len(known) :]]
        after = await log.append(connection, self._codec.subdistrict, head, entries) if entries else None
        if not await self._writer.commit(connection, after):
            raise ImportStopped(ImportStopped.__doc__)
        self._there += len(known)

    async def _compare(self, connection: log.Connection, known: list[log.Row]) -> None:
        """Raises `LineRefused` for the first of these rows that the log has otherwise: one hash stands for all."""
        subdistrict = self._codec.subdistrict
        if not known or await log.hash_at(connection, subdistrict, known[-1].position) == known[-1].hash:
            return
        rows = await log.follow(connection, subdistrict, known[0].position - 1, len(known))
        parted = next(ours.position for ours, theirs in zip(known, rows, strict=True) if ours.hash != theirs.hash)
        why = f"the log of {subdistrict} here has another event there. Import into a database without a log of it."
        raise LineRefused(parted, why)

"""Reads a log up to its head, then its tag index, in short statements and bounded memory, and proves both."""

from collections.abc import AsyncIterator, Callable

from booking import log
from booking.verify import reading
from booking.verify.bookings import Bookings
from booking.verify.chain import Chain, Envelopes
from booking.verify.index import STRETCH, STRETCHES_EXAMINED_MAX, Differences, Sums
from booking.verify.report import FINDINGS_OF_A_KIND_MAX, Checkpoint, Findings, Progress, Report, proved

EVENTS_AT_ONCE = 1_000
TAGS_AT_ONCE = 5_000
UNREADABLE_MAX = 1_000
"""Events whose tags nobody can tell, and whose rows in the index are therefore let be; more are not kept in memory."""

OnProgress = Callable[[Progress], None]

_BEFORE_ALL_TAGS = ("", -(2**63))
_BOOKING = "booking:"


async def verify(
    connection: log.Connection, subdistrict: str, on_progress: OnProgress, checkpoint: Checkpoint | None = None
) -> Report:
    """Prove a subdistrict's log up to the head that it has now; what is appended meanwhile is left to the next proof.

    Only reads, as any role that may read the log; with `log.WRITER_SETTINGS` it reads by index, whatever the statistics
    say. `checkpoint` is one that an earlier report gave, kept elsewhere.
    """
    return await _Proof(connection, subdistrict, on_progress, checkpoint).run()


class _Proof:
    """One run over one log."""

    def __init__(
        self, connection: log.Connection, subdistrict: str, on_progress: OnProgress, checkpoint: Checkpoint | None
    ) -> None:
        self._connection = connection
        self._subdistrict = subdistrict
        self._on_progress = on_progress
        self._checkpoint = checkpoint
        self._checkpoint_met = checkpoint is None
        self._findings = Findings()
        self._chain = Chain(subdistrict, self._findings)
        self._envelopes = Envelopes(subdistrict, self._findings)
        self._bookings = Bookings(self._findings)
        self._sums = Sums()
        self._makings = _Makings()
        self._unreadable: set[int] = set()
        self._events = 0
        self._head = 0

    async def run(self) -> Report:
        self._head = (await log.head(self._connection, self._subdistrict)).position
        self._meet_checkpoint()
        async for rows in self._pages(0, self._head):
            for row in rows:
                self._take(row)
            self._on_progress(Progress("events", self._chain.position, self._head))
        self._bookings.settle()
        self._miss_checkpoint()
        await self._prove_index()
        return self._report()

    def _take(self, row: log.Row) -> None:
        self._events += 1
        if not self._chain.link(row):
            self._bookings.interrupt()
        self._meet_checkpoint()
        try:
            decoded = reading.plain(row.data)
            if reading.canonical(decoded) != row.data:
                self._findings.add(row.position, "bytes", "the bytes are not canonical JSON")
            event, tags = reading.event(decoded), reading.tags(decoded)
        except reading.UNREADABLE as error:
            self._cannot_read(row.position, error)
            if len(self._unreadable) < UNREADABLE_MAX:
                self._unreadable.add(row.position)
            return
        self._sums.expect(row.position, tags)
        self._envelopes.check(row.position, event)
        try:
            if self._bookings.replay(row.position, event):
                self._makings.mark(row.position)
        except reading.UNREADABLE as error:
            self._cannot_read(row.position, error)

    def _cannot_read(self, position: int, error: Exception) -> None:
        self._bookings.interrupt()
        self._findings.add(position, "form", f"it cannot be read as an event: {type(error).__name__}: {error}")

    def _meet_checkpoint(self) -> None:
        known = self._checkpoint
        if known is None or known.position != self._chain.position:
            return
        self._checkpoint_met = True
        if known.hash != self._chain.hash.hex():
            self._findings.add(known.position, "checkpoint", "the hash was another when the checkpoint was taken")

    def _miss_checkpoint(self) -> None:
        if self._checkpoint is None or self._checkpoint_met:
            return
        last, known = self._chain.position, self._checkpoint.position
        position = min(last + 1, known)
        self._findings.add(position, "checkpoint", f"the log reached {known} when the checkpoint was taken, now {last}")

    async def _prove_index(self) -> None:
        head, seen = self._head, 0
        async for rows in self._index_pages():
            if any(position > head for _, position in rows):
                # A row is written with its event, so an event that was appended meanwhile is there by now.
                head = (await log.head(self._connection, self._subdistrict)).position
            for tag, position in rows:
                self._see(tag, position, head)
            seen += len(rows)
            self._on_progress(Progress("tags", seen, max(seen, self._sums.tags)))
        await self._examine(self._sums.disagreeing())
        await self._prove_makings()

    def _see(self, tag: str, position: int, head: int) -> None:
        if not 0 < position <= head:
            self._findings.add(position, "tag_added", f"the index has a row {tag} where the log has no event")
        elif position <= self._head and position not in self._unreadable:
            self._sums.see(position, tag)
            self._makings.see(tag, position)

    async def _examine(self, stretches: list[int]) -> None:
        """Look row by row at the stretches whose sums say that events and index differ."""
        if not stretches:
            return
        differences = Differences(stretches[:STRETCHES_EXAMINED_MAX])
        for stretch in sorted(differences.stretches):
            async for events in self._pages(stretch * STRETCH - 1, min((stretch + 1) * STRETCH - 1, self._head)):
                for row in (row for row in events if row.position not in self._unreadable):
                    differences.expect(row.position, _tags_of(row))
        async for rows in self._index_pages():
            for tag, position in rows:
                if position <= self._head and position not in self._unreadable:
                    differences.see(position, tag)
        differences.report(self._findings)
        for stretch in stretches[STRETCHES_EXAMINED_MAX:]:
            first = stretch * STRETCH
            self._findings.add(first, "tags", f"index and events differ between here and {first + STRETCH - 1}")

    async def _prove_makings(self) -> None:
        """What the index has under one booking is looked up: where it is wrong, it proves nothing of the booking."""
        for booking, first, again in self._makings.twice:
            rows = await log.at_positions(self._connection, self._subdistrict, (first, again))
            if all(reading.plain(row.data)["data"].get("booking") == booking for row in rows):
                self._findings.add(again, "booking", f"{booking} was made before, at {first}")

    async def _pages(self, after: int, up_to: int) -> AsyncIterator[list[log.Row]]:
        """The events after a position and up to another."""
        while after < up_to:
            rows = await log.follow(self._connection, self._subdistrict, after, min(EVENTS_AT_ONCE, up_to - after))
            if not rows:
                return
            after = rows[-1].position
            yield [row for row in rows if row.position <= up_to]

    async def _index_pages(self) -> AsyncIterator[list[tuple[str, int]]]:
        after = _BEFORE_ALL_TAGS
        while rows := await log.tags_after(self._connection, self._subdistrict, after, TAGS_AT_ONCE):
            after = rows[-1]
            yield rows

    def _report(self) -> Report:
        return Report(
            subdistrict=self._subdistrict,
            ok=self._findings.count == 0,
            checkpoint=Checkpoint(self._chain.position, self._chain.hash.hex()),
            events=self._events,
            tags=self._sums.tags,
            bookings=self._bookings.made,
            proved=proved(self._findings.kinds(), self._events, self._sums.tags, self._bookings.made, self._checkpoint),
            findings=self._findings.in_order(),
            found=self._findings.count,
        )


class _Makings:
    """Which events make a booking, one bit for each: with the index, which is ordered by tag, that none is made twice.

    `Bookings` has forgotten one that was over long ago; this has not.
    """

    def __init__(self) -> None:
        self.twice: list[tuple[str, int, int]] = []
        self._bits = bytearray()
        self._booking = ""
        self._first = 0

    def mark(self, position: int) -> None:
        self._bits.extend(bytes(max(0, position // 8 + 1 - len(self._bits))))
        self._bits[position // 8] |= 1 << position % 8

    def see(self, tag: str, position: int) -> None:
        """A row of the index, in the index's order."""
        if not tag.startswith(_BOOKING) or position // 8 >= len(self._bits):
            return
        if not self._bits[position // 8] >> position % 8 & 1:
            return
        booking = tag.removeprefix(_BOOKING)
        if booking != self._booking:
            self._booking, self._first = booking, position
        elif len(self.twice) < FINDINGS_OF_A_KIND_MAX:
            self.twice.append((booking, self._first, position))


def _tags_of(row: log.Row) -> frozenset[str]:
    return reading.tags(reading.plain(row.data))

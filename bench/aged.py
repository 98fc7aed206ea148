"""A log that has grown old: what the same load as the desk's would have left behind after so many events.

Written past the desk, with the codec's bytes, the chain and the tags that a desk would write: `verify` finds it sound.
A slot is booked 1 to 12 days ahead; of ten people eight come, one gives it up and one stays away.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count, islice
from typing import NamedTuple

import asyncpg
from bench.ground import BenchDatabases
from bench.load import FIRST_DAY, SLOTS_A_DAY, SUBDISTRICT, Spread, crowd

from booking import log, subjects
from booking.codec import Codec
from booking.messages import Event, Recorded, unique
from booking.reservations.events import (
    BookingCancelled,
    BookingCheckedIn,
    BookingCompleted,
    BookingConfirmed,
    NoShowRecorded,
)
from booking.takes import Take

AT_ONCE = 20_000


class Happening(NamedTuple):
    """An event before it has its place in the log; `order` keeps those of one instant apart."""

    at: datetime
    order: int
    event: Event
    due: datetime | None = None


async def grow(database: BenchDatabases, events: int) -> Spread:
    """Fill an empty database's log up to so many events. Returns the plan that goes on where it ends."""
    plan = Spread()
    async with crowd(database, plan) as people:
        await people.open_up()
    connection = await asyncpg.connect(database.superuser)
    try:
        head = await log.head(connection, SUBDISTRICT)
        coming = islice(_entries(head.position, plan), max(0, events - head.position))
        while some := list(islice(coming, AT_ONCE)):
            head = await _copy(connection, head, some)
        await connection.execute("VACUUM (ANALYZE) booking.events, booking.event_tags")
    finally:
        await connection.close()
    return Spread(first=(plan.now - FIRST_DAY).days + 1)


async def _copy(connection: "asyncpg.Connection[asyncpg.Record]", head: log.Head, entries: list[log.Entry]) -> log.Head:
    hash_, rows = head.hash, []
    for entry in entries:
        hash_ = log.next_hash(hash_, entry.data)
        rows.append((SUBDISTRICT, entry.position, entry.data, hash_))
    tags = [(SUBDISTRICT, tag, entry.position) for entry in entries for tag in entry.tags]
    async with connection.transaction():
        await connection.copy_records_to_table("events", schema_name="booking", records=rows)
        await connection.copy_records_to_table("event_tags", schema_name="booking", records=sorted(tags))
    return log.Head(entries[-1].position, hash_, entries[-1].data)


def _entries(after: int, plan: Spread) -> Iterator[log.Entry]:
    codec = Codec(SUBDISTRICT, subjects.EVENTS, subjects.UPCASTERS)
    for position, (at, _, event, due) in enumerate(_happenings(plan), after + 1):
        recorded = Recorded(
            position=position, at=at, due=due, command=f"{position:032x}", n=0, actor="system", role="system",
            channel="import", rules=2, event=event,
        )  # fmt: skip
        yield log.Entry(position, codec.encode(recorded), unique(event.tags()))


def _happenings(plan: Spread) -> Iterator[Happening]:
    """Bookings as they are made, and between them what becomes of earlier ones, in order."""
    coming: list[Happening] = []
    taken: set[tuple[int, int, int]] = set()
    for order in count(0, 10):
        room, day, hour, person = next(plan)
        if (room, day, hour) in taken:
            continue
        taken.add((room, day, hour))
        now = plan.now.astimezone(UTC)
        while coming and coming[0].at <= now:
            yield heappop(coming)
        yield from _booked(order, now, room, FIRST_DAY + timedelta(days=day, hours=hour), person, coming)
        if len(taken) > 40 * SLOTS_A_DAY:
            taken = {slot for slot in taken if slot[1] >= day - 14}


def _booked(
    order: int, now: datetime, room: int, local: datetime, person: int, coming: list[Happening]
) -> Iterator[Happening]:
    start, days = local.astimezone(UTC), (f"{local:%Y-%m-%d}",)
    end = start + timedelta(hours=1)
    booking, who, resource = f"{order:020d}", f"person{person:014d}", f"floor-{room:03d}"
    made = BookingConfirmed(
        booking=booking, room=f"room-{room:03d}", station=f"station-{room % 20:02d}", use="书画", units=1, start=start,
        end=end, held_until=end, takes=(Take(resource=resource),), days=days, person=who, grace_minutes=15, attendees=4,
    )  # fmt: skip
    yield Happening(now, order, made)
    of = {"booking": booking, "room": made.room, "person": who}
    lot = order // 10 % 10
    if lot == 0:
        given_up = BookingCancelled(**of, resources=(resource,), days=days, reason="changed_plans")
        heappush(coming, Happening(start - timedelta(hours=2), order + 1, given_up))
    elif lot == 1:
        due = start + timedelta(minutes=15)
        heappush(coming, Happening(due, order + 1, NoShowRecorded(**of), due))
    else:
        came = BookingCheckedIn(**of, resources=(resource,), days=days)
        heappush(coming, Happening(start - timedelta(minutes=5), order + 1, came))
        heappush(coming, Happening(end, order + 2, BookingCompleted(**of), end))

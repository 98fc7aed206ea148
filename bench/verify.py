"""How much longer a log takes to prove than to read, on a log of as many events as one likes.

`python bench/verify.py [EVENTS]` starts a PostgreSQL of its own in a temporary folder and writes a history of 40 rooms
into it: each slot is booked the day before by three people, who cancel, come or stay away, and a fourth is refused.
Then it reads the log, proves it, and prints both.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from booking import log, subjects
from booking.codec import Codec
from booking.messages import Event, Reason, Recorded, unique
from booking.places.events import ResourceOpened, RoomDefinition, RoomOpened, SubdistrictOpened, Use
from booking.reservations.events import (
    BookingCancelled,
    BookingCheckedIn,
    BookingCompleted,
    BookingConfirmed,
    BookingRefused,
    NoShowRecorded,
)
from booking.takes import Take
from booking.verify import verify
from linyue.postgres import EmbeddedServer, migrate

SUBDISTRICT = "bench"
ROOMS = 40
SLOTS = 12
UNITS = 3
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
APPENDED_AT_ONCE = 1_000
READ_AT_ONCE = 1_000


class Happening(NamedTuple):
    """An event before it has its place in the log."""

    at: datetime
    event: Event
    due: datetime | None = None


def history() -> Iterator[Happening]:
    """Day after day without end, in order: today's visits and tomorrow's bookings."""
    yield Happening(FIRST_DAY, SubdistrictOpened(name="bench", time_zone="UTC"))
    for room in range(ROOMS):
        yield from opening(room)
    today: list[Happening] = []
    for day in count():
        morning = FIRST_DAY + timedelta(days=day, hours=9)
        tomorrow: list[Happening] = []
        for room in range(ROOMS):
            for slot in range(SLOTS):
                made, visits = booked(room, morning + timedelta(days=1, hours=slot))
                today += made
                tomorrow += visits
        yield from sorted(today, key=lambda happening: happening.at)
        today = tomorrow


def opening(room: int) -> Iterator[Happening]:
    use = Use(use="乒乓球", takes=(Take(resource=f"tables-{room}"),), units=UNITS)
    definition = RoomDefinition(name=f"room {room}", station="station", space="space", uses=(use,))
    yield Happening(
        FIRST_DAY, ResourceOpened(resource=f"tables-{room}", station="station", name="tables", capacity=UNITS)
    )
    yield Happening(FIRST_DAY, RoomOpened(room=f"room-{room}", definition=definition))


def booked(room: int, start: datetime) -> tuple[list[Happening], list[Happening]]:
    """What the bookings of one slot bring about the day before, and on the day."""
    before: list[Happening] = []
    on_the_day: list[Happening] = []
    asked = start - timedelta(days=1, minutes=start.minute + room)
    end = start + timedelta(hours=1)
    for unit in range(UNITS):
        booking = f"{room:02d}{start:%y%m%d%H}{unit}"
        who: dict[str, Any] = {
            "booking": booking,
            "room": f"room-{room}",
            "person": f"p{(room * 7 + start.hour + unit) % 997:03d}",
        }
        made = BookingConfirmed(
            station="station", use="乒乓球", units=1, start=start, end=end, held_until=end, grace_minutes=15,
            takes=(Take(resource=f"tables-{room}"),), days=(f"{start:%Y-%m-%d}",), **who,
        )  # fmt: skip
        before.append(Happening(asked, made))
        touching: dict[str, Any] = {"resources": (f"tables-{room}",), "days": made.days, **who}
        # Of ten, seven come, two give it up, and one stays away.
        lot = (room + start.hour + start.day + unit * 3) % 10
        if lot < 7:
            on_the_day.append(Happening(start - timedelta(minutes=5), BookingCheckedIn(**touching)))
            on_the_day.append(Happening(end, BookingCompleted(**who), due=end))
        elif lot < 9:
            on_the_day.append(
                Happening(start - timedelta(hours=1), BookingCancelled(reason="changed_plans", **touching))
            )
        else:
            due = start + timedelta(minutes=15)
            on_the_day.append(Happening(due, NoShowRecorded(**who), due=due))
    refused = BookingRefused(
        room=f"room-{room}", use="乒乓球", units=1, start=start, end=end, person="p999", day=f"{start:%Y-%m-%d}",
        reasons=(Reason(rule="slot_taken", limit=UNITS, actual=UNITS),),
    )  # fmt: skip
    return [*before, Happening(asked, refused)], on_the_day


def entries(events: int) -> Iterator[log.Entry]:
    codec = Codec(SUBDISTRICT, subjects.EVENTS, subjects.UPCASTERS)
    for position, (at, event, due) in enumerate(islice(history(), events), 1):
        recorded = Recorded(
            position=position, at=at, due=due, command=f"{position:032x}", n=0, actor="system", role="system",
            channel="import", rules=0, event=event,
        )  # fmt: skip
        yield log.Entry(position, codec.encode(recorded), unique(event.tags()))


async def write(connection: log.Connection, events: int) -> int:
    head = await log.head(connection, SUBDISTRICT)
    coming = entries(events)
    while some := list(islice(coming, APPENDED_AT_ONCE)):
        head = await log.append(connection, SUBDISTRICT, head, some)
    return head.position


async def read_events(connection: log.Connection) -> int:
    position = 0
    while rows := await log.follow(connection, SUBDISTRICT, position, READ_AT_ONCE):
        position = rows[-1].position
    return position


async def read_tags(connection: log.Connection) -> int:
    after, seen = ("", 0), 0
    while rows := await log.tags_after(connection, SUBDISTRICT, after, READ_AT_ONCE):
        after, seen = rows[-1], seen + len(rows)
    return seen


async def prove(connection: log.Connection) -> int:
    report = await verify(connection, SUBDISTRICT, lambda _: None)
    if not report.ok:
        raise SystemExit(f"the history is not sound: {report.findings[:3]}")
    return report.events


async def timed(what: str, work: Callable[[], Awaitable[int]], per: str) -> float:
    """The seconds it took; the CPU of this process is printed beside, which says more on a busy machine."""
    began, began_busy = time.perf_counter(), time.process_time()
    done = await work()
    seconds, busy = time.perf_counter() - began, time.process_time() - began_busy
    print(
        f"{what:<26} {done:>10,} {per:<7} {seconds:8.1f} s  {busy:8.1f} s of CPU  {done / seconds:>9,.0f}/s", flush=True
    )
    return seconds


async def compare(address: str, events: int) -> None:
    connection = await asyncpg.connect(address, server_settings=dict(log.WRITER_SETTINGS))
    await timed("written, not by a desk", lambda: write(connection, events), "events")
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading = await timed("read: the events", lambda: read_events(connection), "events")
    reading += await timed("read: the tag index", lambda: read_tags(connection), "rows")
    proving = await timed("proved: events and index", lambda: prove(connection), "events")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before
    await connection.close()
    print(f"Proving takes {proving / reading:.1f} times as long as reading, and {memory / 1024:.0f} MiB more memory.")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("events", type=int, nargs="?", default=100_000, help="how many events the log has")
    events = arguments.parse_args().events
    with tempfile.TemporaryDirectory(prefix="linyue-bench-") as folder:
        server = EmbeddedServer(Path(folder), fsync=False)
        try:
            databases = server.start()
            asyncio.run(migrate(databases))
            asyncio.run(compare(databases.app, events))
        finally:
            server.stop()


if __name__ == "__main__":
    main()

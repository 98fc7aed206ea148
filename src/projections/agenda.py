"""What a person, a room or a station has before it: bookings and the instants of their lives, told as of `now`."""

import base64
import binascii
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from sqlalchemy import (
    TIMESTAMP,
    Column,
    ColumnElement,
    Date,
    Index,
    Integer,
    Interval,
    MetaData,
    Table,
    Text,
    any_,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.messages import Recorded, code_of, unique
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingCheckedIn,
    BookingConfirmed,
    BookingEnded,
    BookingExtended,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    Slot,
)
from booking.reservations.standing import LIVE, Life, Standing
from booking.reservations.states import life_after
from booking.vault import text_id
from projections import bulk
from projections.read_model import Followed, Memory, Question
from projections.reading import Snapshot

NAME = "agenda"
VERSION = "1"
TABLES = MetaData(schema=NAME)

PAGE_MAX = 200
# Of bookings looked at for one page: where few are in the states asked for, a page may end early, and `next` goes on.
LOOKED_AT_MAX = 1_000

_INSTANT = TIMESTAMP(timezone=True)

bookings = Table(
    "bookings",
    TABLES,
    Column("subdistrict", Text(collation="C"), primary_key=True),
    Column("booking", Text(collation="C"), primary_key=True),
    Column("code", Text(collation="C"), nullable=False),
    Column("room", Text(collation="C"), nullable=False),
    Column("station", Text(collation="C"), nullable=False),
    Column("use", Text, nullable=False),
    Column("units", Integer, nullable=False),
    Column("attendees", Integer),
    Column("person", Text(collation="C"), nullable=False),
    Column("booked_by", Text(collation="C"), nullable=False),
    # The local day of the start.
    Column("day", Date, nullable=False),
    Column("start", _INSTANT, nullable=False),
    Column("end", _INSTANT, nullable=False),
    Column("grace", Interval, nullable=False),
    # When it was booked, and since when it is where it is: a move begins its life anew.
    Column("booked_at", _INSTANT, nullable=False),
    Column("made_at", _INSTANT, nullable=False),
    Column("confirmed_at", _INSTANT),
    Column("checked_in_at", _INSTANT),
    Column("ended_at", _INSTANT),
    Column("ended_as", Text),
    Column("reason", Text),
    # Ids of texts in the vault.
    Column("purpose", Text),
    Column("note", Text),
)
Index("bookings_code", bookings.c.subdistrict, bookings.c.code)
Index("bookings_person", bookings.c.subdistrict, bookings.c.person, bookings.c.start, bookings.c.booking)
Index("bookings_room", bookings.c.subdistrict, bookings.c.room, bookings.c.start, bookings.c.booking)
Index("bookings_station", bookings.c.subdistrict, bookings.c.station, bookings.c.start, bookings.c.booking)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as it stands at the `now` it was asked for; instants in UTC.

    `due_at` and `becomes`: what befalls it if nobody does anything, None where its life was ended. `reason`: why it was
    cancelled or rejected. `purpose` and `note` are ids of texts in the vault, which may have been erased there.
    """

    id: str
    code: str
    room: str
    station: str
    use: str
    start: datetime
    end: datetime
    units: int
    attendees: int | None
    state: Standing
    person: str
    booked_by: str
    made_at: datetime
    confirmed_at: datetime | None
    checked_in_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    becomes: Standing | None
    reason: str | None
    purpose: str | None
    note: str | None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the bookings asked for; `next` is the cursor from which the others go on, None where there are none."""

    items: tuple[Item, ...]
    next: str | None


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: at most `limit` (and `PAGE_MAX`) after a cursor, by their starts."""

    after: str | None = None
    limit: int = PAGE_MAX
    newest_first: bool = False


FIRST_PAGE = Paging()


class NotACursor(ValueError):
    """This cursor was not given out here; begin without one."""


# What an event may change in a row that is there.
_MOVING = (
    "room", "station", "use", "units", "attendees", "day", "start", "end", "grace", "made_at",
    "confirmed_at", "checked_in_at", "ended_at", "ended_as", "reason", "note",
)  # fmt: skip
_KEEP = bulk.keeping(bookings, _MOVING)

Values = dict[str, Any]


async def apply(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
    """Write down what was made, and move on the lives that were touched."""
    touched = unique(e.recorded.event.booking for e in events if isinstance(e.recorded.event, (*_CHANGED, *_TOUCHING)))
    rows = await _rows(connection, subdistrict, touched)
    for event in events:
        match event.recorded.event:
            case BookingRequested() | BookingConfirmed() as made:
                rows[made.booking] = _made(subdistrict, made, event.recorded)
            case BookingRescheduled() | BookingExtended() as changed:
                rows[changed.booking] |= _slot(changed, event.recorded)
            case event_ if isinstance(event_, _TOUCHING):
                rows[event_.booking] |= _moved(rows[event_.booking], event_, event.recorded)
    if rows:
        await connection.execute(_KEEP, bulk.arrays(bookings, list(rows.values())))


async def booking(snapshot: Snapshot, id_: str, now: datetime) -> Item | None:
    """A booking; None where there is none of this id."""
    rows = await _rows(snapshot.connection, snapshot.subdistrict, [id_])
    return _item(rows[id_], snapshot.not_before(now)) if rows else None


async def by_code(snapshot: Snapshot, code: str, now: datetime) -> Item | None:
    """The booking that people call by these eight characters, however they write them.

    Where two bookings have the same: one that is live, then the one that was made last.
    """
    meant = code.upper().translate(_MISREAD)
    asked = select(bookings).where(bookings.c.subdistrict == snapshot.subdistrict, bookings.c.code == meant)
    now = snapshot.not_before(now)
    items = [_item(dict(row), now) for row in (await snapshot.connection.execute(asked)).mappings()]
    return max(items, key=lambda item: (item.state in LIVE, item.made_at), default=None)


# Codes have none of these letters; whoever reads one aloud means the digit (Crockford's base 32).
_MISREAD = str.maketrans("OIL", "011", "- ")


async def of_person(
    snapshot: Snapshot,
    person: str,
    now: datetime,
    *,
    states: Collection[Standing] | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    paging: Paging = FIRST_PAGE,
) -> Page:
    """The bookings for a person: all, or those in some states at `now`, or that start on some local days.

    Raises `NotACursor`.
    """
    return await _page(snapshot, bookings.c.person == person, now, _Span(states, first_day, last_day, paging))


async def of_room(
    snapshot: Snapshot,
    room: str,
    first_day: date,
    last_day: date,
    now: datetime,
    *,
    states: Collection[Standing] | None = None,
    paging: Paging = FIRST_PAGE,
) -> Page:
    """The bookings of a room that start from one local day to another, both included. Raises `NotACursor`."""
    return await _page(snapshot, bookings.c.room == room, now, _Span(states, first_day, last_day, paging))


async def of_station(
    snapshot: Snapshot,
    station: str,
    first_day: date,
    last_day: date,
    now: datetime,
    *,
    states: Collection[Standing] | None = None,
    paging: Paging = FIRST_PAGE,
) -> Page:
    """The bookings of all rooms of a station, as `of_room`: what its desk sees of a day."""
    return await _page(snapshot, bookings.c.station == station, now, _Span(states, first_day, last_day, paging))


class _Span(NamedTuple):
    """Which of somebody's bookings, and from where on."""

    states: Collection[Standing] | None
    first_day: date | None
    last_day: date | None
    paging: Paging

    def conditions(self, now: datetime) -> Iterable[ColumnElement[bool]]:
        if self.first_day:
            yield bookings.c.day >= self.first_day
        if self.last_day:
            yield bookings.c.day <= self.last_day
        if self.states is not None and LIVE.issuperset(self.states):
            # No booking is live after its end. The states themselves are judged by their lives alone.
            yield bookings.c.end > now
            yield bookings.c.ended_as.is_(None)
        if self.paging.after is not None:
            start, booking_ = _from_cursor(self.paging.after)
            place = tuple_(bookings.c.start, bookings.c.booking)
            passed = tuple_(literal(start, _INSTANT), literal(booking_))
            yield place < passed if self.paging.newest_first else place > passed


async def _page(snapshot: Snapshot, whose: ColumnElement[bool], now: datetime, span: _Span) -> Page:
    now, limit = snapshot.not_before(now), max(1, min(span.paging.limit, PAGE_MAX))
    looked_at_max = limit if span.states is None else LOOKED_AT_MAX
    order = (bookings.c.start, bookings.c.booking)
    asked = (
        select(bookings)
        .where(bookings.c.subdistrict == snapshot.subdistrict, whose, *span.conditions(now))
        .order_by(*(column.desc() if span.paging.newest_first else column for column in order))
        .limit(looked_at_max + 1)
    )
    rows = [dict(row) for row in (await snapshot.connection.execute(asked)).mappings()]
    items: list[Item] = []
    for looked_at, row in enumerate(rows):
        if len(items) == limit or looked_at == looked_at_max:
            return Page(items=tuple(items), next=_cursor(rows[looked_at - 1]))
        item = _item(row, now)
        if span.states is None or item.state in span.states:
            items.append(item)
    return Page(items=tuple(items), next=None)


def _cursor(row: Values) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((row["start"], row["booking"]))).decode()


# Whoever makes one up gets no further than here: the database takes no instant without a zone, and no NUL.
_Cursor = tuple[Annotated[datetime, msgspec.Meta(tz=True)], Annotated[str, msgspec.Meta(pattern="^[0-9a-z]+$")]]


def _from_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        start, booking_ = msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode()), type=_Cursor)
        return start.astimezone(UTC), booking_
    except (binascii.Error, UnicodeError, OverflowError, msgspec.MsgspecError) as error:
        raise NotACursor(cursor[:100]) from error


Touching = BookingApproved | BookingRejected | BookingCancelled | BookingCheckedIn | BookingEnded
_TOUCHING = (BookingApproved, BookingRejected, BookingCancelled, BookingCheckedIn, BookingEnded)
_CHANGED = (BookingRescheduled, BookingExtended)
_ENDING = (BookingRejected, BookingCancelled)


def _made(subdistrict: str, made: BookingRequested | BookingConfirmed, recorded: Recorded) -> Values:
    return {
        "subdistrict": subdistrict,
        "booking": made.booking,
        "code": code_of(made.booking),
        "person": made.person,
        "booked_by": recorded.actor,
        "booked_at": recorded.at,
        "purpose": text_id(recorded.command, "purpose") if made.purpose else None,
        "reason": None,
        "note": None,
    } | _slot(made, recorded)


def _slot(slot: Slot, recorded: Recorded) -> Values:
    """What every event that says the whole of a booking says of it."""
    return {
        "room": slot.room,
        "station": slot.station,
        "use": slot.use,
        "units": slot.units,
        "attendees": slot.attendees,
        "day": date.fromisoformat(slot.days[0]),
    } | msgspec.structs.asdict(life_after(None, recorded))


def _moved(row: Values, touching: Touching, recorded: Recorded) -> Values:
    moved = msgspec.structs.asdict(life_after(_life(row), recorded))
    if getattr(touching, "note", None):
        moved["note"] = text_id(recorded.command, "note")
    if isinstance(touching, _ENDING):
        moved["reason"] = touching.reason
    return moved


def _life(row: Values) -> Life:
    return Life(**{name: row[name] for name in Life.__struct_fields__})


def _item(row: Values, now: datetime) -> Item:
    life = _life(row)
    due_at, becomes = life.due() or (None, None)
    told = {name: row[name] for name in Item.__struct_fields__ if name in row} | {"made_at": row["booked_at"]}
    return Item(**told, id=row["booking"], state=life.standing(now), due_at=due_at, becomes=becomes)


# By primary key, all in one statement.
async def _rows(connection: AsyncConnection, subdistrict: str, ids: Iterable[str]) -> dict[str, Values]:
    wanted = list(ids)
    if not wanted:
        return {}
    asked = select(bookings).where(
        bookings.c.subdistrict == subdistrict, bookings.c.booking == any_(literal(wanted, ARRAY(Text)))
    )
    return {row["booking"]: dict(row) for row in (await connection.execute(asked)).mappings()}


QUESTION = Question(name=NAME, version=VERSION, tables=TABLES, apply=apply)

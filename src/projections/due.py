"""What has fallen due by now, and is not recorded yet: what the scheduler has to see to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, cast

import msgspec
from sqlalchemy import TIMESTAMP, Column, ColumnElement, Index, MetaData, Table, Text, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.messages import Event
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingCheckedIn,
    BookingCompleted,
    BookingConfirmed,
    BookingEnded,
    BookingExpired,
    BookingExtended,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    NoShowRecorded,
)
from booking.reservations.standing import Life, Standing
from booking.reservations.states import life_after
from projections import bulk
from projections.read_model import Followed, Memory, Question
from projections.reading import Snapshot

NAME = "due"
VERSION = "1"
TABLES = MetaData(schema=NAME)

bookings = Table(
    "bookings",
    TABLES,
    Column("subdistrict", Text(collation="C"), primary_key=True),
    Column("booking", Text(collation="C"), primary_key=True),
    Column("due_at", TIMESTAMP(timezone=True), nullable=False),
    Column("becomes", Text, nullable=False),
    Column("life", Text, nullable=False),
)
Index("bookings_due", bookings.c.subdistrict, bookings.c.due_at, bookings.c.booking)

_KEEP = bulk.keeping(bookings, ("due_at", "becomes", "life"))
_LIVES = msgspec.json.Decoder(Life)
_MADE = (BookingRequested, BookingConfirmed)
_TOUCHING = (
    BookingApproved, BookingRejected, BookingCancelled, BookingCheckedIn, BookingRescheduled, BookingExtended,
)  # fmt: skip
_OVER = (BookingCompleted, NoShowRecorded, BookingExpired, BookingEnded)


class Due(NamedTuple):
    """A booking whose time has come: what it became at `due_at`."""

    booking: str
    due_at: datetime
    becomes: Standing


async def apply(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
    """What is due of each booking moves with its life; what was ended or is recorded is not due any more."""
    concerned = [event.recorded for event in events if isinstance(event.recorded.event, _MADE + _TOUCHING + _OVER)]
    lives: dict[str, Life | None] = dict(await _lives(connection, subdistrict, {_booking(r.event) for r in concerned}))
    for recorded in concerned:
        booking = _booking(recorded.event)
        if isinstance(recorded.event, _OVER):
            lives[booking] = None
        elif isinstance(recorded.event, _MADE) or lives.get(booking):
            # One that is gone from here was ended before, and nothing makes it due again.
            lives[booking] = life_after(lives.get(booking), recorded)
    await _keep(connection, subdistrict, lives)


async def by(snapshot: Snapshot, now: datetime, limit: int) -> list[Due]:
    """What has fallen due by `now`, the longest due first."""
    asked = (
        select(bookings.c.booking, bookings.c.due_at, bookings.c.becomes)
        .where(bookings.c.subdistrict == snapshot.subdistrict, bookings.c.due_at <= now)
        .order_by(bookings.c.due_at, bookings.c.booking)
        .limit(limit)
    )
    return [Due(*row) for row in await snapshot.connection.execute(asked)]


async def _keep(connection: AsyncConnection, subdistrict: str, lives: dict[str, Life | None]) -> None:
    rows = [
        {
            "subdistrict": subdistrict,
            "booking": booking,
            "due_at": due[0],
            "becomes": due[1],
            "life": msgspec.json.encode(life).decode(),
        }
        for booking, life in lives.items()
        if life and (due := life.due())
    ]
    if rows:
        await connection.execute(_KEEP, bulk.arrays(bookings, rows))
    gone = [booking for booking, life in lives.items() if life is None or life.due() is None]
    if gone:
        await connection.execute(delete(bookings).where(*_these(subdistrict, gone)))


async def _lives(connection: AsyncConnection, subdistrict: str, ids: set[str]) -> dict[str, Life]:
    if not ids:
        return {}
    asked = select(bookings.c.booking, bookings.c.life).where(*_these(subdistrict, ids))
    return {booking: _LIVES.decode(life) for booking, life in await connection.execute(asked)}


def _these(subdistrict: str, ids: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    return bookings.c.subdistrict == subdistrict, bookings.c.booking == any_(literal(list(ids), ARRAY(Text)))


def _booking(event: Event) -> str:
    return cast(str, event.booking)  # type: ignore[attr-defined]


QUESTION = Question(name=NAME, version=VERSION, tables=TABLES, apply=apply)

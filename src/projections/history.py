"""What happened, to a booking, a room, a person or at all: every event, found by whom and what it is about."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.codec import Envelope
from booking.log import first_hash
from booking.messages import Channel, Event, Role, unique
from booking.reservations.events import BookingRescheduled
from projections import bulk
from projections.read_model import Followed, Memory, Question
from projections.reading import Snapshot

NAME = "history"
VERSION = "1"
TABLES = MetaData(schema=NAME)

ROWS_MAX = 500

events_ = Table(
    "events",
    TABLES,
    Column("subdistrict", Text(collation="C"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("at", TIMESTAMP(timezone=True), nullable=False),
    Column("due", TIMESTAMP(timezone=True)),
    Column("type", Text(collation="C"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("command", Text(collation="C"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("cause", Text(collation="C")),
    Column("actor", Text(collation="C"), nullable=False),
    Column("for_person", Text(collation="C")),
    Column("role", Text(collation="C"), nullable=False),
    Column("channel", Text(collation="C"), nullable=False),
    Column("rules", BigInteger, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    # As it was written, whatever the program makes of it today.
    Column("data", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # What it is about.
    Column("booking", Text(collation="C")),
    Column("room", Text(collation="C")),
    Column("person", Text(collation="C")),
    # The room that a booking left for another one.
    Column("left_room", Text(collation="C")),
)
for _name in ("booking", "room", "person", "actor", "type", "left_room"):
    _column = events_.c[_name]
    Index(f"events_{_name}", events_.c.subdistrict, _column, events_.c.position, postgresql_where=_column.is_not(None))

_INSERTION = bulk.insertion(events_)
_ENVELOPES = msgspec.json.Decoder(Envelope)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was written; instants in UTC, hashes in hex. `for_person` is on whose behalf the actor asked.

    `due`: since when it was in force, where that is before `at`. `cause`: the position or the tick that led to it.
    """

    position: int
    at: datetime
    due: datetime | None
    type: str
    version: int
    command: str
    n: int
    cause: str | None
    actor: str
    for_person: str | None
    role: Role
    channel: Channel
    rules: int
    tags: tuple[str, ...]
    data: dict[str, Any]
    prev_hash: str
    hash: str
    booking: str | None
    room: str | None
    person: str | None


async def apply(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
    """Write down each event."""
    await connection.execute(_INSERTION, bulk.arrays(events_, [_values(subdistrict, event) for event in events]))


async def of_booking(snapshot: Snapshot, booking: str, *, after: int = 0, limit: int = ROWS_MAX) -> list[Row]:
    """What happened to a booking, and what was refused of it, oldest first."""
    return await events(snapshot, after, limit, booking=booking)


async def of_room(snapshot: Snapshot, room: str, *, after: int = 0, limit: int = ROWS_MAX) -> list[Row]:
    """What happened to a room and to what was booked in it, oldest first."""
    return await events(snapshot, after, limit, room=room)


async def of_person(snapshot: Snapshot, person: str, *, after: int = 0, limit: int = ROWS_MAX) -> list[Row]:
    """What happened to a person's bookings, whoever asked for it, oldest first."""
    return await events(snapshot, after, limit, person=person)


async def events(
    snapshot: Snapshot,
    after: int,
    limit: int,
    *,
    room: str | None = None,
    person: str | None = None,
    booking: str | None = None,
    type: str | None = None,  # noqa: A002
    actor: str | None = None,
) -> list[Row]:
    """The events after a position that are about all of what is named, oldest first; at most `ROWS_MAX`."""
    named = {"room": room, "person": person, "booking": booking, "type": type, "actor": actor}
    before = events_.alias("before")
    asked = (
        select(events_, before.c.hash.label("prev_hash"))
        .outerjoin(
            before, and_(before.c.subdistrict == events_.c.subdistrict, before.c.position == events_.c.position - 1)
        )
        .where(events_.c.subdistrict == snapshot.subdistrict, events_.c.position > after, *_about(named))
        .order_by(events_.c.position)
        .limit(max(1, min(limit, ROWS_MAX)))
    )
    rows = (await snapshot.connection.execute(asked)).mappings()
    return [_row(dict(row), snapshot.subdistrict) for row in rows]


def _about(named: Mapping[str, str | None]) -> list[ColumnElement[bool]]:
    return [_is_about(name, value) for name, value in named.items() if value is not None]


def _is_about(name: str, value: str) -> ColumnElement[bool]:
    about = events_.c[name] == value
    return or_(about, events_.c.left_room == value) if name == "room" else about


def _row(row: dict[str, Any], subdistrict: str) -> Row:
    told = {name: row[name] for name in Row.__struct_fields__}
    told["tags"] = tuple(row["tags"])
    told["hash"] = row["hash"].hex()
    told["prev_hash"] = (row["prev_hash"] or first_hash(subdistrict)).hex()
    return Row(**told)


def _values(subdistrict: str, followed: Followed) -> dict[str, Any]:
    envelope, event = _ENVELOPES.decode(followed.data), followed.recorded.event
    return {
        "subdistrict": subdistrict,
        "position": envelope.position,
        "at": envelope.at,
        "due": envelope.due,
        "type": envelope.type,
        "version": envelope.version,
        "command": envelope.command,
        "n": envelope.n,
        "cause": None if envelope.cause is None else str(envelope.cause),
        "actor": envelope.actor,
        "for_person": envelope.for_person,
        "role": envelope.role,
        "channel": envelope.channel,
        "rules": envelope.rules,
        "tags": bulk.text_array(unique(event.tags())),
        "data": bytes(envelope.data).decode(),
        "hash": followed.hash,
        "booking": getattr(event, "booking", None),
        "room": getattr(event, "room", None),
        "person": getattr(event, "person", None),
        "left_room": _left_room(event),
    }


def _left_room(event: Event) -> str | None:
    left = event.left.room if isinstance(event, BookingRescheduled) else None
    return left if left != getattr(event, "room", None) else None


QUESTION = Question(name=NAME, version=VERSION, tables=TABLES, apply=apply)

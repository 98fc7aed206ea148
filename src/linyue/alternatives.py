"""What could be had instead: the nearest free times in the same room, and other rooms that serve for the same. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from booking.local_time import Interval, grid
from projections.grid import Board, hours_of

MOST = 5
# How many days after the one asked for are looked at.
DAYS_AFTER = 3
# Another room is as far as an hour, another station as two.
OTHER_ROOM = timedelta(hours=1)
OTHER_STATION = timedelta(hours=2)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The slot that could not be had."""

    room: str
    use: str
    slot: Interval
    units: int = 1
    attendees: int | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that could be had: `free` units of it, for as long as was asked."""

    room: str
    use: str
    start: datetime
    end: datetime
    free: int


def nearest(asked: Asked, same_room: Board, same_use: Board, most: int = MOST) -> list[Alternative]:
    """The nearest slots that a request for as many units and as long would get, nearest first.

    `same_room` knows the room on the day asked for and some after it, `same_use` every room with that use on that day.
    """
    found: list[tuple[timedelta, datetime, str, Alternative]] = []
    for board, rooms in ((same_room, (asked.room,)), (same_use, _others(asked, same_use))):
        for room in rooms:
            # The same time in another room is one slot; the same room has all of its days'.
            slots = _slots(asked, board, room) if room == asked.room else [_fitted(asked, board, room)]
            far = _distance(asked, board, same_use, room)
            for slot in filter(None, slots):
                alternative = _judged(asked, board, room, slot)
                if alternative is not None:
                    found.append((far + abs(slot.start - asked.slot.start), slot.start, room, alternative))
    return [alternative for *_, alternative in sorted(found, key=lambda item: item[:3])[:most]]


def _others(asked: Asked, same_use: Board) -> Iterable[str]:
    return [room for room in same_use.rooms if room != asked.room]


def _distance(asked: Asked, board: Board, same_use: Board, room: str) -> timedelta:
    if room == asked.room:
        return timedelta()
    own, other = same_use.rooms.get(asked.room), board.rooms[room]
    stations = {known.definition.station for known in (own, other) if known and known.definition}
    return OTHER_ROOM if len(stations) == 1 else OTHER_STATION


def _slots(asked: Asked, board: Board, room: str) -> Iterator[Interval]:
    """Every slot of the room's days as long as was asked, in whole steps of its grid, but the one asked for."""
    definition = board.rooms[room].definition if room in board.rooms else None
    use = definition.use_named(asked.use) if definition else None
    if definition is None or use is None:
        return
    length = _length(asked, board, use.slot_minutes)
    for n in range((board.last_day - board.first_day).days + 1):
        day = board.first_day + timedelta(days=n)
        for step in grid(day, hours_of(definition, board.known.rules), use.slot_minutes, board.known.zone):
            slot = Interval(step.start, step.start + length)
            if slot != asked.slot:
                yield slot


def _fitted(asked: Asked, board: Board, room: str) -> Interval | None:
    definition = board.rooms[room].definition
    use = definition.use_named(asked.use) if definition else None
    if use is None:
        return None
    return Interval(asked.slot.start, asked.slot.start + _length(asked, board, use.slot_minutes))


def _length(asked: Asked, board: Board, slot_minutes: int) -> timedelta:
    """As long as was asked, in whole steps, and no longer than the rules let one book."""
    steps = -(-asked.slot.minutes // slot_minutes)
    most = board.known.rules.book.duration_minutes_max // slot_minutes
    return timedelta(minutes=max(1, min(steps, most)) * slot_minutes)


def _judged(asked: Asked, board: Board, room: str, slot: Interval) -> Alternative | None:
    wanted = board.wanted(room, asked.use, slot, asked.units, asked.attendees)
    if wanted is None:
        return None
    free, reasons = board.judge(wanted)
    if reasons:
        return None
    return Alternative(room=room, use=asked.use, start=slot.start, end=slot.end, free=free)

"""What could be had instead: the room at another time, another room at the same time, then what is near both. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec

from booking.local_time import Interval, grid, local_day
from projections.grid import Board, hours_of

MOST = 5
# So many of the room's other times that day, and so many other rooms; what is near both has the rest.
SHARES = (3, 2, 0)
# How many days after the one asked for are looked at.
DAYS_AFTER = 3
# Another room is as far as an hour, another station as two.
OTHER_ROOM = timedelta(hours=1)
OTHER_STATION = timedelta(hours=2)
INSTANT = timedelta(microseconds=1)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The slot that could not be had. `stations`: where who asks may book; None where anywhere."""

    room: str
    use: str
    slot: Interval
    units: int = 1
    attendees: int | None = None
    stations: frozenset[str] | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that could be had: `free` units of it, for as long as was asked."""

    room: str
    use: str
    start: datetime
    end: datetime
    free: int


class Candidate(NamedTuple):
    """A slot that may be free, and how far it is from what was asked; sorted, the nearest comes first."""

    distance: timedelta
    start: datetime
    room: str
    end: datetime

    @property
    def slot(self) -> Interval:
        return Interval(self.start, self.end)


def nearest(asked: Asked, same_room: Board, same_use: Board) -> list[Alternative]:
    """The slots that a request for as many units and as long would get: one kind after another, its nearest first.

    `same_room` knows the room on the day asked for and some after it, `same_use` every room with that use on that day.
    """
    others = [room for room in same_use.rooms if room != asked.room and _may_book(asked, same_use, room)]
    own_times, own_days = _own(asked, same_room)
    same_time = [(same_use, found) for found in sorted(_same_time(asked, same_use, others))]
    near_both = [(same_room, found) for found in own_days]
    near_both += [(same_use, found) for room in others for found in _other_times(asked, same_use, room)]
    near_both.sort(key=lambda pair: pair[1])
    kinds = [_free(asked, kind) for kind in ([(same_room, found) for found in own_times], same_time, near_both)]
    found = [list(islice(kind, share)) for kind, share in zip(kinds, SHARES, strict=True)]
    for n in (2, 0, 1):
        # Where there is less of one kind, there is more of another.
        found[n] += islice(kinds[n], MOST - sum(map(len, found)))
    return [alternative for kind in found for alternative in kind]


def _free(asked: Asked, candidates: Iterable[tuple[Board, Candidate]]) -> Iterator[Alternative]:
    """Those that can be had; each is judged when it is wanted, as most never are."""
    for board, candidate in candidates:
        wanted = board.wanted(candidate.room, asked.use, candidate.slot, asked.units, asked.attendees)
        # No room is open past the end of a local day, and the board knows no more of what is taken then.
        if wanted is None or local_day(candidate.end - INSTANT, board.known.zone) > board.last_day:
            continue
        free, reasons = board.judge(wanted)
        if not reasons:
            yield Alternative(room=candidate.room, use=asked.use, start=candidate.start, end=candidate.end, free=free)


def _own(asked: Asked, board: Board) -> tuple[list[Candidate], list[Candidate]]:
    """The room's other times on the day asked for, and those on the days after it."""
    day = local_day(asked.slot.start, board.known.zone)
    days: tuple[list[Candidate], list[Candidate]] = ([], [])
    for slot in _slots(asked, board, asked.room):
        found = Candidate(abs(slot.start - asked.slot.start), slot.start, asked.room, slot.end)
        days[local_day(slot.start, board.known.zone) != day].append(found)
    return sorted(days[0]), days[1]


def _same_time(asked: Asked, board: Board, rooms: Iterable[str]) -> Iterator[Candidate]:
    for room in rooms:
        definition = board.rooms[room].definition
        use = definition.use_named(asked.use) if definition else None
        if use is not None:
            end = asked.slot.start + _length(asked, board, use.slot_minutes)
            yield Candidate(_away(asked, board, room), asked.slot.start, room, end)


def _other_times(asked: Asked, board: Board, room: str) -> Iterator[Candidate]:
    away = _away(asked, board, room)
    for slot in _slots(asked, board, room):
        if slot.start != asked.slot.start:
            yield Candidate(away + abs(slot.start - asked.slot.start), slot.start, room, slot.end)


def _may_book(asked: Asked, board: Board, room: str) -> bool:
    definition = board.rooms[room].definition
    return definition is not None and (asked.stations is None or definition.station in asked.stations)


def _away(asked: Asked, board: Board, room: str) -> timedelta:
    """How far another room is, as a time."""
    own, other = board.rooms.get(asked.room), board.rooms[room]
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


def _length(asked: Asked, board: Board, slot_minutes: int) -> timedelta:
    """As long as was asked, in whole steps, and no longer than the rules let one book."""
    steps = -(-asked.slot.minutes // slot_minutes)
    most = board.known.rules.book.duration_minutes_max // slot_minutes
    return timedelta(minutes=max(1, min(steps, most)) * slot_minutes)

"""What could be had instead: the room at another time, another room at the same time, then what is near both. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec

from booking.local_time import Interval, local_day
from booking.reservations.checks import CHECKS, Wanted, as_a_change, slots_on
from projections.grid import Board

MOST = 5
# So many of the room's other times that day, and so many other rooms; what is near both has the rest.
SHARES = (3, 2, 0)
# How many days after the one asked for are looked at.
DAYS_AFTER = 3
# Another room is as far as an hour, another station as two.
OTHER_ROOM = timedelta(hours=1)
OTHER_STATION = timedelta(hours=2)
INSTANT = timedelta(microseconds=1)


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking has that is to be changed; neither its hold nor its place in the quota is in its own way."""

    booking: str
    person: str
    room: str
    use: str
    slot: Interval
    units: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The slot that could not be had. `stations`: where who asks may book; None where anywhere.

    `present` is what a booking has that was to move there, or that `extends`: the end alone is asked about, and where
    who asks `approves` requests, also of a use that needs approval.
    """

    room: str
    use: str
    slot: Interval
    units: int = 1
    attendees: int | None = None
    stations: frozenset[str] | None = None
    present: Present | None = None
    extends: bool = False
    approves: bool = False


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
    others = _others(asked, same_use)
    times, days = _own(asked, same_room)
    same_time = [(same_use, found) for found in sorted(_same_time(asked, same_use, others))]

    def near_both() -> Iterator[tuple[Board, Candidate]]:
        """Thousands where many rooms serve for the same, and mostly not wanted: looked for when they are."""
        found = [(same_room, candidate) for candidate in days]
        found += [(same_use, candidate) for room in others for candidate in _other_times(asked, same_use, room)]
        yield from sorted(found, key=lambda pair: pair[1])

    kinds = ([(same_room, found) for found in times], same_time, near_both())
    return _shared(_free(asked, kind) for kind in kinds)


def longer(asked: Asked, same_room: Board, same_use: Board) -> list[Alternative]:
    """What a booking that is to last until `asked.slot.end` could have: another end, then other rooms to go on in.

    The first are extensions of it; the others are bookings of their own, for the time that it lacks.
    `same_use` counts the person's quota for those.
    """
    present = asked.present
    if present is None or asked.slot.end <= present.slot.end:
        return []
    ends = [(same_room, found) for found in sorted(_ends(asked, present, same_room))]
    lacking = Asked(
        room=asked.room,
        use=asked.use,
        slot=Interval(present.slot.end, asked.slot.end),
        units=asked.units,
        attendees=asked.attendees,
        stations=asked.stations,
    )
    others = [(same_use, found) for found in sorted(_same_time(lacking, same_use, _others(lacking, same_use)))]
    return _shared([_free(asked, ends), _free(lacking, others), iter(())])


def _shared(kinds: Iterable[Iterator[Alternative]]) -> list[Alternative]:
    """Some of each kind; where there is less of one, there is more of another."""
    found = [(kind, list(islice(kind, share))) for kind, share in zip(kinds, SHARES, strict=True)]
    for n in (2, 0, 1):
        kind, so_far = found[n]
        so_far += islice(kind, MOST - sum(len(taken) for _, taken in found))
    return [alternative for _, taken in found for alternative in taken]


def _free(asked: Asked, candidates: Iterable[tuple[Board, Candidate]]) -> Iterator[Alternative]:
    """Those that can be had; each is judged when it is wanted, as most never are."""
    for board, candidate in candidates:
        # No room is open past the end of a local day, and the board knows no more of what is taken then.
        if local_day(candidate.end - INSTANT, board.known.zone) > board.last_day:
            continue
        free = _judged(asked, board, candidate)
        if free:
            yield Alternative(room=candidate.room, use=asked.use, start=candidate.start, end=candidate.end, free=free)


def _judged(asked: Asked, board: Board, candidate: Candidate) -> int:
    """How many units of a slot could be had, 0 where what is asked could not; judged as the desk would judge it."""
    wanted = board.wanted(candidate.room, asked.use, candidate.slot, asked.units, asked.attendees)
    if wanted is None:
        return 0
    checks, present = CHECKS, asked.present
    if present is not None:
        if _is_as_it_is(asked, present, candidate) or _must_wait(asked, present, wanted, board.now):
            return 0
        wanted, checks = as_a_change(wanted, present.slot.start, board.now)
    free, reasons = board.judge(wanted, checks)
    return 0 if reasons else free


def _is_as_it_is(asked: Asked, present: Present, candidate: Candidate) -> bool:
    """Whether the booking has that already."""
    has = (present.room, present.use, present.slot, present.units)
    return (candidate.room, asked.use, candidate.slot, asked.units) == has


def _must_wait(asked: Asked, present: Present, wanted: Wanted, now: datetime) -> bool:
    """Whether it would have to wait for an answer, which what has begun cannot."""
    return wanted.use.approval and not asked.extends and wanted.slot.start == present.slot.start <= now


def _others(asked: Asked, board: Board) -> list[str]:
    """The rooms beside the one asked for in which who asks may book."""
    return [
        room
        for room, known in board.rooms.items()
        if room != asked.room
        and known.definition is not None
        and (asked.stations is None or known.definition.station in asked.stations)
    ]


def _ends(asked: Asked, present: Present, board: Board) -> Iterator[Candidate]:
    """The lines of the room's grid after the present end."""
    definition = board.rooms[asked.room].definition if asked.room in board.rooms else None
    use = definition.use_named(asked.use) if definition else None
    if definition is None or use is None or (use.approval and not asked.approves):
        return
    day = local_day(present.slot.start, board.known.zone)
    for step in slots_on(day, definition, use, board.known.rules, board.known.zone):
        if present.slot.end < step.end != asked.slot.end:
            yield Candidate(abs(step.end - asked.slot.end), present.slot.start, asked.room, step.end)


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


def _away(asked: Asked, board: Board, room: str) -> timedelta:
    """How far another room is, as a time; in the same station too where that of the room asked for is not known."""
    own, other = board.rooms.get(asked.room), board.rooms[room].definition
    there = own.definition if own else None
    return OTHER_ROOM if there is None or other is None or there.station == other.station else OTHER_STATION


def _slots(asked: Asked, board: Board, room: str) -> Iterator[Interval]:
    """Every slot of the room's days as long as was asked, in whole steps of its grid, but the one asked for."""
    definition = board.rooms[room].definition if room in board.rooms else None
    use = definition.use_named(asked.use) if definition else None
    if definition is None or use is None:
        return
    length = _length(asked, board, use.slot_minutes)
    for n in range((board.last_day - board.first_day).days + 1):
        day = board.first_day + timedelta(days=n)
        for step in slots_on(day, definition, use, board.known.rules, board.known.zone):
            slot = Interval(step.start, step.start + length)
            if slot != asked.slot:
                yield slot


def _length(asked: Asked, board: Board, slot_minutes: int) -> timedelta:
    """As long as was asked, in whole steps, and no longer than the rules let one book."""
    steps = -(-asked.slot.minutes // slot_minutes)
    most = board.known.rules.book.duration_minutes_max // slot_minutes
    return timedelta(minutes=max(1, min(steps, most)) * slot_minutes)

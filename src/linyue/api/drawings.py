"""Answers to who asks what is free, drawn once for many: never other than they would be drawn at that moment.

An answer holds as long as nothing changes of what it was drawn from and no instant passes at which it could be told
otherwise. Where something changed, only the days that it touches are drawn again.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from operator import is_
from typing import NamedTuple
from weakref import WeakValueDictionary

import msgspec

from booking.places.events import Room, RoomDefinition, Use
from booking.reservations.checks import units_at_most
from linyue.api.asking import ReasonOut, reason_out
from linyue.api.etags import tag_of
from linyue.words import Language
from projections.boards import Sought, Tag
from projections.grid import Board, SlotState
from projections.grid import Day as DrawnDay
from projections.kept import Kept

# A day of a room's use takes about a kilobyte, a station's week a hundred.
DAYS_MAX = 8_192
ANSWERS_BYTES_MAX = 32_000_000
# Who asks for more days than these is drawn a grid of their own, and nothing is kept of it.
DAYS_OF_ONE_MAX = 1_024
# After so many days others have their turn: one takes a tenth of a millisecond.
DAYS_AT_ONCE = 10
FOREVER = datetime.max.replace(tzinfo=UTC)

Key = tuple[Sought, Language]


class SlotOut(msgspec.Struct, frozen=True, kw_only=True):
    """`free` units of the use can be booked from `start` to `end`; `reasons`, each with its rule, say why none can."""

    start: datetime
    end: datetime
    free: int
    state: SlotState
    reasons: list[ReasonOut]


class DayOut(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of a local day, in order."""

    date: date
    slots: list[SlotOut]


class RoomUseOut(msgspec.Struct, frozen=True, kw_only=True):
    """A room in one of its uses. `units` is the most that can be booked at once."""

    room: str
    use: str
    name: str
    units: int
    days: list[DayOut]


class AvailabilityOut(msgspec.Struct, frozen=True, kw_only=True):
    """An entry for each room and use, as of a log position."""

    position: int
    rooms: list[RoomUseOut]


class Answer(NamedTuple):
    """The bytes of an answer with their tag, and the position that they reflect; `rooms` says whether there are any."""

    body: bytes
    tag: str
    position: int
    rooms: bool


class _Day(NamedTuple):
    """A day as it is sent, what it was drawn from, and from when until when (exclusive) it is drawn like this."""

    drawn_from: tuple[object, ...]
    since: datetime
    until: datetime
    body: bytes

    def holds(self, drawn_from: tuple[object, ...], now: datetime) -> bool:
        """Whether it would be drawn the same from these at `now`: what has not changed is kept as the same object."""
        same = len(self.drawn_from) == len(drawn_from) and all(map(is_, self.drawn_from, drawn_from))
        return same and self.since <= now < self.until


class _Drawn(NamedTuple):
    """An answer, and what it depends on: `tags`, and that it is not before `since` nor at `until` or later."""

    answer: Answer
    tags: tuple[Tag, ...]
    since: datetime
    until: datetime


class Drawings:
    """Draws what is free, and remembers it for those who ask the same."""

    def __init__(self, kept: Kept, clock: Callable[[], datetime]) -> None:
        self._kept = kept
        self._clock = clock
        self._days: dict[tuple[str, str, date, Language], _Day] = {}
        self._drawn: dict[Key, _Drawn] = {}
        self._bytes = 0
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, sought: Sought, language: Language, position: int = 0) -> Answer:
        """What is free, at a moment of this call and reflecting `position` if the read model gets there in time.

        Raises `NotBuilt`, `NotOpened`, and what the database's being away raises.
        """
        person = sought.person
        await self._kept.reach(lambda: self._kept.month_tags(person, self._clock()), position)
        if person is not None and self._kept.quota_of(person, self._clock()) is None:
            # Whose quota has room is told what everybody is told.
            sought = sought._replace(person=None)
        key, asked_at = (sought, language), self._kept.position
        found = self._holding(key, asked_at)
        if found is not None:
            return found
        # One draws, and those who came meanwhile find it drawn.
        async with self._turns.setdefault(key, asyncio.Lock()):
            return self._holding(key, asked_at) or await self._draw(key)

    @property
    def _now(self) -> datetime:
        return self._kept.now(self._clock())

    def _holding(self, key: Key, position: int) -> Answer | None:
        """The answer that was drawn before, if it would be drawn the same now, at this position or a later one."""
        drawn = self._drawn.get(key)
        if drawn is None or not drawn.since <= self._now < drawn.until:
            return None
        if drawn.answer.position >= position:
            return drawn.answer
        changed = self._kept.changed(drawn.tags)
        if changed is None or changed > drawn.answer.position:
            return None
        body = drawn.answer.body
        answer = _answer(body[body.index(b"[") :], self._kept.position)
        self._drawn[key] = drawn._replace(answer=answer)
        return answer

    async def _draw(self, key: Key) -> Answer:
        sought, language = key
        await self._kept.have(lambda: self._kept.tags(sought, self._clock()))
        # The board is of one position and one instant, whatever happens while it is drawn.
        board, position = self._kept.board(sought, self._clock()), self._kept.position
        tags = tuple(self._kept.tags(sought, board.now))
        uses = list(_uses(board, sought.use))
        keep = len(uses) * len(board.days) <= DAYS_OF_ONE_MAX
        until, rooms = FOREVER, []
        for room, definition, use in uses:
            days = [self._day(board, room, definition, use, day, language, keep=keep) for day in board.days]
            until = min(until, *(day.until for day in days))
            rooms.append(_room(board, room, definition, use, days))
            # Others have their turn: a room's week takes a millisecond.
            await asyncio.sleep(0)
        answer = _answer(b"[" + b",".join(rooms) + b"]}", position)
        if keep:
            self._remember(key, _Drawn(answer, tags, board.now, until))
        return answer

    def _day(
        self,
        board: Board,
        room: Room,
        definition: RoomDefinition,
        use: Use,
        date_: date,
        language: Language,
        *,
        keep: bool,
    ) -> _Day:
        """A day as it was drawn before, if it would be drawn the same again."""
        name, made_of = (room.room, use.use, date_, language), board.drawn_from(room, use, date_)
        for_all = board.known.months is None
        known = self._days.get(name) if for_all else None
        if known is not None and known.holds(made_of, board.now):
            return known
        drawn = board.draw_day(room, definition, use, date_)
        body = msgspec.json.encode(_day_out(drawn, board, language))
        day = _Day(made_of, board.now, board.until(drawn, use), body)
        if for_all and keep:
            if len(self._days) >= DAYS_MAX:
                self._days.clear()
            self._days[name] = day
        return day

    def _remember(self, key: Key, drawn: _Drawn) -> None:
        before = self._drawn.pop(key, None)
        self._bytes += len(drawn.answer.body) - (len(before.answer.body) if before else 0)
        if self._bytes > ANSWERS_BYTES_MAX:
            self._drawn, self._bytes = {}, len(drawn.answer.body)
        self._drawn[key] = drawn


def _uses(board: Board, use: str | None) -> Iterator[tuple[Room, RoomDefinition, Use]]:
    for room in board.rooms.values():
        definition = room.definition
        for served in definition.uses if definition else ():
            if definition and use in (None, served.use):
                yield room, definition, served


def _day_out(day: DrawnDay, board: Board, language: Language) -> DayOut:
    zone, version = board.known.zone, board.known.rules.version
    slots = [
        SlotOut(
            start=slot.start.astimezone(zone),
            end=slot.end.astimezone(zone),
            free=slot.free,
            state=slot.state,
            reasons=[reason_out(reason, version, language, zone) for reason in slot.reasons],
        )
        for slot in day.slots
    ]
    return DayOut(date=day.date, slots=slots)


def _room(board: Board, room: Room, definition: RoomDefinition, use: Use, days: list[_Day]) -> bytes:
    units = units_at_most(use, board.known.resources)
    head = RoomUseOut(room=room.room, use=use.use, name=definition.name, units=units, days=[])
    return msgspec.json.encode(head).removesuffix(b"]}") + b",".join(day.body for day in days) + b"]}"


def _answer(rooms: bytes, position: int) -> Answer:
    """`rooms` with the brackets of the list, and the last brace."""
    body = b'{"position":%d,"rooms":' % position + rooms
    return Answer(body, tag_of(body), position, rooms=rooms != b"[]}")

"""What is told beside a refusal: what was asked for, and what could be had instead. Advice, no part of the decision."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import structlog

from booking.local_time import Interval, local_day
from booking.messages import Reason
from booking.reservations.decide import ExtendBooking, RequestBooking, RescheduleBooking
from booking.reservations.slots import MAY_APPROVE
from linyue.alternatives import DAYS_AFTER, Alternative, Asked, Present, longer, nearest
from linyue.api.answers import in_zone
from linyue.permissions import Caller
from linyue.wiring import Parts
from projections import agenda
from projections.agenda import Item
from projections.boards import Sought, Tag
from projections.grid import Board
from projections.kept import Kept

# Advice is worth no longer wait than this.
WAIT_SECONDS = 1.0
# Many ask for the same at once; for so long, by the clock that slots are judged by, one look serves them all.
GOOD = timedelta(seconds=1)
ADVICE_MAX = 1_000

# Whoever has no bookings left, or a booking that is over, could have no other slot either.
NOTHING_ELSE = frozenset({"quota_reached", "wrong_state", "already_started"})

Move = RescheduleBooking | ExtendBooking

log = structlog.get_logger()


class Instead(NamedTuple):
    """What was asked for, and what could be had at `position`, which is never before that of the refusal.

    Instants are in the subdistrict's zone. `use` of what was asked is the room's only one where none was named.
    """

    asked: Asked
    alternatives: list[Alternative]
    position: int

    def beside(self, zone: ZoneInfo, *, first: int | None = None) -> dict[str, Any]:
        """As it stands in a refusal; `first` is the position of one that was asked under a key, and is told again.

        Advice is of now, also where the same is asked again; all else is the first answer's.
        """
        return {
            "asked": asked_out(self.asked, zone),
            "alternatives": self.alternatives,
            "position": self.position if first is None else first,
        }


class AskedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as it was understood: the use is named also where the room's only one was meant."""

    room: str
    use: str | None
    start: datetime
    end: datetime
    units: int
    attendees: int | None


def asked_out(asked: Asked, zone: ZoneInfo) -> AskedOut:
    """What was asked for, as it is answered."""
    return AskedOut(
        room=asked.room,
        use=asked.use or None,
        start=asked.slot.start.astimezone(zone),
        end=asked.slot.end.astimezone(zone),
        units=asked.units,
        attendees=asked.attendees,
    )


class Look(NamedTuple):
    """What was found, and the states that it was found in: it holds for as long as none of them changes."""

    instead: Instead
    tags: tuple[Tag, ...] = ()


class Advice:
    """Finds alternatives for those whose request was refused; many who ask for the same at once share one look."""

    def __init__(self, parts: Parts, kept: Kept) -> None:
        self._parts = parts
        self._kept = kept
        self._known: dict[Asked, tuple[datetime, asyncio.Task[Look]]] = {}

    async def instead_of(self, asked: Asked, reasons: Collection[Reason], position: int) -> Instead:
        """The nearest slots that would be had, free at a position not before `position`.

        None where it would take too long to say, and where what said no would say it to any other slot as well.
        """
        none_left = any(reason.rule in NOTHING_ELSE for reason in reasons)
        if none_left and asked.use:
            return Instead(asked, [], position)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                found = await self._look(asked, position)
        except Exception as error:  # noqa: BLE001 - the refusal stands in the log, and its answer waits for no advice
            log.warning("no_alternatives", error=repr(error))
            return Instead(asked, [], position)
        return found._replace(alternatives=[]) if none_left else found

    async def _look(self, asked: Asked, position: int) -> Instead:
        now = self._parts.now()
        if asked in self._known:
            since, task = self._known[asked]
            good = abs(now - since) < GOOD and not _failed(task)
            if good and (found := await self._at(position, await asyncio.shield(task))):
                return found
        if len(self._known) >= ADVICE_MAX:
            self._known.clear()
        task = asyncio.create_task(self._find(asked, position, now))
        task.add_done_callback(_heard)
        self._known[asked] = now, task
        return (await asyncio.shield(task)).instead

    async def _at(self, position: int, look: Look) -> Instead | None:
        """What was found before, if it would be found now as well, at this position or a later one."""
        await self._kept.reach(lambda: (), position)
        changed = self._kept.changed(look.tags) if look.tags else None
        if self._kept.position < position or changed is None or changed > look.instead.position:
            return None
        return look.instead._replace(position=self._kept.position)

    async def _find(self, asked: Asked, position: int, now: datetime) -> Look:
        kept, zone = self._kept, await self._parts.lasting.zone()
        day = local_day(asked.slot.start, zone)
        the_room = Sought(day, day + timedelta(days=DAYS_AFTER), room=asked.room)
        await kept.reach(lambda: kept.tags(the_room, now), position)
        known = msgspec.structs.replace(asked, use=use_meant(kept.board(the_room, now), asked))
        if kept.position < position or not known.use:
            return Look(Instead(known, [], position))
        # To go on elsewhere is one more booking, which the quota must have room for.
        person = asked.present.person if asked.present and asked.extends else None
        the_use = Sought(day, day, use=known.use, person=person)

        def tags() -> list[Tag]:
            return [*kept.tags(the_room, now), *kept.tags(the_use, now)]

        await kept.have(tags)
        found = _found(known, kept.board(the_room, now), kept.board(the_use, now))
        told = [Alternative(**in_zone(msgspec.structs.asdict(one), zone)) for one in found]
        return Look(Instead(known, told, kept.position), tuple(tags()))


def _found(asked: Asked, same_room: Board, same_use: Board) -> list[Alternative]:
    if asked.present is None:
        return nearest(asked, same_room, same_use)
    moved = same_room.without(asked.present.booking)
    if asked.extends:
        return longer(asked, moved, same_use)
    return nearest(asked, moved, same_use.without(asked.present.booking))


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _heard(task: asyncio.Task[Any]) -> None:
    """A look that nobody waited for to its end may fail in silence."""
    if not task.cancelled():
        task.exception()


def asked_of(command: RequestBooking, caller: Caller) -> Asked:
    """What a request asks for, and where else the same caller could ask for it."""
    return Asked(
        room=command.room,
        use=command.use or "",
        slot=Interval(command.start, command.end),
        units=command.units,
        attendees=command.attendees,
        stations=caller.known().stations if caller.scope == "stations" else None,
    )


async def asked_of_move(parts: Parts, command: Move, caller: Caller, position: int) -> Asked | None:
    """What a change of a booking's slot asks for; None where it is not known in time what the booking has."""
    try:
        async with parts.reader.of(agenda.NAME, position) as snapshot:
            item = await agenda.booking(snapshot, command.booking, parts.now())
    except Exception as error:  # noqa: BLE001 - as above: a refusal waits for no advice
        log.warning("no_alternatives", error=repr(error))
        return None
    if item is None:
        return None
    has = Interval(item.start, item.end)
    present = Present(booking=item.id, person=item.person, room=item.room, use=item.use, slot=has, units=item.units)
    wanted = _of_extension(command, item) if isinstance(command, ExtendBooking) else _of_reschedule(command, item)
    stations = caller.known().stations if caller.scope == "stations" else None
    approves = isinstance(command, ExtendBooking) and caller.known().role in MAY_APPROVE
    return msgspec.structs.replace(wanted, stations=stations, present=present, approves=approves)


def _of_extension(command: ExtendBooking, item: Item) -> Asked:
    slot = Interval(item.start, command.end)
    return Asked(room=item.room, use=item.use, slot=slot, units=item.units, attendees=item.attendees, extends=True)


def _of_reschedule(command: RescheduleBooking, item: Item) -> Asked:
    return Asked(
        room=command.room or item.room,
        use=command.use or item.use,
        slot=Interval(command.start, command.end),
        units=command.units or item.units,
        attendees=command.attendees or item.attendees,
    )


def use_meant(board: Board, asked: Asked) -> str:
    """The use that was judged: the one asked for, or where the room does not have that, its only one; else empty."""
    definition = board.rooms[asked.room].definition if asked.room in board.rooms else None
    if definition is None or definition.use_named(asked.use):
        return asked.use
    return definition.uses[0].use if len(definition.uses) == 1 else ""

"""What is told beside a refusal: what was asked for, and what could be had instead. Advice, no part of the decision."""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import structlog

from booking.local_time import Interval, local_day
from booking.messages import Reason
from booking.reservations.decide import RequestBooking
from linyue.alternatives import DAYS_AFTER, Alternative, Asked, nearest
from linyue.api.answers import in_zone
from linyue.permissions import Caller
from linyue.wiring import Parts
from projections import availability
from projections.grid import Board

# Advice is worth no longer wait than this, and stays good for so long while many ask for the same.
ADVICE_SECONDS = 1.0
ADVICE_MAX = 1_000

log = structlog.get_logger()


class Instead(NamedTuple):
    """What was asked for, and what could be had at `position`, which is never before that of the refusal.

    Instants are in the subdistrict's zone. `use` of what was asked is the room's only one where none was named.
    """

    asked: Asked
    alternatives: list[Alternative]
    position: int

    def beside(self, zone: ZoneInfo) -> dict[str, Any]:
        """As it stands in a refusal."""
        return {
            "asked": asked_out(self.asked, zone),
            "alternatives": self.alternatives,
            "position": self.position,
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


class Advice:
    """Finds alternatives for those whose request was refused; many who ask for the same at once share one look."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[Asked, tuple[float, asyncio.Task[Instead]]] = {}

    async def instead_of(self, asked: Asked, reasons: Iterable[Reason], position: int) -> Instead:
        """The nearest slots that would be had, free at a position not before `position`.

        None where it would take too long to say, and for those whose quota is used up: nothing else could be had
        either.
        """
        none_left = any(reason.rule == "quota_reached" for reason in reasons)
        if none_left and asked.use:
            return Instead(asked, [], position)
        try:
            async with asyncio.timeout(ADVICE_SECONDS):
                found = await self._look(asked, position)
        except Exception as error:  # noqa: BLE001 - the refusal stands in the log, and its answer waits for no advice
            log.warning("no_alternatives", error=repr(error))
            return Instead(asked, [], position)
        return found._replace(alternatives=[]) if none_left else found

    async def _look(self, asked: Asked, position: int) -> Instead:
        since, task = self._known.get(asked, (0.0, None))
        if task is not None and time.monotonic() - since < ADVICE_SECONDS:
            known = await asyncio.shield(task)
            if known.position >= position:
                return known
        if len(self._known) >= ADVICE_MAX:
            self._known.clear()
        task = asyncio.create_task(self._find(asked, position))
        task.add_done_callback(_heard)
        self._known[asked] = time.monotonic(), task
        return await asyncio.shield(task)

    async def _find(self, asked: Asked, position: int) -> Instead:
        async with self._parts.reader.of(availability.NAME, position) as snapshot:
            now, zone = self._parts.now(), await self._parts.lasting.zone()
            day = local_day(asked.slot.start, zone)
            same_room = await availability.board(snapshot, day, day + timedelta(days=DAYS_AFTER), now, room=asked.room)
            known = msgspec.structs.replace(asked, use=asked.use or only_use(same_room, asked.room))
            if snapshot.position < position or not known.use:
                return Instead(known, [], position)
            same_use = await availability.board(snapshot, day, day, now, use=known.use)
        found = nearest(known, same_room, same_use)
        told = [Alternative(**in_zone(msgspec.structs.asdict(one), zone)) for one in found]
        return Instead(known, told, snapshot.position)


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


def only_use(board: Board, room: str) -> str:
    """The use that a request without one means; empty where there is more than one, or no such room."""
    definition = board.rooms[room].definition if room in board.rooms else None
    return definition.uses[0].use if definition and len(definition.uses) == 1 else ""

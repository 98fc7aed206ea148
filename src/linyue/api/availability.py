"""What is free and when, and why the rest is not; and what could be had in place of what was refused."""

import asyncio
import time
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
from litestar import Request, Response, get
from litestar.params import FromQuery, QueryParameter

from booking.local_time import Interval, local_day
from booking.messages import RefusedBody
from booking.reservations.decide import RequestBooking
from linyue.alternatives import DAYS_AFTER, Alternative, Asked, nearest
from linyue.api.answers import TheCaller, TheParts, answered
from linyue.api.asking import ReasonOut, position_asked, reason_out
from linyue.api.bodies import days, known_form
from linyue.api.catalogue import check_named
from linyue.permissions import Caller
from linyue.wiring import Parts
from projections import availability
from projections.grid import Board, RoomUse, SlotState

DAYS_MAX = 31
# Advice is worth no longer wait than this, and stays good for so long while many ask for the same.
ADVICE_SECONDS = 1.0
ADVICE_MAX = 1_000

log = structlog.get_logger()


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


@get("/availability", opt={"call": "GET availability"}, operation_id="get_availability", tags=["availability"])
async def get_availability(
    request: Request[Any, Any, Any],
    *,
    parts: TheParts,
    caller: TheCaller,
    room: FromQuery[str | None] = None,
    station: FromQuery[str | None] = None,
    use: FromQuery[str | None] = None,
    from_: Annotated[date | None, QueryParameter(name="from")] = None,
    to: FromQuery[date | None] = None,
) -> Response[AvailabilityOut]:
    """Free units of each slot, from one local day to another (both included, at most 31), and why the rest is not free.

    Without `from`, today; without `to`, that one day.
    """
    for value, field in ((room, "room"), (station, "station"), (use, "use")):
        if value is not None:
            known_form(value, field)
    async with parts.reader.of(availability.NAME, position_asked(request)) as snapshot:
        now = parts.now()
        zone = await availability.zone(snapshot)
        first = from_ or local_day(now, zone)
        first, last = days(first, to or first, days_max=DAYS_MAX)
        board = await availability.board(snapshot, first, last, now, room=room, station=station, use=use)
        if not board.rooms:
            await check_named(snapshot, room=room, station=station, use=use)
    # A month of every room takes a while: others are served meanwhile.
    drawn = await asyncio.to_thread(board.draw, use)
    version = board.known.rules.version
    rooms = [_room_use_out(found, version, caller, zone) for found in drawn]
    return answered(AvailabilityOut(position=snapshot.position, rooms=rooms), snapshot.position)


def _room_use_out(found: RoomUse, version: int, caller: Caller, zone: ZoneInfo) -> RoomUseOut:
    days_ = [
        DayOut(
            date=day.date,
            slots=[
                SlotOut(
                    start=slot.start.astimezone(zone),
                    end=slot.end.astimezone(zone),
                    free=slot.free,
                    state=slot.state,
                    reasons=[reason_out(reason, version, caller.language, zone) for reason in slot.reasons],
                )
                for slot in day.slots
            ],
        )
        for day in found.days
    ]
    return RoomUseOut(room=found.room, use=found.use, name=found.name, units=found.units, days=days_)


class Advice:
    """Finds alternatives for those whose request was refused; many who ask for the same at once share one look."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[Asked, tuple[float, asyncio.Task[tuple[int, list[Alternative]]]]] = {}

    async def instead_of(self, command: RequestBooking, refused: RefusedBody, position: int) -> list[Alternative]:
        """The nearest slots that would be had, free at `position` or later; none where it would take too long to say.

        Nobody whose quota is used up, or whose room is unknown, could have another slot.
        """
        if any(reason.rule == "quota_reached" for reason in refused.reasons):
            return []
        try:
            async with asyncio.timeout(ADVICE_SECONDS):
                return await self._look(command, position)
        except Exception as error:  # noqa: BLE001 - the refusal stands in the log, and its answer waits for no advice
            log.warning("no_alternatives", error=repr(error))
            return []

    async def _look(self, command: RequestBooking, position: int) -> list[Alternative]:
        asked = _asked(command)
        since, task = self._known.get(asked, (0.0, None))
        if task is not None and time.monotonic() - since < ADVICE_SECONDS:
            known_at, found = await asyncio.shield(task)
            if known_at >= position:
                return found
        if len(self._known) >= ADVICE_MAX:
            self._known.clear()
        task = asyncio.create_task(self._find(asked, command.use, position))
        task.add_done_callback(_heard)
        self._known[asked] = time.monotonic(), task
        return (await asyncio.shield(task))[1]

    async def _find(self, asked: Asked, use: str | None, position: int) -> tuple[int, list[Alternative]]:
        async with self._parts.reader.of(availability.NAME, position) as snapshot:
            if snapshot.position < position:
                return snapshot.position, []
            now, zone = self._parts.now(), await self._parts.lasting.zone()
            day = local_day(asked.slot.start, zone)
            same_room = await availability.board(snapshot, day, day + timedelta(days=DAYS_AFTER), now, room=asked.room)
            use = use or _only_use(same_room, asked.room)
            if use is None:
                return snapshot.position, []
            same_use = await availability.board(snapshot, day, day, now, use=use)
        found = nearest(msgspec.structs.replace(asked, use=use), same_room, same_use)
        return snapshot.position, [_in_zone(alternative, zone) for alternative in found]


def _heard(task: asyncio.Task[Any]) -> None:
    """A look that nobody waited for to its end may fail in silence."""
    if not task.cancelled():
        task.exception()


def _asked(command: RequestBooking) -> Asked:
    return Asked(
        room=command.room,
        use=command.use or "",
        slot=Interval(command.start, command.end),
        units=command.units,
        attendees=command.attendees,
    )


def _only_use(board: Board, room: str) -> str | None:
    definition = board.rooms[room].definition if room in board.rooms else None
    return definition.uses[0].use if definition and len(definition.uses) == 1 else None


def _in_zone(found: Alternative, zone: ZoneInfo) -> Alternative:
    return msgspec.structs.replace(found, start=found.start.astimezone(zone), end=found.end.astimezone(zone))


HANDLERS = (get_availability,)

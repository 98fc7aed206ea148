"""What is free and when, and why the rest is not."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, QueryParameter

from booking.local_time import local_day
from linyue.api.answers import TheCaller, TheParts
from linyue.api.asking import ReasonOut, position_asked, reason_out
from linyue.api.bodies import days, known_form
from linyue.api.catalogue import check_named
from linyue.api.etags import tag_of, tagged
from linyue.permissions import Caller
from projections import availability
from projections.grid import RoomUse, SlotState

DAYS_MAX = 31


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


@get(
    "/availability",
    opt={"call": "GET availability"},
    operation_id="get_availability",
    tags=["availability"],
    responses={
        200: ResponseSpec(AvailabilityOut, description="The slots of each day.", generate_examples=False),
        304: ResponseSpec(None, description="Whoever sent its tag holds it: the very bytes would be sent again."),
    },
)
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
) -> Response[bytes]:
    """Free units of each slot, from one local day to another (both included, at most 31), and why the rest is not free.

    Without `from`, today; without `to`, that one day. A resident is told what their own quota lets them have. `ETag` is
    that of the very bytes: they change with events, with who asks in which language, and with the passing time.
    """
    for value, field in ((room, "room"), (station, "station"), (use, "use")):
        if value is not None:
            known_form(value, field)
    async with parts.reader.of(availability.NAME, position_asked(request)) as snapshot:
        now = parts.now()
        zone = await availability.zone(snapshot)
        first = from_ or local_day(now, zone)
        first, last = days(first, to or first, days_max=DAYS_MAX)
        person = caller.actor.quota_of if caller.actor else None
        board = await availability.board(snapshot, first, last, now, room=room, station=station, use=use, person=person)
        if not board.rooms:
            await check_named(snapshot, room=room, station=station, use=use)
    # A month of every room takes a while: others are served meanwhile.
    drawn = await asyncio.to_thread(board.draw, use)
    version = board.known.rules.version
    rooms = [_room_use_out(found, version, caller, zone) for found in drawn]
    body = msgspec.json.encode(AvailabilityOut(position=snapshot.position, rooms=rooms))
    return tagged(body, tag_of(body), snapshot.position, request.headers.getall("if-none-match", []))


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


HANDLERS = (get_availability,)

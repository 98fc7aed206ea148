"""Stations and rooms: what there is to be booked, and when it is open."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromQuery

from linyue.api.answers import Items, TheParts, answered
from linyue.api.asking import position_asked
from linyue.api.bodies import known_form
from projections import availability
from projections.availability import RoomView, SpaceView, StationView, UseView


class OpenHours(msgspec.Struct, frozen=True, kw_only=True):
    """Open on a weekday (1 Monday … 7 Sunday), in the subdistrict's time; 24:00 is the end of the day."""

    weekday: int
    from_: str = msgspec.field(name="from")
    to: str


class RoomOut(msgspec.Struct, frozen=True, kw_only=True):
    """A room.

    `units` of a use is the most that can be booked at once; `sample` marks figures that are not the station's own.
    """

    id: str
    name: str
    station: SpaceView
    space: SpaceView
    uses: tuple[UseView, ...]
    open: tuple[OpenHours, ...]
    buffer_minutes: int
    seats: int | None
    sample: bool


@get("/stations", opt={"call": "GET stations"}, operation_id="list_stations", tags=["catalogue"])
async def list_stations(request: Request[Any, Any, Any], parts: TheParts) -> Response[Items[StationView]]:
    """The stations, each with its power (力), its theme and its spaces."""
    async with parts.reader.of(availability.NAME, position_asked(request)) as snapshot:
        found = await availability.stations(snapshot)
    return answered(Items(items=found, next=None, position=snapshot.position), snapshot.position)


@get("/rooms", opt={"call": "GET rooms"}, operation_id="list_rooms", tags=["catalogue"])
async def list_rooms(
    request: Request[Any, Any, Any],
    parts: TheParts,
    station: FromQuery[str | None] = None,
    use: FromQuery[str | None] = None,
) -> Response[Items[RoomOut]]:
    """The rooms, or those of a station, or those that serve for a use."""
    for value, field in ((station, "station"), (use, "use")):
        if value is not None:
            known_form(value, field)
    async with parts.reader.of(availability.NAME, position_asked(request)) as snapshot:
        found = await availability.rooms(snapshot, station, use)
    rooms = [room_out(room) for room in found]
    return answered(Items(items=rooms, next=None, position=snapshot.position), snapshot.position)


def room_out(room: RoomView) -> RoomOut:
    """A room as it is answered."""
    hours = tuple(OpenHours(weekday=h.weekday, from_=h.opens, to=h.closes) for h in room.open)
    return RoomOut(
        id=room.id,
        name=room.name,
        station=room.station,
        space=room.space,
        uses=room.uses,
        open=hours,
        buffer_minutes=room.buffer_minutes,
        seats=room.seats,
        sample=room.sample,
    )


HANDLERS = (list_stations, list_rooms)

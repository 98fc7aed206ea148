"""Stations and rooms: what there is to be booked, and when it is open."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromQuery

from booking.messages import Denied
from linyue.api.answers import Items, TheParts, answered
from linyue.api.asking import denied, position_asked
from linyue.api.bodies import OpenForATime, OpenHours, known_form
from projections import availability
from projections.availability import PlaceName, RoomView, StationView, UseView
from projections.reading import Snapshot


class RoomOut(msgspec.Struct, frozen=True, kw_only=True):
    """A room.

    `units` of a use is the most that can be booked at once, and each takes `takes`. `extra_hours` are open for a time
    beside `open`, `buffer_minutes` is kept free after each booking; `sample` marks figures that are not the station's.
    """

    id: str
    name: str
    station: PlaceName
    space: PlaceName
    uses: tuple[UseView, ...]
    open: tuple[OpenHours, ...]
    extra_hours: tuple[OpenForATime, ...]
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
        if not found:
            await check_named(snapshot, station=station)
    rooms = [room_out(room) for room in found]
    return answered(Items(items=rooms, next=None, position=snapshot.position), snapshot.position)


async def check_named(
    snapshot: Snapshot, *, room: str | None = None, station: str | None = None, use: str | None = None
) -> None:
    """Raise a Problem where a filter names what there is not; for an answer that would be empty.

    A use without a room is no such thing: whether any room serves for it is what was asked.
    """
    if station is not None and all(known.id != station for known in await availability.stations(snapshot)):
        raise denied(Denied(code="not_found", what="station"))
    if room is None:
        return
    known = await availability.room(snapshot, room)
    if known is None:
        raise denied(Denied(code="not_found", what="room"))
    if use is not None and all(served.use != use for served in known.uses):
        raise denied(Denied(code="not_found", what="use"))


def room_out(room: RoomView) -> RoomOut:
    """A room as it is answered."""
    return RoomOut(
        id=room.id,
        name=room.name,
        station=room.station,
        space=room.space,
        uses=room.uses,
        open=tuple(map(OpenHours.of, room.open)),
        extra_hours=tuple(map(OpenForATime.of, room.extra_hours)),
        buffer_minutes=room.buffer_minutes,
        seats=room.seats,
        sample=room.sample,
    )


HANDLERS = (list_stations, list_rooms)

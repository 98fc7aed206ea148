"""What there is and what is free: the stations, what one can do there, a room and its day."""

from datetime import date, timedelta
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from booking.local_time import local_day
from linyue.pages import day
from linyue.pages.page import TheVisit
from linyue.problems import Problem
from linyue.words.denials import DENIALS
from projections import availability
from projections.availability import RoomView, StationView, UseView
from projections.reading import Snapshot

# A wrong date in an address shows today; the grid goes no further than this, whatever the rules say.
DAYS_AHEAD_MAX = 92


@get("/", opt={"call": "GET stations"})
async def home(visit: TheVisit) -> Response[str]:
    """The door, what one can do, and the stations."""
    async with visit.reading("availability") as snapshot:
        stations = await availability.stations(snapshot)
        rooms = await availability.rooms(snapshot)
    uses = list(dict.fromkeys(use.use for room in rooms for use in room.uses))
    shown = [_station(station, [room for room in rooms if room.station.id == station.id]) for station in stations]
    # Where there is something to book comes first; else in the order of the catalogue.
    shown.sort(key=lambda station: not station["rooms"])
    return visit.page("home.html", door=visit.parts.demo_people, uses=uses, stations=shown)


@get("/stations/{station:str}", opt={"call": "GET rooms"})
async def station(visit: TheVisit, station: FromPath[str]) -> Response[str]:
    """A station's spaces and rooms."""
    async with visit.reading("availability") as snapshot:
        found = next((one for one in await availability.stations(snapshot) if one.id == station), None)
        rooms = await availability.rooms(snapshot, station=station)
    if found is None:
        raise Problem("not_found", DENIALS["not_found", "station"].say)
    return visit.page("station.html", station=_station(found, rooms))


@get("/uses/{use:str}", opt={"call": "GET availability"})
async def use(visit: TheVisit, use: FromPath[str]) -> Response[str]:
    """The rooms where one can do something, with the next time that each is free."""
    async with visit.reading("availability") as snapshot:
        rooms = await availability.rooms(snapshot, use=use)
        if not rooms:
            raise Problem("not_found", DENIALS["not_found", "use"].say)
        rules = await availability.rules(snapshot)
        today = visit.calendar.today
        last = today + timedelta(days=rules.book.ahead_days_max)
        grids = await availability.of(snapshot, today, last, visit.now, use=use, person=visit.quota_of)
    free = {grid.room: day.first_free(grid.days) for grid in grids}
    return visit.page("uses.html", use=use, rooms=[(room, free.get(room.id)) for room in rooms])


@get("/rooms/{room:str}", opt={"call": "GET availability"})
async def room(
    visit: TheVisit,
    room: FromPath[str],
    use: FromQuery[str | None] = None,
    on: Annotated[str | None, QueryParameter(name="day")] = None,
) -> Response[str]:
    """A room's day in one of its uses."""
    async with visit.reading("availability") as snapshot:
        found = await room_of(snapshot, room)
        rules = await availability.rules(snapshot)
        today = visit.calendar.today
        last = today + timedelta(days=min(rules.book.ahead_days_max, DAYS_AHEAD_MAX))
        served, wanted = use_of(found, use), day_of(on, today, last)
        grids = await availability.of(
            snapshot, today, last, visit.now, room=room, use=served.use, person=visit.quota_of
        )
    days = grids[0].days
    slots = next(one.slots for one in days if one.date == wanted)
    closed = day.closed(slots, visit.language, visit.zone)
    free = day.first_free(one for one in days if one.date > wanted) or day.first_free(days)
    return visit.page(
        "room.html",
        room=found,
        use=served,
        date=wanted,
        days=day.strip(days, visit.calendar),
        grid=day.parts(slots, visit.language, visit.zone),
        closed_all_day=closed,
        next_free=local_day(free.start, visit.zone) if closed and free else None,
        before=wanted - timedelta(days=1) if wanted > today else None,
        after=wanted + timedelta(days=1) if wanted < last else None,
        book=rules.book,
        books=visit.may_at("POST bookings", found.station.id),
        desk=visit.may_at("GET bookings/{booking}", found.station.id) and visit.quota_of is None,
        closes=visit.may_at("POST rooms/{room}/close", found.station.id),
    )


async def room_of(snapshot: Snapshot, id_: str) -> RoomView:
    """The room of an address. Raises a Problem."""
    found = await availability.room(snapshot, id_)
    if found is None:
        raise Problem("not_found", DENIALS["not_found", "room"].say)
    return found


def use_of(room: RoomView, use: str | None) -> UseView:
    """The use of an address, else the room's first. Raises a Problem."""
    if use is None:
        return room.uses[0]
    found = next((one for one in room.uses if one.use == use), None)
    if found is None:
        raise Problem("not_found", DENIALS["not_found", "use"].say)
    return found


def day_of(text: str | None, first: date, last: date) -> date:
    """The day of an address, where the grid has it; else the first."""
    try:
        wanted = date.fromisoformat(text or "")
    except ValueError:
        return first
    return wanted if first <= wanted <= last else first


def _station(station: StationView, rooms: list[RoomView]) -> dict[str, Any]:
    return {
        "id": station.id,
        "name": station.name,
        "power": station.power,
        "theme": station.theme,
        "rooms": rooms,
        "uses": list(dict.fromkeys(use.use for room in rooms for use in room.uses)),
        "spaces": [
            {"name": space.name, "rooms": [room for room in rooms if room.space.id == space.id]}
            for space in station.spaces
        ],
    }


HANDLERS = (home, station, use, room)

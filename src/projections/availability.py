"""What is free in a room on a day, and why the rest is not: the deciders' states by tag, and the grid drawn of them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import BigInteger, Column, Index, MetaData, Select, Table, Text, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.places.events import SUBDISTRICT, Resource, Room, Space, Station, Subdistrict
from booking.reservations.room_view import (
    PlaceName,
    ResourceView,
    RoomView,
    UseView,
    resource_view,
    room_view,
)
from booking.reservations.states import PersonMonth, ResourceDay
from booking.rules.events import RULES, HouseRules
from booking.state import Kind
from booking.takes import resource_tag
from projections import bulk
from projections.boards import (
    K,
    NotOpened,
    Sought,
    Tag,
    all_of,
    at,
    board_of,
    extent_of,
    of_kind,
    rooms_of,
    tags_of,
    zone_of,
)
from projections.grid import Board, Day, RoomUse, Slot
from projections.read_model import Followed, Memory, Question
from projections.reading import Snapshot

__all__ = [
    "Board", "Day", "NotOpened", "PlaceName", "ResourceView", "RoomName", "RoomUse", "RoomView", "Slot", "StationView",
    "UseView", "apply", "board", "of", "resources", "room", "room_names", "rooms", "rules", "stations", "subdistrict",
    "zone",
]  # fmt: skip

NAME = "availability"
KINDS: tuple[type[Kind], ...] = (Subdistrict, Station, Space, Resource, Room, HouseRules, ResourceDay, PersonMonth)
VERSION = "1"
# A state of another shape than the kept one cannot be read.
HOLDS = hashlib.sha256(msgspec.json.encode(msgspec.json.schema_components(KINDS), order="sorted")).hexdigest()
TABLES = MetaData(schema=NAME)

states = Table(
    "states",
    TABLES,
    Column("subdistrict", Text(collation="C"), primary_key=True),
    Column("tag", Text(collation="C"), primary_key=True),
    Column("kind", Text, nullable=False),
    # The position of the tag's first event: places are shown in the order in which they were opened.
    Column("since", BigInteger, nullable=False),
    # The position of its last one: whoever keeps states reads those that have changed since.
    Column("position", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)
Index("states_kind", states.c.subdistrict, states.c.kind)
Index("states_position", states.c.subdistrict, states.c.position)

_KINDS = {kind.__name__: kind for kind in KINDS}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}
_KEEP = bulk.keeping(states, ("state", "position"))
_ENCODER = msgspec.json.Encoder()
PLACES = (Subdistrict, Station, Space, Resource, Room, HouseRules)


class StationView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    power: str
    theme: str
    spaces: tuple[PlaceName, ...] = ()


class RoomName(msgspec.Struct, frozen=True, kw_only=True):
    """What a room and its station are called."""

    name: str
    station: str


async def apply(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], memory: Memory) -> None:
    """Move the state of every tag on by the events, as the deciders do."""
    moves = [(tag, kind, event.recorded) for event in events for tag in event.recorded.tags() if (kind := kind_of(tag))]
    if not moves:
        return
    since = {tag: recorded.position for tag, _, recorded in reversed(moves)}
    position = {tag: recorded.position for tag, _, recorded in moves}
    kept: dict[Tag, Kind] = {tag: memory.pop(tag) for tag in since if tag in memory}
    kept |= await _kept(connection, subdistrict, since.keys() - kept.keys())
    for tag, kind, recorded in moves:
        kept[tag] = (kept.get(tag) or kind()).evolve(recorded, tag)
    rows = [
        {
            "subdistrict": subdistrict,
            "tag": tag,
            "kind": type(state).__name__,
            "since": since[tag],
            "position": position[tag],
            "state": _ENCODER.encode(state).decode(),
        }
        for tag, state in kept.items()
    ]
    await connection.execute(_KEEP, bulk.arrays(states, rows))
    memory |= kept


def kind_of(tag: str) -> type[Kind] | None:
    """Which state the events of a tag make here; None for tags that no slot is judged by."""
    first, _, rest = tag.partition(":")
    match first:
        case "resource":
            return ResourceDay if ":" in rest else Resource
        case "person":
            return PersonMonth
    return _KIND_OF.get(first)


_KIND_OF: dict[str, type[Kind]] = {
    SUBDISTRICT: Subdistrict,
    RULES: HouseRules,
    "station": Station,
    "space": Space,
    "room": Room,
}


async def zone(snapshot: Snapshot) -> ZoneInfo:
    """The subdistrict's time zone. Raises `NotOpened`."""
    found = await _kept(snapshot.connection, snapshot.subdistrict, [SUBDISTRICT])
    return zone_of(found)


async def subdistrict(snapshot: Snapshot) -> Subdistrict:
    """The subdistrict with its name; without one until it is opened."""
    found = await _kept(snapshot.connection, snapshot.subdistrict, [SUBDISTRICT])
    return at(Subdistrict, SUBDISTRICT, found)


async def rules(snapshot: Snapshot) -> HouseRules:
    """The house rules in force; the defaults where the office has decided none."""
    found = await _kept(snapshot.connection, snapshot.subdistrict, [RULES])
    return at(HouseRules, RULES, found)


async def stations(snapshot: Snapshot) -> list[StationView]:
    """Every station with its spaces, in the order in which they were opened."""
    places = await _places(snapshot)
    spaces = [state.opened for state in all_of(Space, places) if state.opened]
    return [
        StationView(
            id=opened.station,
            name=opened.name,
            power=opened.power,
            theme=opened.theme,
            spaces=tuple(PlaceName(id=s.space, name=s.name) for s in spaces if s.station == opened.station),
        )
        for station in all_of(Station, places)
        if (opened := station.opened)
    ]


async def rooms(snapshot: Snapshot, station: str | None = None, use: str | None = None) -> list[RoomView]:
    """The rooms, or those of a station, or those that have a use, in the order in which they were opened."""
    places = await _places(snapshot)
    return [_room_view(found, places) for found in rooms_of(places, None, station, use).values()]


async def room(snapshot: Snapshot, id_: str) -> RoomView | None:
    """A room; None where there is none of this id."""
    places = await _places(snapshot)
    found = rooms_of(places, id_, None, None)
    return _room_view(found[id_], places) if found else None


async def room_names(snapshot: Snapshot) -> dict[str, RoomName]:
    """What each room is called, by its id; those that have retired too, as what was booked in them is still told of."""
    places = await _places(snapshot)
    stations = {opened.station: opened.name for station in all_of(Station, places) if (opened := station.opened)}
    return {
        found.room: RoomName(name=definition.name, station=stations.get(definition.station, definition.station))
        for found in all_of(Room, places)
        if (definition := found.definition or found.retired)
    }


async def resources(snapshot: Snapshot, station: str | None = None) -> list[ResourceView]:
    """What bookings take up, or that of a station, in the order in which it was opened."""
    return [
        resource_view(tag.removeprefix(resource_tag("")), state)
        for tag, state in of_kind(Resource, await _places(snapshot))
        if station in (None, state.station)
    ]


async def of(
    snapshot: Snapshot,
    first_day: date,
    last_day: date,
    now: datetime,
    *,
    room: str | None = None,
    station: str | None = None,
    use: str | None = None,
    person: str | None = None,
) -> list[RoomUse]:
    """The grid from one local day to another, both included, at `now`; with `person`, as the quota lets that one.

    Raises `NotOpened`.
    """
    known = await board(snapshot, first_day, last_day, now, room=room, station=station, use=use, person=person)
    return known.draw(use)


async def board(
    snapshot: Snapshot,
    first_day: date,
    last_day: date,
    now: datetime,
    *,
    room: str | None = None,
    station: str | None = None,
    use: str | None = None,
    person: str | None = None,
) -> Board:
    """What the grid is drawn from: of use after the snapshot has ended too. Raises `NotOpened`."""
    sought = Sought(first_day, last_day, room, station, use, person)
    places, now = await _places(snapshot), snapshot.not_before(now)
    extent = extent_of(sought, places)
    kept = await _kept(snapshot.connection, snapshot.subdistrict, tags_of(sought, extent, places, now))
    return board_of(sought, extent, places, kept, now)


def _room_view(found: Room, places: Mapping[Tag, Kind]) -> RoomView:
    def state_at(kind: type[K], tag: str, /) -> K:
        return at(kind, tag, places)

    return room_view(found, state_at)


# All but days and people: a few hundred small rows.
async def _places(snapshot: Snapshot) -> dict[Tag, Kind]:
    kinds = [kind.__name__ for kind in PLACES]
    asked = (
        select(states.c.tag, states.c.kind, states.c.state)
        .where(states.c.subdistrict == snapshot.subdistrict, states.c.kind.in_(kinds))
        .order_by(states.c.since, states.c.tag)
    )
    return {tag: decoded(kind, state) for tag, kind, state in await snapshot.connection.execute(asked)}


async def _kept(connection: AsyncConnection, subdistrict: str, tags: Collection[str]) -> dict[Tag, Kind]:
    if not tags:
        return {}
    found = await connection.execute(states_at(subdistrict, tags))
    return {tag: decoded(kind, state) for tag, kind, state in found}


def empty(tag: Tag) -> Kind:
    """The state of a tag that has had no event."""
    kind = kind_of(tag)
    assert kind is not None, tag
    return kind()


def states_at(subdistrict: str, tags: Iterable[str]) -> Select[str, str, str]:
    """The states of these tags, all in one statement, each by primary key.

    LATERAL keeps it so whatever the statistics say, which are none while a read model is young; OFFSET keeps the inner
    query from being pulled up.
    """
    asked = func.unnest(literal(list(tags), ARRAY(Text))).table_valued("tag", name="asked").render_derived()
    one = select(states.c.tag, states.c.kind, states.c.state).where(
        states.c.subdistrict == subdistrict, states.c.tag == asked.c.tag
    )
    found = one.offset(0).lateral("found")
    return select(found.c.tag, found.c.kind, found.c.state).select_from(asked.join(found, true()))


def decoded(kind: str, state: str) -> Kind:
    """A state as the table keeps it."""
    return _DECODERS[kind].decode(state)


QUESTION = Question(name=NAME, version=VERSION, tables=TABLES, apply=apply, holds=HOLDS)

"""What can be asked of the places: open, change, replace and close rooms and what they consist of."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET, UnsetType

from booking.local_time import is_zone
from booking.messages import Ask, Command, Count, Decision, Denied, Id, Name, Reason, Recorded, Slug
from booking.places import rooms
from booking.places.events import (
    SUBDISTRICT,
    ChangeRefused,
    GivenUp,
    Resource,
    ResourceChanged,
    ResourceOpened,
    Space,
    SpaceOpened,
    Station,
    StationOpened,
    Subdistrict,
    SubdistrictOpened,
    space_tag,
    station_tag,
)
from booking.places.rooms import (
    CLOSE_REASONS,
    ChangeRoom,
    CloseRoom,
    OpenRoom,
    ReopenRoom,
    ReplaceRooms,
    no_station_of,
)
from booking.state import State, TagRange
from booking.takes import resource_tag

__all__ = [
    "CLOSE_REASONS", "COMMANDS", "ChangeResource", "ChangeRoom", "CloseRoom", "OpenResource", "OpenRoom", "OpenSpace",
    "OpenStation", "OpenSubdistrict", "ReopenRoom", "ReplaceRooms", "answer", "decide", "tags",
]  # fmt: skip


class OpenSubdistrict(Command, frozen=True, kw_only=True):
    name: Name
    time_zone: Id


class OpenStation(Command, frozen=True, kw_only=True):
    station: Slug
    name: Name
    power: Name
    theme: Name


class OpenSpace(Command, frozen=True, kw_only=True):
    space: Slug
    station: Slug
    name: Name


class OpenResource(Command, frozen=True, kw_only=True):
    resource: Slug
    station: Slug
    name: Name
    capacity: Count


class ChangeResource(Command, frozen=True, kw_only=True):
    """Change what is set here; the rest stays. Live bookings that no longer fit must be named in `cancels`."""

    resource: Slug
    capacity: Count | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    cancels: GivenUp = ()


def tags(ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
    yield SUBDISTRICT
    match ask.command:
        case OpenStation(station=station):
            yield station_tag(station)
        case OpenSpace(space=space, station=station):
            yield from (space_tag(space), station_tag(station))
        case OpenResource(resource=resource, station=station):
            yield from (resource_tag(resource), station_tag(station))
        case ChangeResource(resource=resource):
            yield resource_tag(resource)
        case OpenRoom() | ChangeRoom() | ReplaceRooms() | CloseRoom() | ReopenRoom() as command:
            yield from rooms.tags(command, state)


def decide(ask: Ask, state: State, now: datetime) -> Decision:
    """Opening what is there already, exactly so, changes nothing and makes no event.

    Otherwise a subdistrict, a station or a space takes over its new words; a room or a resource is refused, as
    bookings may stand on it: a change asks for them.
    """
    match ask.command:
        case OpenSubdistrict() as command:
            return _open_subdistrict(ask, command, state)
        case OpenStation() as command:
            return _open_station(ask, command, state)
        case OpenSpace() as command:
            return _open_space(ask, command, state)
        case OpenResource() as command:
            return _open_resource(ask, command, state)
        case ChangeResource() as command:
            return _change_resource(ask, command, state)
        case OpenRoom() | ChangeRoom() | ReplaceRooms() | CloseRoom() | ReopenRoom() as command:
            return rooms.decide(ask, command, state, now)
    raise TypeError(f"places does not decide {type(ask.command).__name__}")


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    """Whether anything changed."""
    return {"changed": bool(events)} if type(ask.command) in COMMANDS else {}


def _open_subdistrict(ask: Ask, command: OpenSubdistrict, state: State) -> Decision:
    if ask.asker.scope != "all":
        return Denied(code="forbidden", what="subdistrict")
    known = state.at(Subdistrict, SUBDISTRICT)
    if not is_zone(command.time_zone) or known.time_zone not in ("", command.time_zone):
        return Denied(code="not_valid", what="time_zone")
    if command.name == known.name:
        return []
    return [SubdistrictOpened(name=command.name, time_zone=command.time_zone)]


def _open_station(ask: Ask, command: OpenStation, state: State) -> Decision:
    if ask.asker.scope != "all":
        return Denied(code="forbidden", what="subdistrict")
    wanted = StationOpened(station=command.station, name=command.name, power=command.power, theme=command.theme)
    return [] if state.at(Station, station_tag(command.station)).opened == wanted else [wanted]


def _open_space(ask: Ask, command: OpenSpace, state: State) -> Decision:
    if denied := no_station_of(ask, command.station, state):
        return denied
    wanted = SpaceOpened(space=command.space, station=command.station, name=command.name)
    return [] if state.at(Space, space_tag(command.space)).opened == wanted else [wanted]


def _open_resource(ask: Ask, command: OpenResource, state: State) -> Decision:
    if denied := no_station_of(ask, command.station, state):
        return denied
    known = state.at(Resource, resource_tag(command.resource))
    wanted = Resource(name=command.name, station=command.station, capacity=command.capacity)
    if known == wanted:
        return []
    if known.capacity:
        reason = Reason(rule="already_open", actual=command.resource)
        return [ChangeRefused(asked="open", resource=command.resource, reasons=(reason,))]
    return [
        ResourceOpened(resource=command.resource, station=command.station, name=command.name, capacity=command.capacity)
    ]


def _change_resource(ask: Ask, command: ChangeResource, state: State) -> Decision:
    known = state.at(Resource, resource_tag(command.resource))
    if not known.capacity:
        return Denied(code="not_found", what="resource")
    if not ask.asker.may_touch(person=None, station=known.station):
        return Denied(code="forbidden", what="resource")
    capacity = known.capacity if command.capacity is UNSET else command.capacity
    name = None if command.name in (UNSET, known.name) else command.name
    if capacity == known.capacity and not name:
        return []
    return [ResourceChanged(resource=command.resource, capacity=capacity, name=name, cancels=command.cancels)]


COMMANDS: tuple[type[Command], ...] = (
    OpenSubdistrict, OpenStation, OpenSpace, OpenResource, ChangeResource, OpenRoom, ChangeRoom, ReplaceRooms,
    CloseRoom, ReopenRoom,
)  # fmt: skip

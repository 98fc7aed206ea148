"""What can be asked of the places: open, change and close rooms and what they consist of."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec

from booking.local_time import are_apart, is_zone
from booking.messages import Ask, Command, Count, Decision, Denied, Id, Name, Reason, Recorded, Slug
from booking.places.events import (
    SUBDISTRICT,
    ChangeRefused,
    Resource,
    ResourceChanged,
    ResourceOpened,
    Room,
    RoomChanged,
    RoomClosed,
    RoomDefinition,
    RoomOpened,
    RoomReopened,
    Space,
    SpaceOpened,
    Station,
    StationOpened,
    Subdistrict,
    SubdistrictOpened,
    Use,
    room_tag,
    space_tag,
    station_tag,
)
from booking.state import State, TagRange
from booking.takes import resource_tag

CLOSE_REASONS = ("maintenance", "cleaning", "station_activity", "holiday", "safety", "other")
CloseReason = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(CLOSE_REASONS)})$")]


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
    """Set a resource's capacity. Live bookings that no longer fit must be named in `cancels`."""

    resource: Slug
    capacity: Count
    cancels: tuple[Id, ...] = ()


class OpenRoom(Command, frozen=True, kw_only=True):
    room: Slug
    definition: RoomDefinition


class ChangeRoom(Command, frozen=True, kw_only=True):
    """Give a room another definition. Live bookings that no longer fit must be named in `cancels`."""

    room: Slug
    definition: RoomDefinition
    cancels: tuple[Id, ...] = ()


class CloseRoom(Command, frozen=True, kw_only=True):
    """Close a room from `start` up to `end`, or until further notice; what lies ahead in it is cancelled."""

    room: Slug
    start: datetime
    reason: CloseReason
    end: datetime | None = None


class ReopenRoom(Command, frozen=True, kw_only=True):
    """Take back a closure from `start` up to `end`, or for good."""

    room: Slug
    start: datetime
    end: datetime | None = None


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
        case OpenRoom(room=room, definition=definition) | ChangeRoom(room=room, definition=definition):
            yield room_tag(room)
            yield from (station_tag(definition.station), space_tag(definition.space))
            yield from map(resource_tag, definition.resources())
        case CloseRoom(room=room) | ReopenRoom(room=room):
            yield room_tag(room)


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
        case OpenRoom() as command:
            return _open_room(ask, command, state)
        case ChangeRoom() as command:
            return _change_room(ask, command, state)
        case CloseRoom() as command:
            return _close_room(ask, command, state, now)
        case ReopenRoom() as command:
            return _reopen_room(ask, command, state)
    raise TypeError(f"places does not decide {type(ask.command).__name__}")


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    """Whether anything changed."""
    return {"changed": bool(events)} if isinstance(ask.command, COMMANDS) else {}


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
    if denied := _no_station_of(ask, command.station, state):
        return denied
    wanted = SpaceOpened(space=command.space, station=command.station, name=command.name)
    return [] if state.at(Space, space_tag(command.space)).opened == wanted else [wanted]


def _open_resource(ask: Ask, command: OpenResource, state: State) -> Decision:
    if denied := _no_station_of(ask, command.station, state):
        return denied
    known = state.at(Resource, resource_tag(command.resource))
    wanted = Resource(name=command.name, station=command.station, capacity=command.capacity)
    if known == wanted:
        return []
    if known.capacity:
        return [ChangeRefused(asked="open", resource=command.resource, reasons=(Reason(rule="already_open"),))]
    return [
        ResourceOpened(resource=command.resource, station=command.station, name=command.name, capacity=command.capacity)
    ]


def _change_resource(ask: Ask, command: ChangeResource, state: State) -> Decision:
    known = state.at(Resource, resource_tag(command.resource))
    if not known.capacity:
        return Denied(code="not_found", what="resource")
    if not ask.asker.may_touch(person=None, station=known.station):
        return Denied(code="forbidden", what="resource")
    if known.capacity == command.capacity:
        return []
    return [ResourceChanged(resource=command.resource, capacity=command.capacity, cancels=command.cancels)]


def _open_room(ask: Ask, command: OpenRoom, state: State) -> Decision:
    if denied := _no_station_of(ask, command.definition.station, state) or _faulty(command.definition, state):
        return denied
    known = state.at(Room, room_tag(command.room)).definition
    if known == command.definition:
        return []
    if known is not None:
        return [ChangeRefused(asked="open", room=command.room, reasons=(Reason(rule="already_open"),))]
    return [RoomOpened(room=command.room, definition=command.definition)]


def _change_room(ask: Ask, command: ChangeRoom, state: State) -> Decision:
    known = _own_room(ask, command.room, state)
    if isinstance(known, Denied):
        return known
    if command.definition.station != known.station:
        return Denied(code="not_valid", what="station")
    if denied := _faulty(command.definition, state):
        return denied
    if known == command.definition:
        return []
    return [RoomChanged(room=command.room, definition=command.definition, cancels=command.cancels)]


def _close_room(ask: Ask, command: CloseRoom, state: State, now: datetime) -> Decision:
    known = _own_room(ask, command.room, state)
    if isinstance(known, Denied):
        return known
    if command.end is not None and command.end <= command.start:
        return Denied(code="not_valid", what="end")
    if command.end is not None and command.end <= now:
        # It would close nothing, and say of a day that was open that it was not.
        return [ChangeRefused(asked="close", room=command.room, reasons=(Reason(rule="in_the_past"),))]
    closed = RoomClosed(
        room=command.room, start=command.start, end=command.end, reason=command.reason, note=ask.digest_of("note")
    )
    return [closed]


def _reopen_room(ask: Ask, command: ReopenRoom, state: State) -> Decision:
    known = _own_room(ask, command.room, state)
    if isinstance(known, Denied):
        return known
    if command.end is not None and command.end <= command.start:
        return Denied(code="not_valid", what="end")
    return [RoomReopened(room=command.room, start=command.start, end=command.end)]


def _own_room(ask: Ask, room: str, state: State) -> RoomDefinition | Denied:
    definition = state.at(Room, room_tag(room)).definition
    if definition is None:
        return Denied(code="not_found", what="room")
    if not ask.asker.may_touch(person=None, station=definition.station):
        return Denied(code="forbidden", what="room")
    return definition


def _no_station_of(ask: Ask, station: str, state: State) -> Denied | None:
    """Why nothing can be opened at this station by who asks; None where it can."""
    if state.at(Station, station_tag(station)).opened is None:
        return Denied(code="not_found", what="station")
    if not ask.asker.may_touch(person=None, station=station):
        return Denied(code="forbidden", what="station")
    return None


def _faulty(definition: RoomDefinition, state: State) -> Denied | None:
    """What the definition names and nobody opened at its station, or what contradicts itself in it."""
    space = state.at(Space, space_tag(definition.space)).opened
    if space is None:
        return Denied(code="not_found", what="space")
    if space.station != definition.station:
        return Denied(code="not_valid", what="space")
    if not _are_distinct(definition.uses):
        return Denied(code="not_valid", what="uses")
    if not are_apart(definition.hours):
        return Denied(code="not_valid", what="hours")
    resources = [state.at(Resource, resource_tag(resource)) for resource in definition.resources()]
    if not all(resource.capacity for resource in resources):
        return Denied(code="not_found", what="resource")
    if any(resource.station != definition.station for resource in resources):
        return Denied(code="not_valid", what="resource")
    return None


def _are_distinct(uses: tuple[Use, ...]) -> bool:
    """Whether there is a use, each is told by its name, and each takes something, no resource twice."""
    names = {use.use for use in uses}
    each_once = all(use.takes and len({take.resource for take in use.takes}) == len(use.takes) for use in uses)
    return bool(uses) and len(names) == len(uses) and each_once


COMMANDS: tuple[type[Command], ...] = (
    OpenSubdistrict, OpenStation, OpenSpace, OpenResource, ChangeResource, OpenRoom, ChangeRoom, CloseRoom, ReopenRoom,
)  # fmt: skip

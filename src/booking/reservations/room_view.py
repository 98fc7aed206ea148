"""A room as the catalogue shows it: what it serves for, how much of that can be booked at once, and when it is open."""

from typing import Protocol

import msgspec

from booking.local_time import ExtraHours, Hours
from booking.places.events import Resource, Room, Space, Station, Use, space_tag, station_tag
from booking.reservations.checks import hours_of, units_at_most
from booking.rules.events import RULES, HouseRules
from booking.state import K
from booking.takes import Take, resource_tag


class PlaceName(msgspec.Struct, frozen=True, kw_only=True):
    """A station or a space, by its id and its name."""

    id: str
    name: str


class UseView(msgspec.Struct, frozen=True, kw_only=True):
    """`units` is the most that can be booked at once; one of them takes `takes`."""

    use: str
    units: int
    slot_minutes: int
    approval: bool
    takes: tuple[Take, ...]


class RoomView(msgspec.Struct, frozen=True, kw_only=True):
    """A room. `open` are its own hours or those of the house rules, `extra_hours` what is open for a time beside."""

    id: str
    name: str
    station: PlaceName
    space: PlaceName
    uses: tuple[UseView, ...]
    open: tuple[Hours, ...]
    extra_hours: tuple[ExtraHours, ...]
    buffer_minutes: int
    seats: int | None
    sample: bool


class ResourceView(msgspec.Struct, frozen=True, kw_only=True):
    """What bookings take up, and how much of it there is."""

    id: str
    name: str
    station: str
    capacity: int


class Look(Protocol):
    """Finds the state of a tag, empty where it has no event."""

    def __call__(self, kind: type[K], tag: str, /) -> K: ...


def room_view(room: Room, at: Look) -> RoomView:
    """A room with what it stands on. Raises `ValueError` for one that is not there."""
    definition = room.definition
    if definition is None:
        raise ValueError("a room that is not there has no view")
    station = at(Station, station_tag(definition.station)).opened
    space = at(Space, space_tag(definition.space)).opened
    return RoomView(
        id=room.room,
        name=definition.name,
        station=PlaceName(id=definition.station, name=station.name if station else definition.station),
        space=PlaceName(id=definition.space, name=space.name if space else definition.space),
        uses=tuple(_use_view(use, at) for use in definition.uses),
        open=hours_of(definition, at(HouseRules, RULES)),
        extra_hours=definition.extra_hours,
        buffer_minutes=definition.buffer_minutes,
        seats=definition.seats,
        sample=definition.sample,
    )


def resource_view(id_: str, resource: Resource) -> ResourceView:
    """A resource as staff see it."""
    return ResourceView(id=id_, name=resource.name, station=resource.station, capacity=resource.capacity)


def _use_view(use: Use, at: Look) -> UseView:
    resources = {take.resource: at(Resource, resource_tag(take.resource)) for take in use.takes}
    return UseView(
        use=use.use,
        units=units_at_most(use, resources),
        slot_minutes=use.slot_minutes,
        approval=use.approval,
        takes=use.takes,
    )

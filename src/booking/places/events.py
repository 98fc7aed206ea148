"""What can happen to the places of a subdistrict, and the states Subdistrict, Station, Space, Resource and Room."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from booking.local_time import ExtraHours, Hours, Interval
from booking.messages import EVENTS_MAX, Count, Event, Id, Name, Recorded, Refusal, Slug
from booking.takes import Take, resource_tag

SUBDISTRICT = "subdistrict"
BUFFER_MINUTES_MAX = 720
"""The longest that a room is kept free after a booking: half a day, so that a buffer enters one more day at most."""


def station_tag(station: str) -> str:
    return f"station:{station}"


def space_tag(space: str) -> str:
    return f"space:{space}"


def room_tag(room: str) -> str:
    return f"room:{room}"


UseName = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Takes = Annotated[tuple[Take, ...], msgspec.Meta(max_length=20)]
SlotMinutes = Annotated[int, msgspec.Meta(ge=5, le=1440)]


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What a room serves as. One unit of the use takes `takes`; at most `units` can be booked at once."""

    use: UseName
    takes: Takes
    units: Count = 1
    slot_minutes: SlotMinutes = 60
    approval: bool = False


# What a room consists of is read whole when it is decided upon, so each of these has a bound.
Uses = Annotated[tuple[Use, ...], msgspec.Meta(max_length=30)]
WeekHours = Annotated[tuple[Hours, ...], msgspec.Meta(max_length=70)]
MoreHours = Annotated[tuple[ExtraHours, ...], msgspec.Meta(max_length=100)]
BufferMinutes = Annotated[int, msgspec.Meta(ge=0, le=BUFFER_MINUTES_MAX)]
GivenUp = Annotated[tuple[Id, ...], msgspec.Meta(max_length=EVENTS_MAX)]
"""The bookings that staff give up for a change: so many as one command can cancel."""


class RoomDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A room as the catalogue has it. No `hours` of its own: those of the house rules.

    `extra_hours` are open for a time beside these. `buffer_minutes` is kept free after each booking; `sample` marks
    figures that are not the station's own (示例值).
    """

    name: Name
    station: Slug
    space: Slug
    uses: Uses
    hours: WeekHours = ()
    extra_hours: MoreHours = ()
    buffer_minutes: BufferMinutes = 0
    seats: Count | None = None
    sample: bool = False

    def use_named(self, use: str) -> Use | None:
        return next((u for u in self.uses if u.use == use), None)

    def resources(self) -> tuple[str, ...]:
        """Every resource that one of the uses takes."""
        return tuple(dict.fromkeys(take.resource for use in self.uses for take in use.takes))


class SubdistrictOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    time_zone: str

    def tags(self) -> tuple[str, ...]:
        return (SUBDISTRICT,)


class StationOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    station: str
    name: str
    power: str
    theme: str

    def tags(self) -> tuple[str, ...]:
        return (station_tag(self.station),)


class SpaceOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    space: str
    station: str
    name: str

    def tags(self) -> tuple[str, ...]:
        return (space_tag(self.space),)


class ResourceOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    resource: str
    station: str
    name: str
    capacity: int

    def tags(self) -> tuple[str, ...]:
        return (resource_tag(self.resource),)


class ResourceChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The capacity changed, or the name did; `cancels` are the bookings that staff gave up for it."""

    resource: str
    capacity: int
    name: str | None = None
    cancels: tuple[str, ...] = ()

    def tags(self) -> tuple[str, ...]:
        return (resource_tag(self.resource),)


class RoomOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A room can be booked. From version 2 on its definition may have extra hours."""

    version: ClassVar[int] = 2

    room: str
    definition: RoomDefinition

    def tags(self) -> tuple[str, ...]:
        return (room_tag(self.room),)


class RoomChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The room has a new definition; `cancels` are the bookings that staff gave up for it.

    From version 2 on the definition may have extra hours.
    """

    version: ClassVar[int] = 2

    room: str
    definition: RoomDefinition
    cancels: tuple[str, ...] = ()

    def tags(self) -> tuple[str, ...]:
        return (room_tag(self.room),)


class NewRoom(msgspec.Struct, frozen=True, kw_only=True):
    """A room that takes the place of others."""

    room: Slug
    definition: RoomDefinition


class RoomRetired(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The room takes no new booking any more.

    `beside` are all that retired at once, this one among them, and `into` the rooms that were opened in their place:
    where their live bookings went. `cancels` are the bookings that staff gave up for it.
    """

    room: str
    beside: tuple[str, ...]
    into: tuple[NewRoom, ...] = ()
    cancels: tuple[str, ...] = ()

    def tags(self) -> tuple[str, ...]:
        return (room_tag(self.room),)


class RoomClosed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Closed from `start` up to `end`, or until further notice. `note` is the digest of a text in the vault."""

    room: str
    start: datetime
    end: datetime | None = None
    reason: str
    note: str | None = None

    def tags(self) -> tuple[str, ...]:
        return (room_tag(self.room),)

    def person_about(self) -> str | None:
        return f"room:{self.room}"


class RoomReopened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Open again from `start` up to `end` (or for good), whatever closure covers that time."""

    room: str
    start: datetime
    end: datetime | None = None

    def tags(self) -> tuple[str, ...]:
        return (room_tag(self.room),)


class ChangeRefused(Refusal, frozen=True, kw_only=True, omit_defaults=True):
    """A change of a room or a resource was refused, for bookings that it does not fit or for a rule."""

    asked: str
    room: str | None = None
    resource: str | None = None

    def tags(self) -> tuple[str, ...]:
        return (f"refused:{room_tag(self.room)}",) if self.room else (f"refused:{resource_tag(self.resource or '')}",)


class Subdistrict(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant. Its time zone never changes; empty until it is opened."""

    name: str = ""
    time_zone: str = ""

    def evolve(self, recorded: Recorded, tag: str) -> "Subdistrict":
        match recorded.event:
            case SubdistrictOpened(name=name, time_zone=time_zone):
                return Subdistrict(name=name, time_zone=time_zone)
        return self


class Station(msgspec.Struct, frozen=True, kw_only=True):
    opened: StationOpened | None = None

    def evolve(self, recorded: Recorded, tag: str) -> "Station":
        return Station(opened=recorded.event) if isinstance(recorded.event, StationOpened) else self


class Space(msgspec.Struct, frozen=True, kw_only=True):
    opened: SpaceOpened | None = None

    def evolve(self, recorded: Recorded, tag: str) -> "Space":
        return Space(opened=recorded.event) if isinstance(recorded.event, SpaceOpened) else self


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking takes up. A capacity of 0: it does not exist."""

    name: str = ""
    station: str = ""
    capacity: int = 0

    def evolve(self, recorded: Recorded, tag: str) -> "Resource":
        match recorded.event:
            case ResourceOpened(name=name, station=station, capacity=capacity):
                return Resource(name=name, station=station, capacity=capacity)
            case ResourceChanged(capacity=capacity, name=name):
                return Resource(name=name or self.name, station=self.station, capacity=capacity)
        return self


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """A time for which it was decided that a room is closed or, later and within it, open again.

    No end: until further notice.
    """

    start: datetime
    end: datetime | None
    closed: bool

    def covers(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A place that can be booked, with its closures in the order in which they were decided.

    The last one that covers a time holds. `retired` is what it was before it retired: then it has no definition.
    """

    room: str = ""
    definition: RoomDefinition | None = None
    closures: tuple[Closure, ...] = ()
    retired: RoomDefinition | None = None

    def evolve(self, recorded: Recorded, tag: str) -> "Room":
        match recorded.event:
            case RoomOpened(room=room, definition=definition) | RoomChanged(room=room, definition=definition):
                return Room(room=room, definition=definition, closures=self.closures)
            case RoomRetired(room=room):
                # Opened anew under its id, it is a new room: no closure of the old one holds for it.
                return Room(room=room, retired=self.definition)
            case RoomClosed(start=start, end=end):
                return self._with(Closure(start=start, end=end, closed=True))
            case RoomReopened(start=start, end=end):
                return self._with(Closure(start=start, end=end, closed=False))
        return self

    def _with(self, closure: Closure) -> "Room":
        return Room(room=self.room, definition=self.definition, closures=(*self.closures, closure))

    def is_closed(self, instant: datetime) -> bool:
        """Whether the last closure or reopening that covers this instant was a closure."""
        last = next((c for c in reversed(self.closures) if c.covers(instant)), None)
        return last is not None and last.closed

    def closed_within(self, interval: Interval) -> datetime | None:
        """The first instant of the interval at which the room is closed; None where all of it is open."""
        if not self.closures:
            return None
        return next((at for at in self._changes(interval.start) if at < interval.end and self.is_closed(at)), None)

    def opens_after(self, instant: datetime) -> datetime | None:
        """The first instant from this one on at which the room is not closed; None until further notice."""
        return next((at for at in self._changes(instant) if not self.is_closed(at)), None)

    def _changes(self, first: datetime) -> list[datetime]:
        """This instant and each later one at which the room may begin to be closed or open, in order."""
        edges = {edge for c in self.closures for edge in (c.start, c.end) if edge is not None and edge > first}
        return [first, *sorted(edges)]


EVENTS: tuple[type[Event], ...] = (
    SubdistrictOpened, StationOpened, SpaceOpened, ResourceOpened, ResourceChanged,
    RoomOpened, RoomChanged, RoomRetired, RoomClosed, RoomReopened, ChangeRefused,
)  # fmt: skip


def _as_it_is(data: dict[str, Any]) -> dict[str, Any]:
    """A definition that says nothing of extra hours has none."""
    return data


UPCASTERS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("RoomOpened", 1): _as_it_is,
    ("RoomChanged", 1): _as_it_is,
}

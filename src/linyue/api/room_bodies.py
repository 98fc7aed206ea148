"""What a request may bring about rooms and resources, and the commands that it asks for."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from booking.local_time import ExtraHours, Hours
from booking.messages import EVENTS_MAX, Slug
from booking.places.events import NewRoom, RoomDefinition, Use
from booking.places.rooms import ROOMS_AT_ONCE
from booking.takes import Take
from linyue.api.bodies import YEARS, Body, Count, Id, Instant, OpenForATime, OpenHours
from linyue.problems import wrong

_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
PlaceName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_NO_CONTROL)]
# `rooms/replace` is a call, and no room.
NewRoomId = Annotated[str, msgspec.Meta(pattern=r"^(?!replace$)[a-z0-9][a-z0-9-]{0,59}$")]
UseName = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=_NO_CONTROL)]
WeekHours = Annotated[list[OpenHours], msgspec.Meta(max_length=70)]
MoreHours = Annotated[list[OpenForATime], msgspec.Meta(max_length=100)]
BufferMinutes = Annotated[int, msgspec.Meta(ge=0, le=720)]
GivenUp = Annotated[list[Id], msgspec.Meta(max_length=EVENTS_MAX)]


class TakeGiven(Body, frozen=True, kw_only=True):
    """So many of a resource."""

    resource: Slug
    units: Count = 1


class UseGiven(Body, frozen=True, kw_only=True):
    """What a room serves as. Each unit of it takes `takes`; one request may have `units` of them."""

    use: UseName
    takes: Annotated[list[TakeGiven], msgspec.Meta(min_length=1, max_length=20)]
    units: Count = 1
    slot_minutes: Annotated[int, msgspec.Meta(ge=5, le=1440)] = 60
    approval: bool = False

    def as_use(self) -> Use:
        return Use(
            use=self.use,
            takes=tuple(Take(resource=take.resource, units=take.units) for take in self.takes),
            units=self.units,
            slot_minutes=self.slot_minutes,
            approval=self.approval,
        )


UsesGiven = Annotated[list[UseGiven], msgspec.Meta(min_length=1, max_length=30)]


class _Room(Body, frozen=True, kw_only=True):
    """A room. Without `hours` it is open when the house rules say; `extra_hours` are open beside these for a time."""

    name: PlaceName
    station: Slug
    space: Slug
    uses: UsesGiven
    hours: WeekHours = msgspec.field(default_factory=list)
    extra_hours: MoreHours = msgspec.field(default_factory=list)
    buffer_minutes: BufferMinutes = 0
    seats: Count | None = None
    sample: bool = False

    def definition(self) -> RoomDefinition:
        """Raises a Problem."""
        return RoomDefinition(
            name=self.name,
            station=self.station,
            space=self.space,
            uses=tuple(use.as_use() for use in self.uses),
            hours=week(self.hours),
            extra_hours=for_a_time(self.extra_hours),
            buffer_minutes=self.buffer_minutes,
            seats=self.seats,
            sample=self.sample,
        )


class RoomOpening(_Room, frozen=True, kw_only=True):
    """A new room. `id` may be left out; `dry_run` only says what it would be."""

    id: NewRoomId | None = None
    dry_run: bool = False


class RoomChanging(Body, frozen=True, kw_only=True):
    """What is to become another; what is left out stays. `uses`, `hours` and `extra_hours` are sent whole.

    `seats` null: no limit; no `hours`: those of the house rules. Live bookings that no longer fit must be named in
    `cancels`; `dry_run` lists them.
    """

    name: PlaceName | UnsetType = UNSET
    space: Slug | UnsetType = UNSET
    uses: UsesGiven | UnsetType = UNSET
    hours: WeekHours | UnsetType = UNSET
    extra_hours: MoreHours | UnsetType = UNSET
    buffer_minutes: BufferMinutes | UnsetType = UNSET
    seats: Count | UnsetType | None = UNSET
    sample: bool | UnsetType = UNSET
    cancels: GivenUp = msgspec.field(default_factory=list)
    dry_run: bool = False

    def changes(self) -> dict[str, Any]:
        """The fields of the room that become others. Raises a Problem."""
        plain = ("name", "space", "buffer_minutes", "seats", "sample")
        changes = {name: getattr(self, name) for name in plain if getattr(self, name) is not UNSET}
        if self.uses is not UNSET:
            changes["uses"] = tuple(use.as_use() for use in self.uses)
        if self.hours is not UNSET:
            changes["hours"] = week(self.hours)
        if self.extra_hours is not UNSET:
            changes["extra_hours"] = for_a_time(self.extra_hours)
        return changes


class RoomReopening(Body, frozen=True, kw_only=True):
    """Take back what is closed from `from` up to `to`; without `to`, for good."""

    from_: Instant = msgspec.field(name="from")
    to: Instant | None = None
    dry_run: bool = False


class RoomInPlace(_Room, frozen=True, kw_only=True):
    """A room in the place of others. It may have the id of one that retires."""

    id: NewRoomId

    def new_room(self) -> NewRoom:
        """Raises a Problem."""
        return NewRoom(room=self.id, definition=self.definition())


class RoomsReplacing(Body, frozen=True, kw_only=True):
    """Retire some rooms and open others in their place: two for one merge, one for two is split, for none is given up.

    Live bookings that no new room can serve must be named in `cancels`; `dry_run` lists them.
    """

    retire: Annotated[list[Slug], msgspec.Meta(min_length=1, max_length=ROOMS_AT_ONCE)]
    open: Annotated[list[RoomInPlace], msgspec.Meta(max_length=ROOMS_AT_ONCE)] = msgspec.field(default_factory=list)
    cancels: GivenUp = msgspec.field(default_factory=list)
    dry_run: bool = False


class ResourceOpening(Body, frozen=True, kw_only=True):
    """Something new that bookings take up, and how much of it there is. `id` may be left out."""

    id: Slug | None = None
    station: Slug
    name: PlaceName
    capacity: Count
    dry_run: bool = False


class ResourceChanging(Body, frozen=True, kw_only=True):
    """What is to become another; what is left out stays. Live bookings that no longer fit must be named in `cancels`.

    Those made first stay first; of those that are named, none stays that stands in another's way.
    """

    name: PlaceName | UnsetType = UNSET
    capacity: Count | UnsetType = UNSET
    cancels: GivenUp = msgspec.field(default_factory=list)
    dry_run: bool = False


def week(hours: WeekHours) -> tuple[Hours, ...]:
    """The hours of a week as a room has them."""
    return tuple(one.hours() for one in hours)


def for_a_time(extra: MoreHours) -> tuple[ExtraHours, ...]:
    """Extra hours as a room has them. Raises a Problem for a day that cannot be reckoned with."""
    for one in extra:
        for field in ("first_day", "last_day"):
            if getattr(one, field).year not in YEARS:
                raise wrong("far_year", field)
    return tuple(one.extra_hours() for one in extra)

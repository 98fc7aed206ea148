"""What can be asked of rooms: open, change, replace, close and reopen them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from booking.local_time import Interval, are_apart, are_valid
from booking.messages import Ask, Command, Count, Decision, Denied, Name, Reason, Slug
from booking.places.events import (
    BufferMinutes,
    ChangeRefused,
    GivenUp,
    MoreHours,
    NewRoom,
    Resource,
    Room,
    RoomChanged,
    RoomClosed,
    RoomDefinition,
    RoomOpened,
    RoomReopened,
    RoomRetired,
    Space,
    Station,
    Use,
    Uses,
    WeekHours,
    room_tag,
    space_tag,
    station_tag,
)
from booking.state import State
from booking.takes import resource_tag

_LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
CLOSE_REASONS = ("maintenance", "cleaning", "station_activity", "holiday", "safety", "other")
CloseReason = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(CLOSE_REASONS)})$")]


class OpenRoom(Command, frozen=True, kw_only=True):
    room: Slug
    definition: RoomDefinition


class ChangeRoom(Command, frozen=True, kw_only=True):
    """Change what is set here; the rest stays as it is when this is decided, so that nobody undoes another's change.

    Live bookings that no longer fit must be named in `cancels`.
    """

    room: Slug
    name: Name | UnsetType = UNSET
    station: Slug | UnsetType = UNSET
    space: Slug | UnsetType = UNSET
    uses: Uses | UnsetType = UNSET
    hours: WeekHours | UnsetType = UNSET
    extra_hours: MoreHours | UnsetType = UNSET
    buffer_minutes: BufferMinutes | UnsetType = UNSET
    seats: Count | UnsetType | None = UNSET
    sample: bool | UnsetType = UNSET
    cancels: GivenUp = ()

    @classmethod
    def to(cls, room: str, definition: RoomDefinition, cancels: tuple[str, ...] = ()) -> "ChangeRoom":
        """The change that leaves nothing of what the room was."""
        return cls(room=room, **msgspec.structs.asdict(definition), cancels=cancels)

    def of(self, definition: RoomDefinition) -> RoomDefinition:
        """What becomes of this definition."""
        given = {name: getattr(self, name) for name in RoomDefinition.__struct_fields__}
        return msgspec.structs.replace(
            definition, **{name: value for name, value in given.items() if value is not UNSET}
        )


ROOMS_AT_ONCE = 10
"""The most rooms that one command retires, or opens in their place."""


class ReplaceRooms(Command, frozen=True, kw_only=True):
    """Retire rooms and open others in their place, all of it or nothing: two merge into one, one is split in two.

    Their live bookings move to the first new room that can serve them. Those that none can serve must be named in
    `cancels`. Where nothing is opened, the rooms are just given up.
    """

    retire: Annotated[tuple[Slug, ...], msgspec.Meta(min_length=1, max_length=ROOMS_AT_ONCE)]
    open: Annotated[tuple[NewRoom, ...], msgspec.Meta(max_length=ROOMS_AT_ONCE)] = ()
    cancels: GivenUp = ()


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


RoomCommand = OpenRoom | ChangeRoom | ReplaceRooms | CloseRoom | ReopenRoom


def tags(command: RoomCommand, state: State) -> Iterable[str]:
    """The rooms, and what they stand on: of a room that is there already, once that is known."""
    match command:
        case OpenRoom(room=room, definition=definition):
            yield room_tag(room)
            yield from _parts_of(definition)
        case ReplaceRooms(retire=retire, open=opened):
            yield from map(room_tag, retire)
            for new in opened:
                yield room_tag(new.room)
                yield from _parts_of(new.definition)
        case ChangeRoom(room=room) | CloseRoom(room=room) | ReopenRoom(room=room):
            yield room_tag(room)
            if state.has(room_tag(room)) and (known := state.at(Room, room_tag(room)).definition):
                yield from _parts_of(command.of(known) if isinstance(command, ChangeRoom) else known)


def _parts_of(definition: RoomDefinition) -> Iterable[str]:
    """What a room stands on: its station, its space, its resources."""
    yield from (station_tag(definition.station), space_tag(definition.space))
    yield from map(resource_tag, definition.resources())


def decide(ask: Ask, command: RoomCommand, state: State, now: datetime) -> Decision:
    match command:
        case OpenRoom():
            return _open_room(ask, command, state)
        case ChangeRoom():
            return _change_room(ask, command, state)
        case ReplaceRooms():
            return _replace_rooms(ask, command, state)
        case CloseRoom():
            return _close_room(ask, command, state, now)
        case ReopenRoom():
            return _reopen_room(ask, command, state, now)


def _open_room(ask: Ask, command: OpenRoom, state: State) -> Decision:
    room, definition = command.room, command.definition
    if denied := _cannot_be_opened(ask, room, definition, state):
        return denied
    known = state.at(Room, room_tag(room)).definition
    if known == definition:
        return []
    return [_taken(room, "open")] if known else [RoomOpened(room=room, definition=definition)]


def _cannot_be_opened(ask: Ask, room: str, definition: RoomDefinition, state: State) -> Denied | None:
    """Why a room of this id cannot be so, whether or not there is one already."""
    if denied := no_station_of(ask, definition.station, state) or _faulty(definition, state):
        return denied
    retired = state.at(Room, room_tag(room)).retired
    # What was booked in it belongs to its station for good.
    return Denied(code="not_valid", what="station") if retired and retired.station != definition.station else None


def _taken(room: str, asked: str) -> ChangeRefused:
    return ChangeRefused(asked=asked, room=room, reasons=(Reason(rule="already_open", actual=room),))


def _change_room(ask: Ask, command: ChangeRoom, state: State) -> Decision:
    known = _own_room(ask, command.room, state)
    if isinstance(known, Denied):
        return known
    definition = command.of(known)
    if definition.station != known.station:
        return Denied(code="not_valid", what="station")
    if denied := _faulty(definition, state):
        return denied
    if known == definition:
        return []
    return [RoomChanged(room=command.room, definition=definition, cancels=command.cancels)]


def _replace_rooms(ask: Ask, command: ReplaceRooms, state: State) -> Decision:
    """Whoever replaces rooms replaces them at their station: each new room stands where each old one stood."""
    for name, rooms in (("retire", command.retire), ("open", [new.room for new in command.open])):
        if len(set(rooms)) != len(rooms):
            return Denied(code="not_valid", what=name)
    stations = {new.definition.station for new in command.open}
    for room in command.retire:
        known = _own_room(ask, room, state)
        if isinstance(known, Denied):
            return known
        stations.add(known.station)
    if len(stations) > 1:
        return Denied(code="not_valid", what="station")
    for new in command.open:
        if denied := _cannot_be_opened(ask, new.room, new.definition, state):
            return denied
        if new.room not in command.retire and state.at(Room, room_tag(new.room)).definition:
            return [_taken(new.room, "replace")]
    # First the old ones go: a new one may take over the id of one of them.
    return [
        *(
            RoomRetired(room=room, beside=command.retire, into=command.open, cancels=command.cancels)
            for room in command.retire
        ),
        *(RoomOpened(room=new.room, definition=new.definition) for new in command.open),
    ]


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


def _reopen_room(ask: Ask, command: ReopenRoom, state: State, now: datetime) -> Decision:
    """Where nothing is closed there is nothing to take back."""
    known = _own_room(ask, command.room, state)
    if isinstance(known, Denied):
        return known
    if command.end is not None and command.end <= command.start:
        return Denied(code="not_valid", what="end")
    if command.end is not None and command.end <= now:
        # Nobody can come any more, and that the room was closed stays true.
        return [ChangeRefused(asked="reopen", room=command.room, reasons=(Reason(rule="in_the_past"),))]
    ahead = Interval(max(command.start, now), command.end or _LAST_INSTANT)
    if state.at(Room, room_tag(command.room)).closed_within(ahead) is None:
        return []
    return [RoomReopened(room=command.room, start=command.start, end=command.end)]


def _own_room(ask: Ask, room: str, state: State) -> RoomDefinition | Denied:
    definition = state.at(Room, room_tag(room)).definition
    if definition is None:
        return Denied(code="not_found", what="room")
    if not ask.asker.may_touch(person=None, station=definition.station):
        return Denied(code="forbidden", what="room")
    return definition


def no_station_of(ask: Ask, station: str, state: State) -> Denied | None:
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
    if not are_valid(definition.extra_hours):
        return Denied(code="not_valid", what="extra_hours")
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

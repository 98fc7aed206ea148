"""What bookings do when a place changes.

A closure cancels them; a change that they do not fit is refused until it names them; where a room retires, they move.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypedDict

import msgspec

from booking.local_time import Interval, local_day, peak, zone_named
from booking.messages import EVENTS_MAX, Ask, Event, Reason, Recorded
from booking.places.decide import (
    ChangeResource,
    ChangeRoom,
    CloseRoom,
    OpenResource,
    OpenRoom,
    ReopenRoom,
    ReplaceRooms,
)
from booking.places.events import (
    SUBDISTRICT,
    ChangeRefused,
    Resource,
    ResourceChanged,
    Room,
    RoomChanged,
    RoomClosed,
    RoomDefinition,
    RoomRetired,
    Subdistrict,
    room_tag,
)
from booking.reservations.carry import carried
from booking.reservations.checks import open_on
from booking.reservations.events import BookingCancelled, BookingRescheduled, CancelReason
from booking.reservations.room_view import RoomView, resource_view, room_view
from booking.reservations.states import Hold, ResourceDay
from booking.rules.events import RULES, HouseRules
from booking.state import State, TagRange
from booking.takes import Take, resource_days, resource_tag


class Touched(TypedDict):
    """What every event that touches a booking's holds says of it."""

    booking: str
    room: str
    person: str
    resources: tuple[str, ...]
    days: tuple[str, ...]


def touched(booking: str, room: str, person: str, takes: tuple[Take, ...], days: tuple[str, ...]) -> Touched:
    resources = tuple(take.resource for take in takes)
    return Touched(booking=booking, room=room, person=person, resources=resources, days=days)


def tags(ask: Ask, state: State, now: datetime) -> Iterable[TagRange]:
    """The days ahead of every resource that the room's uses take, as far as the change reaches."""
    if not state.has(SUBDISTRICT):
        return
    match ask.command:
        case CloseRoom(room=room, start=start, end=end) if state.has(room_tag(room)):
            yield from _room_days(state, room, start, end)
        case ChangeRoom(room=room) if state.has(room_tag(room)):
            yield from _room_days(state, room, now, None)
        case ChangeResource(resource=resource):
            yield _days(state, resource, now, None)
        case ReplaceRooms(retire=retire, open=opened):
            for room in filter(lambda room: state.has(room_tag(room)), retire):
                yield from _room_days(state, room, now, None)
            for new in opened:
                yield from (_days(state, resource, now, None) for resource in new.definition.resources())


def follow(recorded: Recorded, state: State, now: datetime) -> list[Event]:
    """What befalls bookings by an event of places, or a ChangeRefused alone, which takes the command back."""
    match recorded.event:
        case RoomClosed(room=room, start=start, end=end):
            holds = _live_in_rooms(state, (room,), _room_days(state, room, start, end), now)
            # What is in use may have begun in a closed time that has passed: only what lies ahead is cancelled.
            ahead = [hold for hold in holds if _runs_into(hold, max(start, now), end)]
            return _settled(ahead, "room_closed", None, ChangeRefused(asked="close", room=room, reasons=()))
        case RoomChanged(room=room, definition=definition, cancels=cancels):
            holds = _live_in_rooms(state, (room,), _room_days(state, room, now, None), now)
            unfit = [hold for hold in holds if not _fits(hold, definition, state)]
            return _settled(unfit, "room_changed", cancels, ChangeRefused(asked="change", room=room, reasons=()))
        case ResourceChanged(resource=resource, capacity=capacity, cancels=cancels):
            holds = _live(state, [_days(state, resource, now, None)], now)
            unfit = list(_beyond(capacity, resource, holds, cancels, now))
            return _settled(
                unfit, "room_changed", cancels, ChangeRefused(asked="change", resource=resource, reasons=())
            )
        case RoomRetired(room=room, beside=beside) as retired if room == beside[0]:
            # All that retired at once lead to one answer, as their bookings want the same new rooms.
            return _retired(retired, state, now)
    return []


def _retired(retired: RoomRetired, state: State, now: datetime) -> list[Event]:
    opened, cancels = retired.into, retired.cancels
    ranges = [range_ for room in retired.beside for range_ in _room_days(state, room, now, None)]
    ranges += [_days(state, resource, now, None) for new in opened for resource in new.definition.resources()]
    live = _live(state, ranges, now)
    leaving = [hold for hold in live if hold.room in retired.beside]
    leaving.sort(key=lambda hold: (hold.booking in cancels, hold.life.made_at, hold.booking))
    moved, unfit = carried(leaving, [hold for hold in live if hold.room not in retired.beside], opened, state, now)
    refusal = ChangeRefused(asked="replace", room=retired.room, reasons=())
    own = len(retired.beside) + len(opened)
    return _settled(unfit, "room_changed", cancels, refusal, moved=moved, own=own)


def answer(ask: Ask, events: list[Recorded], state: State) -> dict[str, object]:
    """The place as it is after these events, and which bookings were cancelled for it, or would be."""
    match ask.command:
        case OpenRoom(room=room) | ChangeRoom(room=room) | CloseRoom(room=room) | ReopenRoom(room=room):
            return {"room": _room_after(room, events, state), "cancelled": _cancelled_by(events)}
        case OpenResource(resource=resource) | ChangeResource(resource=resource):
            after = state.at(Resource, resource_tag(resource))
            for recorded in _of_tag(resource_tag(resource), events):
                after = after.evolve(recorded, resource_tag(resource))
            return {"resource": resource_view(resource, after), "cancelled": _cancelled_by(events)}
        case ReplaceRooms(open=opened):
            moved = [r.event for r in events if isinstance(r.event, BookingRescheduled)]
            return {
                "rooms": [_room_after(new.room, events, state) for new in opened],
                "moved": [{"booking": event.booking, "room": event.room} for event in moved],
                "cancelled": _cancelled_by(events),
            }
    return {}


def _room_after(room: str, events: list[Recorded], state: State) -> RoomView:
    after = state.at(Room, room_tag(room))
    for recorded in _of_tag(room_tag(room), events):
        after = after.evolve(recorded, room_tag(room))
    return room_view(after, state.at)


def _of_tag(tag: str, events: list[Recorded]) -> list[Recorded]:
    return [recorded for recorded in events if tag in recorded.tags()]


def _cancelled_by(events: list[Recorded]) -> list[str]:
    return [recorded.event.booking for recorded in events if isinstance(recorded.event, BookingCancelled)]


def _room_days(state: State, room: str, start: datetime, end: datetime | None) -> list[TagRange]:
    definition = state.at(Room, room_tag(room)).definition
    return [_days(state, resource, start, end) for resource in definition.resources()] if definition else []


def _days(state: State, resource: str, start: datetime, end: datetime | None) -> TagRange:
    zone = zone_named(state.at(Subdistrict, SUBDISTRICT).time_zone)
    return resource_days(resource, str(local_day(start, zone)), str(local_day(end, zone)) if end else None)


def _live(state: State, ranges: Iterable[TagRange], now: datetime) -> list[Hold]:
    """Each live booking once, in the order of their starts."""
    holds = {
        booking: hold
        for range_ in ranges
        for _, day in state.within(ResourceDay, range_)
        for booking, hold in day.holds.items()
        if hold.life.is_live(now)
    }
    return sorted(holds.values(), key=_by_start)


def _by_start(hold: Hold) -> tuple[datetime, str]:
    return hold.life.start, hold.booking


def _live_in_rooms(state: State, rooms: tuple[str, ...], ranges: Iterable[TagRange], now: datetime) -> list[Hold]:
    return [hold for hold in _live(state, ranges, now) if hold.room in rooms]


def _runs_into(hold: Hold, start: datetime, end: datetime | None) -> bool:
    return start < hold.life.end and (end is None or max(hold.life.start, start) < end)


def _fits(hold: Hold, definition: RoomDefinition, state: State) -> bool:
    """Whether a booking could stay as it is in a room so defined: its use, what that takes, its hours, its people."""
    use = definition.use_named(hold.use)
    if use is None or hold.units > use.units:
        return False
    if hold.takes != tuple(Take(resource=take.resource, units=take.units * hold.units) for take in use.takes):
        return False
    if definition.seats is not None and (hold.attendees or 0) > definition.seats:
        return False
    zone = zone_named(state.at(Subdistrict, SUBDISTRICT).time_zone)
    slot = Interval(hold.life.start, hold.life.end)
    opens = open_on(local_day(slot.start, zone), definition, state.at(HouseRules, RULES), zone)
    return any(open_.contains(slot) for open_ in opens)


def _beyond(capacity: int, resource: str, live: list[Hold], cancels: tuple[str, ...], now: datetime) -> Iterator[Hold]:
    """What a smaller capacity has no room for: those that staff give up, then of the rest the ones made last."""
    kept: list[tuple[Interval, int]] = []
    for hold in sorted(live, key=lambda hold: (hold.booking in cancels, hold.life.made_at, hold.booking)):
        interval, units = hold.interval(now), hold.units_of(resource)
        if interval is None:
            continue
        if peak(kept, interval) + units > capacity:
            yield hold
        else:
            kept.append((interval, units))


def _settled(
    given_up: list[Hold],
    reason: CancelReason,
    named: tuple[str, ...] | None,
    refusal: ChangeRefused,
    *,
    moved: Iterable[Event] = (),
    own: int = 1,
) -> list[Event]:
    """What moves and what is given up; refused where that is too much beside the command's `own` events.

    And where a booking is given up that is not `named`; with None, none needs to be.
    """
    given_up = sorted(given_up, key=_by_start)
    touched_ = [*moved, *(_cancelled(hold, reason) for hold in given_up)]
    limit = EVENTS_MAX - own
    if len(touched_) > limit:
        too_many = Reason(rule="too_many_at_once", limit=limit, actual=len(touched_))
        return [msgspec.structs.replace(refusal, reasons=(too_many,))]
    unnamed = tuple(hold.booking for hold in given_up if named is not None and hold.booking not in named)
    if unnamed:
        unfit = Reason(rule="bookings_do_not_fit", limit=0, actual=len(unnamed), bookings=unnamed)
        return [msgspec.structs.replace(refusal, reasons=(unfit,))]
    return touched_


def _cancelled(hold: Hold, reason: CancelReason) -> Event:
    return BookingCancelled(**touched(hold.booking, hold.room, hold.person, hold.takes, hold.days), reason=reason)

"""What bookings do when a place changes.

A closure cancels them; a change that they do not fit is refused until it names them.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypedDict

import msgspec

from booking.local_time import Interval, local_day, open_intervals, peak, zone_named
from booking.messages import EVENTS_MAX, Ask, Event, Reason, Recorded
from booking.places.decide import ChangeResource, ChangeRoom, CloseRoom
from booking.places.events import (
    SUBDISTRICT,
    ChangeRefused,
    ResourceChanged,
    Room,
    RoomChanged,
    RoomClosed,
    RoomDefinition,
    Subdistrict,
    room_tag,
)
from booking.reservations.events import BookingCancelled, CancelReason
from booking.reservations.states import Hold, ResourceDay
from booking.rules.events import RULES, HouseRules
from booking.state import State, TagRange
from booking.takes import Take, resource_days


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


def follow(recorded: Recorded, state: State, now: datetime) -> list[Event]:
    """The cancellations that an event of places leads to, or a ChangeRefused alone, which takes the command back."""
    match recorded.event:
        case RoomClosed(room=room, start=start, end=end):
            holds = _live_in_room(state, room, _room_days(state, room, start, end), now)
            # What is in use may have begun in a closed time that has passed: only what lies ahead is cancelled.
            ahead = [hold for hold in holds if _runs_into(hold, max(start, now), end)]
            return _all_or_refused(ahead, "room_closed", ChangeRefused(asked="close", room=room, reasons=()))
        case RoomChanged(room=room, definition=definition, cancels=cancels):
            holds = _live_in_room(state, room, _room_days(state, room, now, None), now)
            unfit = [hold for hold in holds if not _fits(hold, definition, state)]
            return _given_up_or_refused(unfit, cancels, ChangeRefused(asked="change", room=room, reasons=()))
        case ResourceChanged(resource=resource, capacity=capacity, cancels=cancels):
            unfit = list(
                _beyond(capacity, resource, _live(state, [_days(state, resource, now, None)], now), cancels, now)
            )
            return _given_up_or_refused(unfit, cancels, ChangeRefused(asked="change", resource=resource, reasons=()))
    return []


def answer(ask: Ask, events: list[Recorded]) -> dict[str, object]:
    """Which bookings a change of places cancelled, or would cancel."""
    if not isinstance(ask.command, CloseRoom | ChangeRoom | ChangeResource):
        return {}
    return {
        "cancelled": [recorded.event.booking for recorded in events if isinstance(recorded.event, BookingCancelled)]
    }


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
    return sorted(holds.values(), key=lambda hold: (hold.life.start, hold.booking))


def _live_in_room(state: State, room: str, ranges: Iterable[TagRange], now: datetime) -> list[Hold]:
    return [hold for hold in _live(state, ranges, now) if hold.room == room]


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
    hours = definition.hours or state.at(HouseRules, RULES).book.hours
    slot = Interval(hold.life.start, hold.life.end)
    return any(open_.contains(slot) for open_ in open_intervals(local_day(slot.start, zone), hours, zone))


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


def _given_up_or_refused(unfit: list[Hold], cancels: tuple[str, ...], refusal: ChangeRefused) -> list[Event]:
    unnamed = tuple(hold.booking for hold in unfit if hold.booking not in cancels)
    if unnamed:
        reason = Reason(rule="bookings_do_not_fit", limit=0, actual=len(unnamed), bookings=unnamed)
        return [msgspec.structs.replace(refusal, reasons=(reason,))]
    return _all_or_refused(unfit, "room_changed", refusal)


def _all_or_refused(given_up: list[Hold], reason: CancelReason, refusal: ChangeRefused) -> list[Event]:
    """Beside the change itself, a command has room for so many cancellations."""
    limit = EVENTS_MAX - 1
    if len(given_up) > limit:
        too_many = Reason(rule="too_many_at_once", limit=limit, actual=len(given_up))
        return [msgspec.structs.replace(refusal, reasons=(too_many,))]
    return [_cancelled(hold, reason) for hold in given_up]


def _cancelled(hold: Hold, reason: CancelReason) -> Event:
    return BookingCancelled(**touched(hold.booking, hold.room, hold.person, hold.takes, hold.days), reason=reason)

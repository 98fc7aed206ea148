"""The live bookings of rooms that retire: each moves to the first new room that can serve it, as those made first."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from booking.local_time import Interval, days_touched
from booking.messages import Event
from booking.places.events import NewRoom, Resource, Room
from booking.reservations.checks import (
    Known,
    Wanted,
    broken,
    outside_hours,
    slot_taken,
    too_many_people,
    too_many_units,
)
from booking.reservations.events import BookingRescheduled, Left
from booking.reservations.slots import said_of, zone_of
from booking.reservations.states import Hold, ResourceDay
from booking.rules.events import RULES, HouseRules
from booking.state import State
from booking.takes import resource_day_tag, resource_tag

# What holds of a booking wherever it is. It was judged by the others when it was made, and nothing of it begins now.
_IN_ITS_PLACE = (outside_hours, too_many_units, too_many_people, slot_taken)


class Carried(NamedTuple):
    """What becomes of bookings: those that move, and those that no new room can serve."""

    moved: list[Event]
    unfit: list[Hold]


def carried(
    leaving: Iterable[Hold], staying: Iterable[Hold], into: tuple[NewRoom, ...], state: State, now: datetime
) -> Carried:
    """Find each of the `leaving` a place among those that stay; where there are not enough, who came last has none.

    The resources that the new rooms take must have been read, with their days ahead.
    """
    days: dict[str, dict[str, Hold]] = {}
    for hold in staying:
        _enter(days, hold)
    moved: list[Event] = []
    unfit: list[Hold] = []
    for hold in leaving:
        event = next(_places(hold, into, days, state, now), None)
        if event is None:
            unfit.append(hold)
            continue
        moved.append(event)
        _enter(days, _held_anew(hold, event, now))
    return Carried(moved, unfit)


def _places(
    hold: Hold, into: tuple[NewRoom, ...], days: dict[str, dict[str, Hold]], state: State, now: datetime
) -> Iterator[BookingRescheduled]:
    """The same booking in each new room that can serve it: for the same use, at the same time, for as many."""
    for new in into:
        wanted = _wanted(hold, new, now)
        if wanted is None:
            continue
        known = _known(wanted, days, state)
        if not broken(wanted, known, now, _IN_ITS_PLACE):
            resources = tuple(take.resource for take in hold.takes)
            yield BookingRescheduled(
                **said_of(wanted, known, booking=hold.booking, person=hold.person),
                left=Left(room=hold.room, resources=resources, days=hold.days),
                awaits=hold.life.confirmed_at is None,
                checked_in_at=hold.life.checked_in_at,
            )


def _wanted(hold: Hold, new: NewRoom, now: datetime) -> Wanted | None:
    use = new.definition.use_named(hold.use)
    if use is None:
        return None
    slot = Interval(hold.life.start, hold.life.end)
    held_until = slot.end + timedelta(minutes=new.definition.buffer_minutes)
    return Wanted(
        definition=new.definition,
        room=Room(room=new.room, definition=new.definition),
        use=use,
        units=hold.units,
        slot=slot,
        attendees=hold.attendees,
        holds=Interval(max(slot.start, now), held_until),
    )


def _known(wanted: Wanted, days: dict[str, dict[str, Hold]], state: State) -> Known:
    zone = zone_of(state)
    resources = [take.resource for take in wanted.use.takes]
    tags = [resource_day_tag(r, day) for r in resources for day in days_touched(wanted.held(), zone)]
    return Known(
        rules=state.at(HouseRules, RULES),
        zone=zone,
        resources={resource: state.at(Resource, resource_tag(resource)) for resource in resources},
        days={tag: ResourceDay(holds=days.get(tag, {})) for tag in tags},
    )


def _held_anew(hold: Hold, event: BookingRescheduled, now: datetime) -> Hold:
    return msgspec.structs.replace(
        hold, room=event.room, held_until=event.held_until, takes=event.takes, days=event.days, life=event.life(now)
    )


def _enter(days: dict[str, dict[str, Hold]], hold: Hold) -> None:
    for take in hold.takes:
        for day in hold.days:
            days.setdefault(resource_day_tag(take.resource, day), {})[hold.booking] = hold

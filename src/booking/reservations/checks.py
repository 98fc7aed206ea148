"""Every rule that judges a slot, as a function, in the order in which people are told.

The same functions decide a request and draw the grid: they take states, and do not care who read them.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from booking.local_time import (
    Hours,
    Interval,
    days_touched,
    grid,
    local_day,
    local_instant,
    minutes_of,
    months_between,
    on_grid,
    open_intervals,
    peak,
)
from booking.messages import Reason
from booking.places.events import Resource, Room, RoomDefinition, Use
from booking.reservations.states import PersonMonth, ResourceDay
from booking.rules.events import HouseRules
from booking.takes import resource_day_tag


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A slot of a room's use that somebody asks for, or that the grid draws."""

    definition: RoomDefinition
    room: Room
    use: Use
    units: int
    slot: Interval
    attendees: int | None = None
    holds: Interval | None = None
    """What it would hold, where that is not the slot and the room's buffer after it: what has passed holds nothing."""

    def held(self) -> Interval:
        """The slot and the buffer after it."""
        if self.holds is not None:
            return self.holds
        return Interval(self.slot.start, self.slot.end + timedelta(minutes=self.definition.buffer_minutes))


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The states that a slot is judged by.

    `days` by `resource_day_tag`; `months` are the person's, None where no quota binds. `leaving_out` is a booking that
    is to be changed: what it holds, and its place in the quota, do not stand in its own way.
    """

    rules: HouseRules
    zone: ZoneInfo
    resources: Mapping[str, Resource]
    days: Mapping[str, ResourceDay]
    months: tuple[PersonMonth, ...] | None = None
    leaving_out: str | None = None


Check = Callable[[Wanted, Known, datetime], Reason | None]


def broken(
    wanted: Wanted, known: Known, now: datetime, checks: "tuple[Check, ...] | None" = None
) -> tuple[Reason, ...]:
    """Every rule that says no to this slot at `now`, of all or of some; empty where it can be had."""
    return tuple([reason for check in checks or CHECKS if (reason := check(wanted, known, now))])


def units_at_most(use: Use, resources: Mapping[str, Resource]) -> int:
    """How many units of a use can be booked at once in an empty room."""
    return min(use.units, *(resources[take.resource].capacity // take.units for take in use.takes))


def free_units(wanted: Wanted, known: Known, now: datetime) -> int:
    """How many units of the use could still be booked in this slot, by what is taken alone."""
    held = wanted.held()
    left = (
        (known.resources[take.resource].capacity - taken(take.resource, held, known, now)) // take.units
        for take in wanted.use.takes
    )
    return max(0, min(wanted.use.units, *left))


def taken(resource: str, held: Interval, known: Known, now: datetime) -> int:
    """The most that live bookings take of a resource at one instant of the interval."""
    # Most of a day lies before or after: nothing holds before its start or beyond `held_until`.
    holds = {
        booking: hold
        for day in days_touched(held, known.zone)
        for booking, hold in known.days[resource_day_tag(resource, day)].holds.items()
        if hold.life.start < held.end and held.start < hold.held_until and booking != known.leaving_out
    }
    if not holds:
        return 0
    intervals = ((hold.interval(now), hold.units_of(resource)) for hold in holds.values())
    return peak(((interval, units) for interval, units in intervals if interval), held)


def too_many_units(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    limit = units_at_most(wanted.use, known.resources)
    return Reason(rule="too_many_units", limit=limit, actual=wanted.units) if wanted.units > limit else None


def too_many_people(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    seats, people = wanted.definition.seats, wanted.attendees
    if seats is None or people is None or people <= seats:
        return None
    return Reason(rule="too_many_people", limit=seats, actual=people)


def in_the_past(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    return Reason(rule="in_the_past") if wanted.slot.start <= now else None


def too_soon(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    lead = known.rules.book.lead_minutes_min
    if wanted.slot.start <= now or wanted.slot.start - now >= timedelta(minutes=lead):
        return None
    return Reason(rule="too_soon", limit=lead, actual=Interval(now, wanted.slot.start).minutes)


def too_long(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    limit = known.rules.book.duration_minutes_max
    length = wanted.slot.end - wanted.slot.start
    if length <= timedelta(minutes=limit):
        return None
    # Minutes that have begun: the figure of what is too long is above the limit.
    return Reason(rule="too_long", limit=limit, actual=-(-length // timedelta(minutes=1)))


def too_far_ahead(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    day = local_day(wanted.slot.start, known.zone)
    released = opens_for_booking(day, known)
    if now >= released:
        return None
    days = (day - local_day(now, known.zone)).days
    return Reason(rule="too_far_ahead", limit=known.rules.book.ahead_days_max, actual=days, possible_from=released)


def opens_for_booking(day: date, known: Known) -> datetime:
    """From which instant on a local day can be booked."""
    book = known.rules.book
    return local_instant(day - timedelta(days=book.ahead_days_max), minutes_of(book.release), known.zone)


def outside_hours(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    opens = _open_on_day_of(wanted, known)
    if any(open_.contains(wanted.slot) for open_ in opens):
        return None
    limit = " ".join(_as_text(open_, known.zone) for open_ in opens) or None
    return Reason(rule="outside_hours", limit=limit, actual=_as_text(wanted.slot, known.zone))


def off_grid(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    """The figures are the grid's step, and by how many minutes (rounded down) an end lies behind one of its lines."""
    around = next((o for o in _open_on_day_of(wanted, known) if o.contains(wanted.slot)), None)
    if around is None or on_grid(wanted.slot, around, wanted.use.slot_minutes):
        return None
    step = timedelta(minutes=wanted.use.slot_minutes)
    off = max((end - around.start) % step for end in (wanted.slot.start, wanted.slot.end))
    return Reason(rule="off_grid", limit=wanted.use.slot_minutes, actual=int(off.total_seconds() // 60))


def room_closed(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    closed = wanted.room.closed_within(wanted.slot)
    return Reason(rule="room_closed", possible_from=wanted.room.opens_after(closed)) if closed else None


def slot_taken(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    """The figures are those of the resource that is shortest: its capacity, and what is taken of it."""
    held = wanted.held()
    short: list[tuple[int, Reason]] = []
    for take in wanted.use.takes:
        capacity, taken_ = known.resources[take.resource].capacity, taken(take.resource, held, known, now)
        over = taken_ + take.units * wanted.units - capacity
        # Asking for more than there is, with nothing taken, is `too_many_units` and no one's taking.
        if over > 0 and taken_ > 0:
            short.append((over, Reason(rule="slot_taken", limit=capacity, actual=taken_)))
    return max(short, key=lambda pair: pair[0])[1] if short else None


def quota_reached(wanted: Wanted, known: Known, now: datetime) -> Reason | None:
    return used_up(known, now)


def used_up(known: Known, now: datetime) -> Reason | None:
    """That the person has as many open bookings as one may have, whatever slot is asked for."""
    if known.months is None:
        return None
    lives = {booking: life for month in known.months for booking, life in month.lives.items()}
    open_ = sum(life.is_live(now) for booking, life in lives.items() if booking != known.leaving_out)
    limit = known.rules.book.open_bookings_max
    return Reason(rule="quota_reached", limit=limit, actual=open_) if open_ >= limit else None


OF_THE_SLOT: tuple[Check, ...] = (
    room_closed, outside_hours, off_grid, too_long, too_many_units, too_many_people, slot_taken,
)  # fmt: skip
"""What a slot must keep to whoever has it: an approval is decided by these alone."""

OF_A_KEPT_START: tuple[Check, ...] = (*OF_THE_SLOT, quota_reached)
"""A booking that keeps its start: nothing begins that would have to be early or late enough."""

# Where one of them comes to depend on `now` in another way, `projections.grid.Board.until` must know from when on.
CHECKS: tuple[Check, ...] = (in_the_past, too_soon, too_far_ahead, *OF_A_KEPT_START)


def as_a_change(wanted: Wanted, start: datetime, now: datetime) -> tuple[Wanted, tuple[Check, ...]]:
    """A slot as a booking that has `start` is judged in it, and by what: one that keeps its start begins nothing."""
    if wanted.slot.start != start or wanted.slot.end <= now:
        return wanted, CHECKS
    return msgspec.structs.replace(wanted, holds=Interval(max(start, now), wanted.held().end)), OF_A_KEPT_START


STATION_PREFIX = "station:"
"""What the name begins with in which staff book for their station."""


def quota_months(person: str, rules: HouseRules, zone: ZoneInfo, now: datetime) -> tuple[str, ...]:
    """The local months in which an open booking of a person can lie: from yesterday's to the farthest horizon's.

    None for a station, which no quota binds.
    """
    if person.startswith(STATION_PREFIX):
        return ()
    today = local_day(now, zone)
    return months_between(today - timedelta(days=1), today + timedelta(days=rules.ahead_days_ever))


def hours_of(definition: RoomDefinition, rules: HouseRules) -> tuple[Hours, ...]:
    """The hours of a room's week: its own, else those of the house rules."""
    return definition.hours or rules.book.hours


def open_on(day: date, definition: RoomDefinition, rules: HouseRules, zone: ZoneInfo) -> tuple[Interval, ...]:
    """When a room is open on a local day, with its extra hours: for whoever decides and whoever draws."""
    return open_intervals(day, hours_of(definition, rules), zone, definition.extra_hours)


def slots_on(
    day: date, definition: RoomDefinition, use: Use, rules: HouseRules, zone: ZoneInfo
) -> tuple[Interval, ...]:
    """The slots of a use on a local day, in order."""
    return grid(day, hours_of(definition, rules), use.slot_minutes, zone, definition.extra_hours)


def _open_on_day_of(wanted: Wanted, known: Known) -> tuple[Interval, ...]:
    return open_on(local_day(wanted.slot.start, known.zone), wanted.definition, known.rules, known.zone)


def _as_text(interval: Interval, zone: ZoneInfo) -> str:
    start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
    return f"{start:%H:%M}-{'24:00' if end.hour == end.minute == 0 else f'{end:%H:%M}'}"

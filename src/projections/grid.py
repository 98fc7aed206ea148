"""The grid: what of a room's use is free in each slot of a day, and why the rest is not, by the checks that decide."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from booking.local_time import Interval, days_touched, local_day, local_instant
from booking.messages import Reason
from booking.places.events import Room, RoomDefinition, Use
from booking.reservations.checks import (
    CHECKS,
    Check,
    Known,
    Wanted,
    broken,
    free_units,
    opens_for_booking,
    slots_on,
    units_at_most,
)
from booking.reservations.states import Hold, ResourceDay
from booking.takes import resource_day_tag

MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)

SlotState = Literal["free", "full", "closed", "past", "not_bookable"]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot, in UTC. `free`: how many units a request at this position and instant would get; `reasons`: why none."""

    start: datetime
    end: datetime
    free: int
    state: SlotState
    reasons: tuple[Reason, ...] = ()


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A local day's slots, in order."""

    date: date
    slots: tuple[Slot, ...]


class RoomUse(msgspec.Struct, frozen=True, kw_only=True):
    """A room in one of its uses. `units` is the most that can be booked at once."""

    room: str
    use: str
    name: str
    station: str
    units: int
    days: tuple[Day, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that is known of some rooms from one local day to another: slots are judged and the grid drawn without I/O.

    `now` is never before the last event that is known.
    """

    rooms: Mapping[str, Room]
    known: Known
    first_day: date
    last_day: date
    now: datetime
    _intervals: dict[str, list[tuple[Interval, Hold]]] = field(default_factory=dict, init=False, repr=False)

    def draw(self, use: str | None = None) -> list[RoomUse]:
        """The grid of each room and use, or of the rooms that have one use."""
        return [
            self._room_use(id_, room, room.definition, served)
            for id_, room in self.rooms.items()
            if room.definition
            for served in room.definition.uses
            if use in (None, served.use)
        ]

    def wanted(
        self, room: str, use: str, slot: Interval, units: int = 1, attendees: int | None = None
    ) -> Wanted | None:
        """A slot to be judged, of any length; None where there is no such room or use here."""
        known = self.rooms.get(room)
        definition = known.definition if known else None
        served = definition.use_named(use) if definition else None
        if known is None or definition is None or served is None:
            return None
        return Wanted(definition=definition, room=known, use=served, units=units, slot=slot, attendees=attendees)

    def without(self, booking: str) -> "Board":
        """The same for a booking that is to be changed: neither its hold nor its place in the quota is in its way."""
        return replace(self, known=msgspec.structs.replace(self.known, leaving_out=booking))

    def judge(self, wanted: Wanted, checks: tuple[Check, ...] = CHECKS) -> tuple[int, tuple[Reason, ...]]:
        """How many units a request for this slot would get, and every rule that says no to what is wanted."""
        known = self._known_of(wanted)
        reasons = broken(wanted, known, self.now, checks)
        return 0 if reasons else free_units(wanted, known, self.now), reasons

    def _known_of(self, wanted: Wanted) -> Known:
        """What is known, without the holds that lie elsewhere: those of a full day are looked at only once."""
        held = wanted.held()
        days = {
            tag: ResourceDay(
                holds={hold.booking: hold for interval, hold in self._held(tag) if interval.overlaps(held)}
            )
            for take in wanted.use.takes
            for day in days_touched(held, self.known.zone)
            for tag in (resource_day_tag(take.resource, day),)
        }
        return msgspec.structs.replace(self.known, days=days)

    def _held(self, tag: str) -> list[tuple[Interval, Hold]]:
        if tag not in self._intervals:
            holds = self.known.days[tag].holds.values()
            self._intervals[tag] = [(held, hold) for hold in holds if (held := hold.interval(self.now))]
        return self._intervals[tag]

    def _room_use(self, id_: str, room: Room, definition: RoomDefinition, use: Use) -> RoomUse:
        return RoomUse(
            room=id_,
            use=use.use,
            name=definition.name,
            station=definition.station,
            units=units_at_most(use, self.known.resources),
            days=tuple(self.draw_day(room, definition, use, day) for day in self.days),
        )

    @property
    def days(self) -> list[date]:
        """Its local days, in order."""
        return [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]

    def draw_day(self, room: Room, definition: RoomDefinition, use: Use, day: date) -> Day:
        """A day of the grid of a room's use."""
        return Day(date=day, slots=tuple(self._slots(room, definition, use, day)))

    def _slots(self, room: Room, definition: RoomDefinition, use: Use, day: date) -> Iterable[Slot]:
        for slot in slots_on(day, definition, use, self.known.rules, self.known.zone):
            wanted = Wanted(definition=definition, room=room, use=use, units=1, slot=slot)
            free, reasons = self.judge(wanted)
            yield Slot(start=slot.start, end=slot.end, free=free, state=_state(reasons), reasons=reasons)

    def drawn_from(self, room: Room, use: Use, day: date) -> tuple[object, ...]:
        """All that a day of the grid is drawn from, beside whose quota counts: the same objects draw the same day."""
        resources = [take.resource for take in use.takes]
        days = (str(day), str(day + timedelta(days=1)))
        states = [self.known.days[resource_day_tag(resource, touched)] for resource in resources for touched in days]
        return (room, use, self.known.rules, *(self.known.resources[resource] for resource in resources), *states)

    def until(self, day: Day, use: Use) -> datetime:
        """Until when (exclusive) this day is drawn like this though time passes, if nothing happens meanwhile.

        It may be drawn like this for longer: what falls due may be of no consequence.
        """
        days = (str(day.date), str(day.date + timedelta(days=1)))
        tags = (resource_day_tag(take.resource, touched) for take in use.takes for touched in days)
        lives = [hold.life for tag in tags for hold in self.known.days[tag].holds.values()]
        lives += [life for month in self.known.months or () for life in month.lives.values()]
        instants = itertools.chain(
            (due[0] for life in lives if (due := life.due())),
            (opens_for_booking(day.date, self.known), local_instant(self._tomorrow, 0, self.known.zone)),
            *(self._told_otherwise(slot.start) for slot in day.slots),
        )
        return min(instant for instant in instants if instant > self.now)

    @property
    def _tomorrow(self) -> date:
        """Figures count in days, and so does the horizon: at midnight others hold."""
        return local_day(self.now, self.known.zone) + timedelta(days=1)

    def _told_otherwise(self, start: datetime) -> tuple[datetime, ...]:
        """The next instants at which a slot that starts then is nearer than the lead, by a minute more, or begins."""
        left, lead = start - self.now, timedelta(minutes=self.known.rules.book.lead_minutes_min)
        if left <= timedelta():
            return ()
        # Exactly at the lead, or at a whole minute, it is still as before.
        before = lead if left >= lead else left // MINUTE * MINUTE
        return (start - before + INSTANT, start)


def _state(reasons: tuple[Reason, ...]) -> SlotState:
    """One word for the reasons; what nobody can change any more comes first."""
    rules = {reason.rule for reason in reasons}
    if not rules:
        return "free"
    if "in_the_past" in rules:
        return "past"
    if "room_closed" in rules:
        return "closed"
    return "full" if "slot_taken" in rules else "not_bookable"

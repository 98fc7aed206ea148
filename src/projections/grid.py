"""The grid: what of a room's use is free in each slot of a day, and why the rest is not, by the checks that decide."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from booking.local_time import Interval, days_touched
from booking.messages import Reason
from booking.places.events import Room, RoomDefinition, Use
from booking.reservations.checks import CHECKS, Check, Known, Wanted, broken, free_units, slots_on, units_at_most
from booking.reservations.states import Hold, ResourceDay
from booking.takes import resource_day_tag

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
        days = (self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1))
        return RoomUse(
            room=id_,
            use=use.use,
            name=definition.name,
            station=definition.station,
            units=units_at_most(use, self.known.resources),
            days=tuple(Day(date=day, slots=tuple(self._slots(room, definition, use, day))) for day in days),
        )

    def _slots(self, room: Room, definition: RoomDefinition, use: Use, day: date) -> Iterable[Slot]:
        for slot in slots_on(day, definition, use, self.known.rules, self.known.zone):
            wanted = Wanted(definition=definition, room=room, use=use, units=1, slot=slot)
            free, reasons = self.judge(wanted)
            yield Slot(start=slot.start, end=slot.end, free=free, state=_state(reasons), reasons=reasons)


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

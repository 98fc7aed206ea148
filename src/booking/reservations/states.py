"""The states that bookings make: Booking, what is held of a resource on a day, and what a person has in a month."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from booking.local_time import Interval
from booking.messages import Recorded
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingCheckedIn,
    BookingCompleted,
    BookingConfirmed,
    BookingEnded,
    BookingExpired,
    BookingExtended,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    NoShowRecorded,
    Slot,
    SlotEvent,
    Touching,
)
from booking.reservations.standing import Life
from booking.takes import Take


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """One booking: what is booked, as it was made or last changed, and its life so far.

    Empty where no such booking was made.
    """

    made: Slot | None = None
    booked_by: str = ""
    life: Life | None = None
    closed_out: bool = False

    def evolve(self, recorded: Recorded, tag: str) -> "Booking":
        life = life_after(self.life, recorded)
        match recorded.event:
            case BookingRequested() | BookingConfirmed() as made:
                return Booking(made=made, booked_by=recorded.actor, life=life)
            case BookingRescheduled() | BookingExtended() as changed:
                return msgspec.structs.replace(self, made=changed, life=life)
            case BookingEnded() as ended:
                return msgspec.structs.replace(
                    self, made=_ended(self.made, ended, recorded), life=life, closed_out=True
                )
            case BookingCompleted() | NoShowRecorded() | BookingExpired():
                return msgspec.structs.replace(self, closed_out=True)
        return msgspec.structs.replace(self, life=life)


def _ended(made: Slot | None, ended: BookingEnded, recorded: Recorded) -> Slot | None:
    return msgspec.structs.replace(made, end=recorded.at, held_until=ended.held_until) if made else None


class Hold(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a booking takes of resources, from its start to the end of the room's buffer, while its life lets it."""

    booking: str
    room: str
    use: str
    units: int
    attendees: int | None = None
    person: str
    held_until: datetime
    takes: tuple[Take, ...]
    days: tuple[str, ...]
    life: Life

    def units_of(self, resource: str) -> int:
        return sum(take.units for take in self.takes if take.resource == resource)

    def interval(self, now: datetime) -> Interval | None:
        """From when to when it holds, seen from `now`; None where it holds nothing."""
        end = self.life.releases_at(now) or self.held_until
        start = max(self.life.start, self.life.made_at)
        return Interval(start, min(end, self.held_until)) if start < end else None


class ResourceDay(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is held of a resource on one local day, by booking.

    One that was cancelled or rejected holds nothing from that instant on, and no decision is made for an earlier one:
    it is left out, as is one that was moved elsewhere, so that a day's state does not grow with what people give up.
    """

    holds: Mapping[str, Hold] = {}

    def evolve(self, recorded: Recorded, tag: str) -> "ResourceDay":
        match recorded.event:
            case SlotEvent() as slot:
                hold = _hold_of(slot, slot.life(recorded.at))
                return ResourceDay(holds=_with(self.holds, slot.booking, hold if slot.enters(tag) else None))
            case Touching() as touching if touching.booking in self.holds:
                hold = _touched(self.holds[touching.booking], touching, recorded)
                return ResourceDay(holds=_with(self.holds, touching.booking, None if hold.life.ended_as else hold))
        return self


def _hold_of(slot: SlotEvent, life: Life) -> Hold:
    return Hold(
        booking=slot.booking,
        room=slot.room,
        use=slot.use,
        units=slot.units,
        attendees=slot.attendees,
        person=slot.person,
        held_until=slot.held_until,
        takes=slot.takes,
        days=slot.days,
        life=life,
    )


def _touched(hold: Hold, touching: Touching, recorded: Recorded) -> Hold:
    held_until = touching.held_until if isinstance(touching, BookingEnded) else hold.held_until
    return msgspec.structs.replace(hold, held_until=held_until, life=life_after(hold.life, recorded))


class PersonMonth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The lives of a person's bookings with slots in one local month, by booking; without those that were ended."""

    lives: Mapping[str, Life] = {}

    def evolve(self, recorded: Recorded, tag: str) -> "PersonMonth":
        match recorded.event:
            case SlotEvent() as slot:
                life = slot.life(recorded.at) if slot.enters(tag) else None
                return PersonMonth(lives=_with(self.lives, slot.booking, life))
            case Touching() as touching if touching.booking in self.lives:
                moved = life_after(self.lives[touching.booking], recorded)
                over = moved.ended_as is not None or isinstance(touching, BookingEnded)
                return PersonMonth(lives=_with(self.lives, touching.booking, None if over else moved))
        return self


T = TypeVar("T")


def _with(all_: Mapping[str, T], booking: str, one: T | None) -> Mapping[str, T]:
    """All of them, with this one as it is now, or without it where that is None."""
    if one is not None:
        return {**all_, booking: one}
    return {other: kept for other, kept in all_.items() if other != booking}


def life_after(life: Life | None, recorded: Recorded) -> Life:
    """The life of a booking one event further; the same for every state and read model that keeps it."""
    if isinstance(recorded.event, SlotEvent):
        return recorded.event.life(recorded.at)
    if life is None:
        raise ValueError(
            f"position {recorded.position}: {type(recorded.event).__name__} of a booking that was never made"
        )
    match recorded.event:
        case BookingApproved():
            return msgspec.structs.replace(life, confirmed_at=recorded.at)
        case BookingCheckedIn():
            return msgspec.structs.replace(life, checked_in_at=recorded.at)
        case BookingEnded():
            return msgspec.structs.replace(life, end=recorded.at)
        case BookingCancelled():
            return msgspec.structs.replace(life, ended_at=recorded.at, ended_as="cancelled")
        case BookingRejected():
            return msgspec.structs.replace(life, ended_at=recorded.at, ended_as="rejected")
    return life

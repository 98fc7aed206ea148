"""What can happen to a booking, and the states it makes: Booking, ResourceDay, PersonMonth."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import msgspec

from booking.local_time import Interval, months_of
from booking.messages import Event, Recorded, Refusal, unique
from booking.reservations.standing import Life
from booking.takes import Take, resource_day_tag

CancelReason = Literal[
    "changed_plans", "ill", "booked_by_mistake", "other", "room_closed", "room_changed", "staff_decision"
]
Asked = Literal["cancel", "check_in", "approve", "reject"]
RejectReason = Literal["not_suitable", "needed_by_station", "incomplete", "other"]


def booking_tag(booking: str) -> str:
    return f"booking:{booking}"


def person_month_tag(person: str, month: str) -> str:
    """The bookings of a person with slots in a local month (YYYY-MM)."""
    return f"person:{person}:{month}"


class _Touching(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What changes how long a booking holds its resources names them, the local days (with buffers) and the person."""

    booking: str
    room: str
    person: str
    resources: tuple[str, ...]
    days: tuple[str, ...]

    def tags(self) -> tuple[str, ...]:
        return (
            booking_tag(self.booking),
            *(resource_day_tag(resource, day) for resource in self.resources for day in self.days),
            *(person_month_tag(self.person, month) for month in months_of(self.days)),
        )


class _Made(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A booking came to be: `takes` is what it takes in all, until `held_until` (its end and the room's buffer).

    `purpose` is the digest of a text in the vault. `grace_minutes` is what the rules said when it was made.
    """

    booking: str
    room: str
    station: str
    use: str
    units: int
    start: datetime
    end: datetime
    held_until: datetime
    takes: tuple[Take, ...]
    days: tuple[str, ...]
    person: str
    grace_minutes: int
    attendees: int | None = None
    purpose: str | None = None

    def tags(self) -> tuple[str, ...]:
        return (
            booking_tag(self.booking),
            *(resource_day_tag(take.resource, day) for take in self.takes for day in self.days),
            *(person_month_tag(self.person, month) for month in months_of(self.days)),
        )


class BookingRequested(_Made, frozen=True, kw_only=True, omit_defaults=True):
    """It awaits approval, and holds its units meanwhile."""


class BookingConfirmed(_Made, frozen=True, kw_only=True, omit_defaults=True):
    """It holds."""


class BookingApproved(_Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Staff said yes to a booking that awaited approval."""

    note: str | None = None


class BookingRejected(_Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Staff said no to a booking that awaited approval."""

    reason: RejectReason
    note: str | None = None


class BookingCancelled(_Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Given up, by the person or by staff; `note` is the digest of a text in the vault."""

    reason: CancelReason
    note: str | None = None


class BookingCheckedIn(_Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody came."""


class _ClosedOut(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Recorded of a slot that has passed.

    In force since its due instant, so no decision needs to find it by its resources.
    """

    booking: str
    room: str
    person: str

    def tags(self) -> tuple[str, ...]:
        return (booking_tag(self.booking),)


class BookingCompleted(_ClosedOut, frozen=True, kw_only=True, omit_defaults=True):
    """Its end has passed, and somebody had come."""


class NoShowRecorded(_ClosedOut, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody came within the grace."""


class BookingExpired(_ClosedOut, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody approved it before its start."""


class BookingRefused(Refusal, frozen=True, kw_only=True, omit_defaults=True):
    """A request for a slot that the rules answered no; `day` is the local day of its start."""

    room: str
    use: str
    units: int
    start: datetime
    end: datetime
    person: str
    day: str

    def tags(self) -> tuple[str, ...]:
        return unique((f"refused:person:{self.person}:{self.day[:7]}", f"refused:room:{self.room}:{self.day}"))


class BookingChangeRefused(Refusal, frozen=True, kw_only=True, omit_defaults=True):
    """Something asked of a booking (`asked`: cancel, check_in, approve, reject) that the rules answered no."""

    asked: Asked
    booking: str
    room: str
    person: str

    def tags(self) -> tuple[str, ...]:
        return (f"refused:booking:{self.booking}",)


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """One booking: what it was made as, and its life so far. Empty where no such booking was made."""

    made: BookingRequested | BookingConfirmed | None = None
    booked_by: str = ""
    life: Life | None = None
    closed_out: bool = False

    def evolve(self, recorded: Recorded) -> "Booking":
        match recorded.event:
            case BookingRequested() | BookingConfirmed() as made:
                return Booking(made=made, booked_by=recorded.actor, life=life_after(None, recorded))
            case BookingCompleted() | NoShowRecorded() | BookingExpired():
                return msgspec.structs.replace(self, closed_out=True)
        return msgspec.structs.replace(self, life=life_after(self.life, recorded))


class Hold(msgspec.Struct, frozen=True, kw_only=True):
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


class ResourceDay(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a resource on one local day, by booking.

    One that was cancelled or rejected holds nothing from that instant on, and no decision is made for an earlier one:
    it is left out, so that a day's state does not grow with what people give up.
    """

    holds: Mapping[str, Hold] = {}

    def evolve(self, recorded: Recorded) -> "ResourceDay":
        match recorded.event:
            case BookingRequested() | BookingConfirmed() as made:
                life = life_after(None, recorded)
                return ResourceDay(holds={**self.holds, made.booking: _hold_of(made, life)})
            case _Touching() as touching if touching.booking in self.holds:
                hold = self.holds[touching.booking]
                moved = msgspec.structs.replace(hold, life=life_after(hold.life, recorded))
                return ResourceDay(holds=_kept(self.holds, touching.booking, moved, moved.life))
        return self


def _hold_of(made: BookingRequested | BookingConfirmed, life: Life) -> Hold:
    return Hold(
        booking=made.booking,
        room=made.room,
        use=made.use,
        units=made.units,
        attendees=made.attendees,
        person=made.person,
        held_until=made.held_until,
        takes=made.takes,
        days=made.days,
        life=life,
    )


class PersonMonth(msgspec.Struct, frozen=True, kw_only=True):
    """The lives of a person's bookings with slots in one local month, by booking; without those that were ended."""

    lives: Mapping[str, Life] = {}

    def evolve(self, recorded: Recorded) -> "PersonMonth":
        match recorded.event:
            case BookingRequested() | BookingConfirmed() as made:
                return PersonMonth(lives={**self.lives, made.booking: life_after(None, recorded)})
            case _Touching() as touching if touching.booking in self.lives:
                moved = life_after(self.lives[touching.booking], recorded)
                return PersonMonth(lives=_kept(self.lives, touching.booking, moved, moved))
        return self


T = TypeVar("T")


def _kept(all_: Mapping[str, T], booking: str, moved: T, life: Life) -> Mapping[str, T]:
    """All of them, with this one as it is now, or without it where its life was ended."""
    if life.ended_as is None:
        return {**all_, booking: moved}
    return {other: one for other, one in all_.items() if other != booking}


def life_after(life: Life | None, recorded: Recorded) -> Life:
    """The life of a booking one event further; the same for every state and read model that keeps it."""
    match recorded.event:
        case BookingRequested() | BookingConfirmed() as made:
            return Life(
                start=made.start,
                end=made.end,
                grace=timedelta(minutes=made.grace_minutes),
                made_at=recorded.at,
                confirmed_at=recorded.at if isinstance(made, BookingConfirmed) else None,
            )
    if life is None:
        raise ValueError(
            f"position {recorded.position}: {type(recorded.event).__name__} of a booking that was never made"
        )
    match recorded.event:
        case BookingApproved():
            return msgspec.structs.replace(life, confirmed_at=recorded.at)
        case BookingCheckedIn():
            return msgspec.structs.replace(life, checked_in_at=recorded.at)
        case BookingCancelled():
            return msgspec.structs.replace(life, ended_at=recorded.at, ended_as="cancelled")
        case BookingRejected():
            return msgspec.structs.replace(life, ended_at=recorded.at, ended_as="rejected")
    return life


EVENTS: tuple[type[Event], ...] = (
    BookingRequested, BookingConfirmed, BookingApproved, BookingRejected, BookingCancelled, BookingCheckedIn,
    BookingCompleted, NoShowRecorded, BookingExpired, BookingRefused, BookingChangeRefused,
)  # fmt: skip

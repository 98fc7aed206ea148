"""What can happen to a booking. The states that it makes are in `states`."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from booking.local_time import months_of
from booking.messages import Event, Refusal, unique
from booking.reservations.standing import Life
from booking.takes import Take, resource_day_tag

CancelReason = Literal[
    "changed_plans", "ill", "booked_by_mistake", "other", "room_closed", "room_changed", "staff_decision"
]
Asked = Literal["cancel", "check_in", "approve", "reject", "reschedule", "extend", "end"]
RejectReason = Literal["not_suitable", "needed_by_station", "incomplete", "other"]


def booking_tag(booking: str) -> str:
    return f"booking:{booking}"


def person_month_tag(person: str, month: str) -> str:
    """The bookings of a person with slots in a local month (YYYY-MM)."""
    return f"person:{person}:{month}"


class Touching(Event, frozen=True, kw_only=True, omit_defaults=True):
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


class SlotEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The whole of what is booked: `takes` is what it takes in all, until `held_until` (its end and the room's buffer).

    `days` are the local days that it touches. `grace_minutes` is what the rules said when it was made or moved.
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

    def tags(self) -> tuple[str, ...]:
        return self.held_tags()

    def held_tags(self) -> tuple[str, ...]:
        """Under what this slot is found; `tags` may name what was left for it as well."""
        return (
            booking_tag(self.booking),
            *(resource_day_tag(take.resource, day) for take in self.takes for day in self.days),
            *(person_month_tag(self.person, month) for month in months_of(self.days)),
        )

    def enters(self, tag: str) -> bool:
        """Whether one of the event's tags is that of what it holds from here on, and not of what it left alone."""
        return True

    def life(self, at: datetime) -> Life:
        """The life that a booking has from here on, where this was recorded at `at`."""
        raise NotImplementedError(type(self).__name__)

    def _life(self, made_at: datetime, confirmed_at: datetime | None, checked_in_at: datetime | None = None) -> Life:
        return Life(
            start=self.start,
            end=self.end,
            grace=timedelta(minutes=self.grace_minutes),
            made_at=made_at,
            confirmed_at=confirmed_at,
            checked_in_at=checked_in_at,
        )


class BookingRequested(SlotEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It awaits approval, and holds its units meanwhile. `purpose` is the digest of a text in the vault."""

    purpose: str | None = None

    def life(self, at: datetime) -> Life:
        return self._life(at, None)


class BookingConfirmed(SlotEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It holds. `purpose` is the digest of a text in the vault."""

    purpose: str | None = None

    def life(self, at: datetime) -> Life:
        return self._life(at, at)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking left when it was moved: its room, and the resources and local days under which it was found."""

    room: str
    resources: tuple[str, ...]
    days: tuple[str, ...]


class BookingRescheduled(SlotEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It has another time, room, use or number of units, and `awaits` approval or holds.

    As if it were made anew: it holds nothing of this slot before this instant, and its grace counts from it.
    `checked_in_at`: since when it is in use, where it is carried elsewhere meanwhile.
    """

    left: Left
    awaits: bool
    checked_in_at: datetime | None = None

    def tags(self) -> tuple[str, ...]:
        left = self.left
        return unique(
            (
                *self.held_tags(),
                *(resource_day_tag(resource, day) for resource in left.resources for day in left.days),
                *(person_month_tag(self.person, month) for month in months_of(left.days)),
            )
        )

    def enters(self, tag: str) -> bool:
        return tag in self.held_tags()

    def life(self, at: datetime) -> Life:
        return self._life(at, None if self.awaits else at, self.checked_in_at)


class BookingExtended(SlotEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It ends later, and nothing else of it begins anew: its life so far stands here for the days that it now enters.

    `days` are those that it touches now, and those that it touched before.
    """

    made_at: datetime
    confirmed_at: datetime
    checked_in_at: datetime | None = None

    def life(self, at: datetime) -> Life:
        return self._life(self.made_at, self.confirmed_at, self.checked_in_at)


class BookingApproved(Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Staff said yes to a booking that awaited approval."""

    note: str | None = None


class BookingRejected(Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Staff said no to a booking that awaited approval."""

    reason: RejectReason
    note: str | None = None


class BookingCancelled(Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Given up, by the person or by staff; `note` is the digest of a text in the vault."""

    reason: CancelReason
    note: str | None = None


class BookingCheckedIn(Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody came."""


class BookingEnded(Touching, frozen=True, kw_only=True, omit_defaults=True):
    """Whoever was there has left before the end: it is completed, and holds nothing after `held_until` (the buffer)."""

    held_until: datetime


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


class WantedSlot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a booking was to move, or how long it was to last."""

    room: str
    use: str
    units: int
    start: datetime
    end: datetime
    attendees: int | None = None


class BookingChangeRefused(Refusal, frozen=True, kw_only=True, omit_defaults=True):
    """Something asked of a booking that the rules answered no; of one that was to move or last longer, what was wanted.

    `room` is where it is, and stays.
    """

    asked: Asked
    booking: str
    room: str
    person: str
    wanted: WantedSlot | None = None

    def tags(self) -> tuple[str, ...]:
        return (f"refused:booking:{self.booking}",)


Slot = BookingRequested | BookingConfirmed | BookingRescheduled | BookingExtended
"""Every event that says the whole of what is booked from then on."""


EVENTS: tuple[type[Event], ...] = (
    BookingRequested, BookingConfirmed, BookingRescheduled, BookingExtended, BookingApproved, BookingRejected,
    BookingCancelled, BookingCheckedIn, BookingEnded, BookingCompleted, NoShowRecorded, BookingExpired,
    BookingRefused, BookingChangeRefused,
)  # fmt: skip

"""What staff and whoever holds a booking can say to it as it is: approve, reject, cancel, check in, end early."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from booking.local_time import Interval
from booking.messages import Ask, Command, Decision, Denied, Event, Id, Reason
from booking.places.events import Room, room_tag
from booking.reservations.checks import OF_THE_SLOT, Wanted, broken
from booking.reservations.events import (
    Asked,
    BookingApproved,
    BookingCancelled,
    BookingChangeRefused,
    BookingCheckedIn,
    BookingEnded,
    BookingRejected,
    CancelReason,
    RejectReason,
    Slot,
    WantedSlot,
    booking_tag,
)
from booking.reservations.follow import touched
from booking.reservations.slots import known_of, tags_of_days
from booking.reservations.standing import Standing
from booking.reservations.states import Booking
from booking.rules.events import RULES, HouseRules
from booking.state import State


class ApproveBooking(Command, frozen=True, kw_only=True):
    """Say yes to a booking that awaits approval. It decides again: what was asked for must still be possible."""

    booking: Id


class RejectBooking(Command, frozen=True, kw_only=True):
    booking: Id
    reason: RejectReason


class CancelBooking(Command, frozen=True, kw_only=True):
    booking: Id
    reason: CancelReason


class CheckIn(Command, frozen=True, kw_only=True):
    booking: Id


class EndBooking(Command, frozen=True, kw_only=True):
    """Whoever was there has left: the rest is free at once."""

    booking: Id


Change = ApproveBooking | RejectBooking | CancelBooking | CheckIn | EndBooking


def tags(command: Change, state: State) -> Iterable[str]:
    """First the booking; for an approval then all that its slot is judged by."""
    tag = booking_tag(command.booking)
    yield tag
    made = state.at(Booking, tag).made if isinstance(command, ApproveBooking) and state.has(tag) else None
    if made is not None:
        yield room_tag(made.room)
        yield from tags_of_days((take.resource for take in made.takes), Interval(made.start, made.held_until), state)


def change(ask: Ask, command: Change, state: State, now: datetime) -> Decision:
    """What it leads to, or a refusal; nothing of a booking that is unknown or not the asker's to touch."""
    booking = state.at(Booking, booking_tag(command.booking))
    made, life = booking.made, booking.life
    if made is None or life is None:
        return Denied(code="not_found", what="booking")
    # Nobody answers a request of their own.
    holder = None if isinstance(command, ApproveBooking | RejectBooking) else made.person
    if not ask.asker.may_touch(person=holder, station=made.station):
        return Denied(code="forbidden", what="booking")
    rules, own = state.at(HouseRules, RULES), ask.asker.scope == "own"
    reason = objection(_ASKED[type(command)], life.standing(now), life.start, rules, now, own=own)
    reasons: tuple[Reason, ...] = (reason,) if reason else ()
    if isinstance(command, ApproveBooking) and not reasons:
        reasons = _not_possible(made, state, now)
    if reasons:
        return [refused(_ASKED[type(command)], made, reasons)]
    return [_changed(ask, command, made, now)]


def refused(
    asked: Asked, made: Slot, reasons: tuple[Reason, ...], wanted: WantedSlot | None = None
) -> BookingChangeRefused:
    """The refusal of something that was asked of a booking."""
    return BookingChangeRefused(
        asked=asked, booking=made.booking, room=made.room, person=made.person, wanted=wanted, reasons=reasons
    )


def wrong_state(standing: Standing, *allowed: Standing) -> Reason | None:
    """Why a booking that stands so cannot be asked for that; None where it can."""
    return None if standing in allowed else Reason(rule="wrong_state", limit=" ".join(allowed), actual=standing)


_ASKED: dict[type[Change], Asked] = {
    ApproveBooking: "approve",
    RejectBooking: "reject",
    CancelBooking: "cancel",
    CheckIn: "check_in",
    EndBooking: "end",
}


def objection(
    asked: Asked, standing: Standing, start: datetime, rules: HouseRules, now: datetime, *, own: bool
) -> Reason | None:
    """What a booking's standing at `now` says against something that is asked of it; `own`: by whoever holds it.

    None where nothing does. What is asked about a slot is then judged by the checks as well.
    """
    begun = Reason(rule="already_started", actual=Interval(start, now).minutes) if now >= start else None
    match asked:
        case "approve" | "reject":
            return wrong_state(standing, "awaiting_approval")
        case "check_in":
            opens = start - timedelta(minutes=rules.book.check_in_minutes_before)
            if standing == "confirmed" and now < opens:
                minutes = Interval(now, start).minutes
                limit = rules.book.check_in_minutes_before
                return Reason(rule="too_early", limit=limit, actual=minutes, possible_from=opens)
            return wrong_state(standing, "confirmed")
        case "cancel":
            # Staff may free a room that is in use; whoever holds it gives it up before the start.
            gone = wrong_state(standing, "awaiting_approval", "confirmed", "checked_in")
            return gone or (begun if own else None)
        case "reschedule":
            return wrong_state(standing, "awaiting_approval", "confirmed") or (begun if own else None)
        case "extend":
            return wrong_state(standing, "confirmed", "checked_in")
        case "end":
            # At the very start too: no booking is of no length.
            if standing == "checked_in" and now <= start:
                return Reason(rule="not_started", possible_from=start)
            return wrong_state(standing, "checked_in")


def _not_possible(made: Slot, state: State, now: datetime) -> tuple[Reason, ...]:
    """Every rule that says no to a slot that is held, as its room and the rules are now."""
    room = state.at(Room, room_tag(made.room))
    use = room.definition.use_named(made.use) if room.definition else None
    if room.definition is None or use is None:
        raise LookupError(f"{made.booking} is live in {made.room}, which no longer serves for {made.use}")
    wanted = Wanted(
        definition=room.definition,
        room=room,
        use=use,
        units=made.units,
        slot=Interval(made.start, made.end),
        attendees=made.attendees,
        holds=Interval(made.start, made.held_until),
    )
    return broken(wanted, known_of(wanted, state, now, person=None, leaving_out=made.booking), now, OF_THE_SLOT)


def _changed(ask: Ask, command: Change, made: Slot, now: datetime) -> Event:
    about = touched(made.booking, made.room, made.person, made.takes, made.days)
    match command:
        case ApproveBooking():
            return BookingApproved(**about, note=ask.digest_of("note"))
        case RejectBooking(reason=reason):
            return BookingRejected(**about, reason=reason, note=ask.digest_of("note"))
        case CancelBooking(reason=why):
            return BookingCancelled(**about, reason=why, note=ask.digest_of("note"))
        case CheckIn():
            return BookingCheckedIn(**about)
        case EndBooking():
            # The buffer is for cleaning: it moves along.
            return BookingEnded(**about, held_until=now + (made.held_until - made.end))

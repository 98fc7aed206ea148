"""A booking that is to lie elsewhere or to last longer: judged as a request is, with what it holds itself left out."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from booking.local_time import Interval
from booking.messages import Ask, Command, Count, Decision, Denied, Event, Id, Reason
from booking.places.events import BUFFER_MINUTES_MAX, Room, room_tag
from booking.reservations.change import objection, refused
from booking.reservations.checks import Known, Wanted, as_a_change, broken
from booking.reservations.events import (
    Asked,
    BookingExtended,
    BookingRescheduled,
    Left,
    Slot,
    WantedSlot,
    booking_tag,
)
from booking.reservations.slots import (
    MAY_APPROVE,
    is_slot,
    known_of,
    may_book_for,
    said_of,
    tags_of_days,
    tags_of_quota,
    use_of,
)
from booking.reservations.standing import Life
from booking.reservations.states import Booking
from booking.rules.events import RULES, HouseRules
from booking.state import State


class RescheduleBooking(Command, frozen=True, kw_only=True):
    """Have a booking at another time, in another room, for another use or in another number: all of it or nothing.

    What is None stays as it was; the use becomes the only one of a room that does not have the old one. Another use is
    named together with its room.
    """

    booking: Id
    start: datetime
    end: datetime
    room: Id | None = None
    use: Id | None = None
    units: Count | None = None
    attendees: Count | None = None


class ExtendBooking(Command, frozen=True, kw_only=True):
    """Have a booking until a later end."""

    booking: Id
    end: datetime


Move = RescheduleBooking | ExtendBooking


def tags(command: Move, state: State, now: datetime) -> Iterable[str]:
    """First the booking, and the room where one is named; then the room, what is taken there, and the person's months.

    Where the room comes only in the second round, its uses and its buffer are not known in time. A live booking takes
    what its use takes, so that is named, for as many days as the longest buffer needs.
    """
    tag = booking_tag(command.booking)
    yield tag
    if isinstance(command, RescheduleBooking) and command.room is not None:
        yield room_tag(command.room)
    made = state.at(Booking, tag).made if state.has(tag) else None
    if made is None:
        return
    to = _to(command, made, state)
    yield room_tag(to.room)
    if not is_slot(to.start, to.end):
        return
    definition = state.at(Room, room_tag(to.room)).definition if state.has(room_tag(to.room)) else None
    use = definition.use_named(to.use) if definition else None
    takes = use.takes if use else made.takes
    buffer = timedelta(minutes=definition.buffer_minutes if definition else BUFFER_MINUTES_MAX)
    yield from tags_of_days((take.resource for take in takes), Interval(to.start, to.end + buffer), state)
    yield from tags_of_quota(made.person, state, now)


def move(ask: Ask, command: Move, state: State, now: datetime) -> Decision:
    """The booking in its new place; or a refusal with every rule that was broken, and all of it stays as it was."""
    booking = state.at(Booking, booking_tag(command.booking))
    made, life = booking.made, booking.life
    if made is None or life is None:
        return Denied(code="not_found", what="booking")
    if not ask.asker.may_touch(person=made.person, station=made.station):
        return Denied(code="forbidden", what="booking")
    to = _to(command, made, state)
    if denied := _not_valid(command, made, to):
        return denied
    asked, own = _ASKED[type(command)], ask.asker.scope == "own"
    rules, standing = state.at(HouseRules, RULES), life.standing(now)
    against = objection(asked, standing, life.start, rules, now, own=own)
    if against and against.rule == "wrong_state":
        # A booking that is over, or not there yet, has no place to be judged.
        return [refused(asked, made, (against,), to)]
    if to == _as_it_is(made):
        return []
    wanted = _wanted(ask, to, made, state, now)
    if isinstance(wanted, Denied):
        return wanted
    wanted, checks = as_a_change(wanted, made.start, now)
    known = known_of(wanted, state, now, person=made.person, leaving_out=made.booking)
    awaits = wanted.use.approval and not _is_within(to, made, life)
    reasons = tuple(filter(None, (against, _of_approval(ask, command, life, now, awaits=awaits))))
    reasons += broken(wanted, known, now, checks)
    if reasons:
        return [refused(asked, made, reasons, to)]
    if isinstance(command, ExtendBooking):
        return [_extended(wanted, known, made, life)]
    return [_rescheduled(wanted, known, made, awaits=awaits)]


_ASKED: dict[type[Move], Asked] = {RescheduleBooking: "reschedule", ExtendBooking: "extend"}


def _to(command: Move, made: Slot, state: State) -> WantedSlot:
    """What is wanted in full: what the command does not say is as it was."""
    match command:
        case ExtendBooking():
            return msgspec.structs.replace(_as_it_is(made), end=command.end)
        case RescheduleBooking():
            return WantedSlot(
                room=command.room or made.room,
                use=command.use or _use_in(command.room, made, state),
                units=command.units or made.units,
                start=command.start,
                end=command.end,
                attendees=command.attendees or made.attendees,
            )


def _use_in(room: str | None, made: Slot, state: State) -> str:
    """What a booking is for in another room, where that is not said."""
    known = room is not None and state.has(room_tag(room))
    definition = state.at(Room, room_tag(room)).definition if room and known else None
    if definition is None or definition.use_named(made.use):
        return made.use
    only = use_of(definition, None)
    return only.use if only else made.use


def _as_it_is(made: Slot) -> WantedSlot:
    return WantedSlot(
        room=made.room, use=made.use, units=made.units, start=made.start, end=made.end, attendees=made.attendees
    )


def _not_valid(command: Move, made: Slot, to: WantedSlot) -> Denied | None:
    """What cannot be judged at all."""
    if isinstance(command, ExtendBooking) and to.end < made.end:
        return Denied(code="not_valid", what="end")
    if not is_slot(to.start, to.end):
        return Denied(code="not_valid", what="end")
    if isinstance(command, RescheduleBooking) and command.room is None and command.use not in (None, made.use):
        return Denied(code="not_valid", what="room")
    return None


def _wanted(ask: Ask, to: WantedSlot, made: Slot, state: State, now: datetime) -> Wanted | Denied:
    """The slot as it is to be judged."""
    room = state.at(Room, room_tag(to.room))
    if room.definition is None:
        return Denied(code="not_found", what="room")
    if not may_book_for(ask.asker, made.person, room.definition.station):
        return Denied(code="forbidden", what="room")
    use = room.definition.use_named(to.use)
    if use is None:
        return Denied(code="not_found", what="use")
    slot = Interval(to.start, to.end)
    return Wanted(definition=room.definition, room=room, use=use, units=to.units, slot=slot, attendees=to.attendees)


def _of_approval(ask: Ask, command: Move, life: Life, now: datetime, *, awaits: bool) -> Reason | None:
    """Staff may extend what others would have to ask for; and nothing that has begun can wait for an answer."""
    match command:
        case RescheduleBooking(start=start) if awaits and start == life.start <= now:
            return Reason(rule="approval_needed")
        case ExtendBooking() if awaits and ask.asker.role not in MAY_APPROVE:
            return Reason(rule="approval_needed")
    return None


def _is_within(to: WantedSlot, made: Slot, life: Life) -> bool:
    """Whether all of this was approved already: no more of it, no longer, for no more people."""
    same = (to.room, to.use) == (made.room, made.use)
    in_time = made.start <= to.start and to.end <= made.end
    fewer = to.units <= made.units and (to.attendees or 0) <= (made.attendees or 0)
    return life.confirmed_at is not None and same and in_time and fewer


def _rescheduled(wanted: Wanted, known: Known, made: Slot, *, awaits: bool) -> Event:
    resources = tuple(take.resource for take in made.takes)
    left = Left(room=made.room, resources=resources, days=made.days)
    return BookingRescheduled(
        **said_of(wanted, known, booking=made.booking, person=made.person), left=left, awaits=awaits
    )


def _extended(wanted: Wanted, known: Known, made: Slot, life: Life) -> Event:
    """The days that it touched stay named, also where the room's buffer has become so short that it touches fewer."""
    assert life.confirmed_at is not None
    said = said_of(wanted, known, booking=made.booking, person=made.person)
    said["days"] = tuple(sorted({*made.days, *said["days"]}))
    said["grace_minutes"] = made.grace_minutes
    return BookingExtended(
        **said, made_at=life.made_at, confirmed_at=life.confirmed_at, checked_in_at=life.checked_in_at
    )

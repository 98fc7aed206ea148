"""What can be asked of bookings: request, approve, reject, cancel, check in, reschedule, extend, end, close out."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from booking.messages import Ask, Command, Decision, Id, Recorded, code_of
from booking.reservations import change as changing
from booking.reservations import follow as following
from booking.reservations import move as moving
from booking.reservations import request as requesting
from booking.reservations.change import ApproveBooking, CancelBooking, CheckIn, EndBooking, RejectBooking
from booking.reservations.close_out import close_out
from booking.reservations.events import booking_tag
from booking.reservations.move import ExtendBooking, RescheduleBooking
from booking.reservations.request import RequestBooking
from booking.reservations.slots import STATION_PREFIX, station_person
from booking.reservations.standing import Standing
from booking.reservations.states import Booking
from booking.state import State, TagRange

__all__ = [
    "COMMANDS", "STATION_PREFIX", "ApproveBooking", "BookingView", "CancelBooking", "CheckIn", "CloseOut",
    "EndBooking", "ExtendBooking", "RejectBooking", "RequestBooking", "RescheduleBooking",
    "answer", "decide", "follow", "station_person", "tags", "view",
]  # fmt: skip


class CloseOut(Command, frozen=True, kw_only=True):
    """Record what befell a booking whose time has passed. Asked twice, early or late, it changes no decision."""

    booking: Id


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as it is answered; instants in UTC."""

    id: str
    code: str
    room: str
    use: str
    start: datetime
    end: datetime
    units: int
    state: Standing
    person: str
    booked_by: str


def tags(ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
    """What must have been read: first the room or the booking, then what the use takes on the days in question."""
    match ask.command:
        case RequestBooking() as command:
            return requesting.tags(command, state, now)
        case RescheduleBooking() | ExtendBooking() as command:
            return moving.tags(command, state, now)
        case ApproveBooking() | RejectBooking() | CancelBooking() | CheckIn() | EndBooking() as command:
            return changing.tags(command, state)
        case CloseOut(booking=booking):
            return (booking_tag(booking),)
    return following.tags(ask, state, now)


def decide(ask: Ask, state: State, now: datetime) -> Decision:
    match ask.command:
        case RequestBooking() as command:
            return requesting.request(ask, command, state, now)
        case RescheduleBooking() | ExtendBooking() as command:
            return moving.move(ask, command, state, now)
        case ApproveBooking() | RejectBooking() | CancelBooking() | CheckIn() | EndBooking() as command:
            return changing.change(ask, command, state, now)
        case CloseOut(booking=booking):
            return close_out(state.at(Booking, booking_tag(booking)), now)
    raise TypeError(f"reservations does not decide {type(ask.command).__name__}")


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    """The booking as it stands after these events; of a change of places, which bookings it cancelled."""
    if not isinstance(ask.command, COMMANDS):
        return following.answer(ask, events, state)
    known = None if isinstance(ask.command, RequestBooking) else booking_tag(ask.command.booking)
    booking = state.at(Booking, known) if known else Booking()
    for recorded in events:
        booking = booking.evolve(recorded, known or "")
    return msgspec.structs.asdict(view(booking, now))


follow = following.follow


def view(booking: Booking, now: datetime) -> BookingView:
    """The booking as it stands at `now`. Raises `ValueError` for one that was never made."""
    if booking.made is None or booking.life is None:
        raise ValueError("a booking that was never made has no view")
    made = booking.made
    return BookingView(
        id=made.booking,
        code=code_of(made.booking),
        room=made.room,
        use=made.use,
        start=made.start,
        end=made.end,
        units=made.units,
        state=booking.life.standing(now),
        person=made.person,
        booked_by=booking.booked_by,
    )


COMMANDS = (
    RequestBooking, ApproveBooking, RejectBooking, CancelBooking, CheckIn, RescheduleBooking, ExtendBooking,
    EndBooking, CloseOut,
)  # fmt: skip

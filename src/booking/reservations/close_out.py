"""Close-out 结单: what is recorded of a booking that is over; it has been in force since its due instant."""

from datetime import datetime

from booking.messages import Decision, Denied, Overdue
from booking.reservations.events import BookingCompleted, BookingExpired, NoShowRecorded
from booking.reservations.states import Booking

_CLOSED_OUT = {"completed": BookingCompleted, "no_show": NoShowRecorded, "expired": BookingExpired}


def close_out(booking: Booking, now: datetime) -> Decision:
    """Nothing before the due instant, nothing twice, and nothing of what was cancelled or rejected."""
    made, life = booking.made, booking.life
    if made is None or life is None:
        return Denied(code="not_found", what="booking")
    due = life.due()
    if booking.closed_out or due is None or now < due[0]:
        return []
    kind = _CLOSED_OUT[due[1]]
    return [Overdue(kind(booking=made.booking, room=made.room, person=made.person), due[0])]

"""A booking at another time, in another room, for longer: each is one command; where it fails, all stays as it was."""

from litestar import Response
from litestar.params import JSONBody

from booking.messages import Denied, Outcome
from booking.reservations.decide import ExtendBooking, RescheduleBooking
from linyue.api.advice import Advice, Move, asked_of_move
from linyue.api.answers import BookingOut, answered, booking_out
from linyue.api.asking import Wish, ask, denied, key_and_print, position_asked, reasons_of, refusal
from linyue.api.bodies import BOOKING_DAYS_MAX, Body, BookingExtend, BookingReschedule, Strict, after, in_bounds
from linyue.api.bookings import Change, TheChange, changing
from projections import agenda


@changing("reschedule", "reschedule_booking", Strict[BookingReschedule])
async def reschedule_booking(change: TheChange, data: JSONBody[BookingReschedule]) -> Response[BookingOut]:
    """Have it at another time, in another room, for another use or in another number; what is left out stays.

    Whoever holds it can until it starts. It keeps its id and code, and where the new slot is refused, its slot.
    Where the use asks for approval it awaits that anew, unless it is only shortened.
    """
    start, end = in_bounds(data.start, "start"), in_bounds(data.end, "end")
    after(start, end, "end", BOOKING_DAYS_MAX)
    command = RescheduleBooking(
        booking=change.booking,
        start=start,
        end=end,
        # The desk wants to know both before it reads what they take.
        room=data.room or (await _room_of(change) if data.use else None),
        use=data.use,
        units=data.units,
        attendees=data.attendees,
    )
    return await _moved(change, command, data)


@changing("extend", "extend_booking", Strict[BookingExtend])
async def extend_booking(change: TheChange, data: JSONBody[BookingExtend]) -> Response[BookingOut]:
    """Have it until a later end, before it starts or while it runs.

    A use that asks for approval is extended by staff. Alternatives in the same room are other ends to extend it to;
    those in other rooms are bookings of their own, for the time that it lacks.
    """
    command = ExtendBooking(booking=change.booking, end=in_bounds(data.end, "end"))
    return await _moved(change, command, data)


async def _room_of(change: Change) -> str:
    """Where a booking is, as far as the caller has seen. Raises a Problem where there is none."""
    async with change.parts.reader.of(agenda.NAME, position_asked(change.request)) as snapshot:
        item = await agenda.booking(snapshot, change.booking, change.parts.now())
    if item is None:
        raise denied(Denied(code="not_found", what="booking"))
    return item.room


async def _moved(change: Change, command: Move, body: Body) -> Response[BookingOut]:
    """The booking in its new place, or a Problem with every reason against it, and what could be had instead."""
    key, fingerprint = key_and_print(change.request, body)
    zone = await change.parts.lasting.zone()
    answer = await ask(change.parts, change.caller, Wish(command=command, key=key, fingerprint=fingerprint))
    if answer.outcome is Outcome.REFUSED:
        advice: Advice = change.request.app.state["advice"]
        asked = await asked_of_move(change.parts, command, change.caller, answer.position)
        instead = await advice.instead_of(asked, reasons_of(answer), answer.position) if asked else None
        first = answer.position if key is not None else None
        beside = instead.beside(zone, first=first) if instead else {}
        raise refusal(answer, change.caller.language, zone, **beside)
    return answered(booking_out(answer.body, answer.position, zone), answer.position)


HANDLERS = (reschedule_booking, extend_booking)

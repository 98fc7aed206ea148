"""Bookings: ask for one, cancel, check in, approve, reject. Each is one command at the desk."""

from typing import Any, get_args

from litestar import Request, Response, post
from litestar.params import FromPath, JSONBody

from booking.messages import Answer, Command, Denied, Outcome, RefusedBody
from booking.reservations.decide import (
    STATION_PREFIX,
    ApproveBooking,
    CancelBooking,
    CheckIn,
    RejectBooking,
    RequestBooking,
    station_person,
)
from linyue.api.answers import BookingOut, TheCaller, TheParts, answered, booking_out
from linyue.api.asking import Wish, ask, denied, key_and_print, refusal
from linyue.api.availability import Advice
from linyue.api.bodies import (
    BOOKING_DAYS_MAX,
    BookingApprove,
    BookingCancel,
    BookingReject,
    BookingRequest,
    GivenReason,
    Strict,
    after,
    in_bounds,
    known_form,
)
from linyue.permissions import API, Caller
from linyue.problems import wrong
from linyue.wiring import Parts

AnyRequest = Request[Any, Any, Any]


@post(
    "/bookings",
    opt={"call": "POST bookings"},
    operation_id="request_booking",
    tags=["bookings"],
    dto=Strict[BookingRequest],
    return_dto=None,
)
async def request_booking(
    request: AnyRequest, data: JSONBody[BookingRequest], parts: TheParts, caller: TheCaller
) -> Response[BookingOut]:
    """Ask for a slot. 201: it holds, or awaits approval; 409: every rule that said no, and what is free instead."""
    key, fingerprint = key_and_print(request, data)
    command = await wanted(parts, caller, data)
    zone = await parts.lasting.zone()
    wish = Wish(command=command, key=key, fingerprint=fingerprint, texts={"purpose": data.purpose})
    answer = await ask(parts, caller, wish)
    if answer.outcome is Outcome.REFUSED:
        advice: Advice = request.app.state["advice"]

        async def instead(refused: RefusedBody) -> list[Any]:
            return list(await advice.instead_of(command, refused, answer.position))

        raise await refusal(answer, caller.language, zone, instead)
    made = booking_out(answer.body, answer.position, zone)
    response = answered(made, answer.position, 201)
    response.headers["Location"] = f"{API}/bookings/{made.id}"
    return response


async def wanted(parts: Parts, caller: Caller, body: BookingRequest) -> RequestBooking:
    """The command that a body asks for. Raises a Problem where it could not be decided at all."""
    start, end = in_bounds(body.start, "start"), in_bounds(body.end, "end")
    after(start, end, "end", BOOKING_DAYS_MAX)
    return RequestBooking(
        room=body.room,
        start=start,
        end=end,
        use=body.use,
        units=body.units,
        attendees=body.attendees,
        person=await _for_whom(parts, caller, body),
    )


async def _for_whom(parts: Parts, caller: Caller, body: BookingRequest) -> str:
    """For whom it is: oneself; for staff, their station or a person whom we know.

    Only ids that we made enter the log, whatever a caller sends.
    """
    own = caller.known().person
    if body.person == own or (body.person is None and caller.scope == "own"):
        return own
    if caller.scope == "own":
        raise denied(Denied(code="forbidden", what="person"))
    if body.person is not None and not body.person.startswith(STATION_PREFIX):
        if await parts.identity.account(body.person) is None:
            raise denied(Denied(code="not_found", what="person"))
        return body.person
    station = await parts.lasting.station_of(body.room)
    if station is None:
        raise denied(Denied(code="not_found", what="room"))
    if body.person not in (None, station_person(station)):
        raise denied(Denied(code="forbidden", what="person"))
    return station_person(station)


@post(
    "/bookings/{booking:str}/cancel",
    opt={"call": "POST bookings/{booking}/cancel"},
    operation_id="cancel_booking",
    tags=["bookings"],
    dto=Strict[BookingCancel],
    return_dto=None,
    status_code=200,
)
async def cancel_booking(
    request: AnyRequest,
    booking: FromPath[str],
    parts: TheParts,
    caller: TheCaller,
    data: JSONBody[BookingCancel | None] = None,
) -> Response[BookingOut]:
    """Give a booking up. Whoever holds it can until it starts; staff also while it runs."""
    body = data or BookingCancel()
    reason: GivenReason = body.reason or ("other" if caller.scope == "own" else "staff_decision")
    if reason == "staff_decision" and caller.scope == "own":
        listed = ", ".join(known for known in get_args(GivenReason) if known != "staff_decision")
        raise wrong("not_listed", "reason", listed=listed)
    command = CancelBooking(booking=known_form(booking, "booking"), reason=reason)
    return await _change(request, parts, caller, command, body, body.note)


@post(
    "/bookings/{booking:str}/check-in",
    opt={"call": "POST bookings/{booking}/check-in"},
    operation_id="check_in",
    tags=["bookings"],
    status_code=200,
)
async def check_in(
    request: AnyRequest, booking: FromPath[str], parts: TheParts, caller: TheCaller
) -> Response[BookingOut]:
    """Say that somebody came: from 15 minutes before the start, until the grace is over."""
    return await _change(request, parts, caller, CheckIn(booking=known_form(booking, "booking")), None, None)


@post(
    "/bookings/{booking:str}/approve",
    opt={"call": "POST bookings/{booking}/approve"},
    operation_id="approve_booking",
    tags=["bookings"],
    dto=Strict[BookingApprove],
    return_dto=None,
    status_code=200,
)
async def approve_booking(
    request: AnyRequest,
    booking: FromPath[str],
    parts: TheParts,
    caller: TheCaller,
    data: JSONBody[BookingApprove | None] = None,
) -> Response[BookingOut]:
    """Say yes to a booking that awaits approval."""
    body = data or BookingApprove()
    return await _change(
        request, parts, caller, ApproveBooking(booking=known_form(booking, "booking")), body, body.note
    )


@post(
    "/bookings/{booking:str}/reject",
    opt={"call": "POST bookings/{booking}/reject"},
    operation_id="reject_booking",
    tags=["bookings"],
    dto=Strict[BookingReject],
    return_dto=None,
    status_code=200,
)
async def reject_booking(
    request: AnyRequest, booking: FromPath[str], data: JSONBody[BookingReject], parts: TheParts, caller: TheCaller
) -> Response[BookingOut]:
    """Say no to a booking that awaits approval, with a reason."""
    command = RejectBooking(booking=known_form(booking, "booking"), reason=data.reason)
    return await _change(request, parts, caller, command, data, data.note)


async def _change(
    request: AnyRequest, parts: Parts, caller: Caller, command: Command, body: object, note: str | None
) -> Response[BookingOut]:
    key, fingerprint = key_and_print(request, body)
    zone = await parts.lasting.zone()
    wish = Wish(command=command, key=key, fingerprint=fingerprint, texts={"note": note})
    answer: Answer = await ask(parts, caller, wish)
    if answer.outcome is Outcome.REFUSED:
        raise await refusal(answer, caller.language, zone)
    return answered(booking_out(answer.body, answer.position, zone), answer.position)


HANDLERS = (request_booking, cancel_booking, check_in, approve_booking, reject_booking)

"""Bookings: ask for one, cancel, check in, approve, reject. Each is one command at the desk."""

from typing import Any, NamedTuple, get_args

from litestar import Request, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation

from booking.messages import Command, Denied, Outcome, RefusedBody
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
    Body,
    BookingApprove,
    BookingCancel,
    BookingCheckIn,
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


class Change(NamedTuple):
    """A change that is asked of a booking: which booking it is, who asks, and with what."""

    booking: str
    caller: Caller
    parts: Parts
    request: AnyRequest


TheChange = NamedDependency[SkipValidation[Change]]


async def _change_of(request: AnyRequest, booking: FromPath[str], parts: TheParts, caller: TheCaller) -> Change:
    return Change(known_form(booking, "booking"), caller, parts, request)


def changing(action: str, operation_id: str, body: type[Strict[Any]]) -> post:
    """The route of a change: its handler says which command, and this all else that such routes have in common."""
    return post(
        f"/bookings/{{booking:str}}/{action}",
        opt={"call": f"POST bookings/{{booking}}/{action}"},
        operation_id=operation_id,
        tags=["bookings"],
        dto=body,
        return_dto=None,
        status_code=200,
        dependencies={"change": Provide(_change_of)},
    )


@changing("cancel", "cancel_booking", Strict[BookingCancel])
async def cancel_booking(change: TheChange, data: JSONBody[BookingCancel | None] = None) -> Response[BookingOut]:
    """Give a booking up. Whoever holds it can until it starts; staff also while it runs."""
    body, own = data or BookingCancel(), change.caller.scope == "own"
    reason: GivenReason = body.reason or ("other" if own else "staff_decision")
    if reason == "staff_decision" and own:
        listed = ", ".join(known for known in get_args(GivenReason) if known != "staff_decision")
        raise wrong("not_listed", "reason", listed=listed)
    return await _changed(change, CancelBooking(booking=change.booking, reason=reason), body, body.note)


@changing("check-in", "check_in", Strict[BookingCheckIn])
async def check_in(change: TheChange, data: JSONBody[BookingCheckIn | None] = None) -> Response[BookingOut]:
    """Say that somebody came: from 15 minutes before the start, until the grace is over."""
    return await _changed(change, CheckIn(booking=change.booking), data or BookingCheckIn())


@changing("approve", "approve_booking", Strict[BookingApprove])
async def approve_booking(change: TheChange, data: JSONBody[BookingApprove | None] = None) -> Response[BookingOut]:
    """Say yes to a booking that awaits approval."""
    body = data or BookingApprove()
    return await _changed(change, ApproveBooking(booking=change.booking), body, body.note)


@changing("reject", "reject_booking", Strict[BookingReject])
async def reject_booking(change: TheChange, data: JSONBody[BookingReject]) -> Response[BookingOut]:
    """Say no to a booking that awaits approval, with a reason."""
    return await _changed(change, RejectBooking(booking=change.booking, reason=data.reason), data, data.note)


async def _changed(change: Change, command: Command, body: Body, note: str | None = None) -> Response[BookingOut]:
    """The booking as it is then, or a Problem with every reason against it."""
    key, fingerprint = key_and_print(change.request, body)
    zone = await change.parts.lasting.zone()
    wish = Wish(command=command, key=key, fingerprint=fingerprint, texts={"note": note})
    answer = await ask(change.parts, change.caller, wish)
    if answer.outcome is Outcome.REFUSED:
        raise await refusal(answer, change.caller.language, zone)
    return answered(booking_out(answer.body, answer.position, zone), answer.position)


HANDLERS = (request_booking, cancel_booking, check_in, approve_booking, reject_booking)

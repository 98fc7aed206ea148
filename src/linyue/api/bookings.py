"""Bookings: ask for one, or what would be answered; cancel, check in, approve, reject. Each a command at the desk."""

from datetime import datetime
from typing import Any, NamedTuple, get_args

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation

from booking.messages import Answer, Command, Denied, Outcome
from booking.reservations.decide import (
    STATION_PREFIX,
    ApproveBooking,
    CancelBooking,
    CheckIn,
    EndBooking,
    RejectBooking,
    RequestBooking,
    station_person,
)
from booking.reservations.standing import Standing
from linyue.alternatives import Alternative, Asked
from linyue.api.advice import Advice, AskedOut, Instead, asked_of, asked_out
from linyue.api.answers import BookingOut, TheCaller, TheParts, answered, booking_out
from linyue.api.asking import ReasonOut, Wish, ask, denied, key_and_print, reasons_of, reasons_out, refusal
from linyue.api.bodies import (
    BOOKING_DAYS_MAX,
    Body,
    BookingApprove,
    BookingCancel,
    BookingCheckIn,
    BookingEnd,
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
        instead = await _instead(request, asked_of(command, caller), answer)
        first = answer.position if key is not None else None
        raise refusal(answer, caller.language, zone, **instead.beside(zone, first=first))
    made = booking_out(answer.body, answer.position, zone)
    response = answered(made, answer.position, 201)
    response.headers["Location"] = f"{API}/bookings/{made.id}"
    return response


class CheckOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a request would be answered at `position`, and in which `state` the booking would be; null where refused."""

    allowed: bool
    state: Standing | None
    room: str
    use: str | None
    start: datetime
    end: datetime
    units: int
    reasons: list[ReasonOut]
    alternatives: list[Alternative]
    position: int


@post(
    "/bookings/check",
    opt={"call": "POST bookings/check"},
    operation_id="check_booking",
    tags=["bookings"],
    dto=Strict[BookingRequest],
    return_dto=None,
    status_code=200,
)
async def check_booking(
    request: AnyRequest, data: JSONBody[BookingRequest], parts: TheParts, caller: TheCaller
) -> Response[CheckOut]:
    """What the same body would be answered as a request, without booking or writing anything.

    Decided as a request is; it counts as one against the caller's budget.
    """
    command = await wanted(parts, caller, data)
    zone = await parts.lasting.zone()
    answer = await ask(parts, caller, Wish(command=command, dry_run=True))
    if answer.outcome is Outcome.REFUSED:
        found = await _instead(request, asked_of(command, caller), answer)
        out = CheckOut(
            allowed=False,
            state=None,
            **_slot_of(asked_out(found.asked, zone)),
            reasons=reasons_out(answer, caller.language, zone),
            alternatives=found.alternatives,
            position=found.position,
        )
    else:
        made = booking_out(answer.body, answer.position, zone)
        out = CheckOut(
            allowed=True, state=made.state, **_slot_of(made), reasons=[], alternatives=[], position=answer.position
        )
    return answered(out, out.position)


async def _instead(request: AnyRequest, asked: Asked, answer: Answer) -> Instead:
    advice: Advice = request.app.state["advice"]
    return await advice.instead_of(asked, reasons_of(answer), answer.position)


def _slot_of(told: AskedOut | BookingOut) -> dict[str, Any]:
    return {name: getattr(told, name) for name in ("room", "use", "start", "end", "units")}


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


@changing("end", "end_booking", Strict[BookingEnd])
async def end_booking(change: TheChange, data: JSONBody[BookingEnd | None] = None) -> Response[BookingOut]:
    """Say that whoever was there has left: the rest of the time is free at once."""
    return await _changed(change, EndBooking(booking=change.booking), data or BookingEnd())


async def _changed(change: Change, command: Command, body: Body, note: str | None = None) -> Response[BookingOut]:
    """The booking as it is then, or a Problem with every reason against it."""
    key, fingerprint = key_and_print(change.request, body)
    zone = await change.parts.lasting.zone()
    wish = Wish(command=command, key=key, fingerprint=fingerprint, texts={"note": note})
    answer = await ask(change.parts, change.caller, wish)
    if answer.outcome is Outcome.REFUSED:
        raise refusal(answer, change.caller.language, zone)
    return answered(booking_out(answer.body, answer.position, zone), answer.position)


HANDLERS = (request_booking, check_booking, cancel_booking, check_in, approve_booking, reject_booking, end_booking)

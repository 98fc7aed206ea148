"""Bookings as people have them: mine, one with its code and who did what, and what can be done with it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, get_args

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from booking.local_time import local_day
from booking.messages import Command, Outcome, RefusedBody
from booking.reservations.decide import ApproveBooking, CancelBooking, CheckIn, RejectBooking
from booking.reservations.events import RejectReason
from booking.reservations.standing import LIVE, Standing
from linyue.api.agenda import objections, sees_texts
from linyue.api.asking import Wish, ask
from linyue.api.bodies import GivenReason
from linyue.api.people import texts
from linyue.pages.door import Form
from linyue.pages.page import TheVisit, Visit, address, see
from linyue.pages.told import SEE, next_step, rows, steps, visible
from linyue.words import Words, codes
from projections import agenda, availability
from projections.agenda import Item, Paging

NOTE_MAX = 500
EARLIER_MAX = 20
OVER: frozenset[Standing] = frozenset(get_args(Standing)) - LIVE
SAID: Mapping[str, Words] = {
    "confirmed": Words("约好了", "Booked"),
    "awaiting_approval": Words("已提交，等工作人员批准", "Sent: awaiting approval"),
    "cancelled": Words("已取消", "Cancelled"),
    "checked_in": Words("签到成功", "Checked in"),
    "approved": Words("已批准", "Approved"),
    "rejected": Words("未批准", "Rejected"),
    "rescheduled": Words("改好了", "Moved"),
    "extended": Words("已延长", "Extended"),
    "ended": Words("已提前结束", "Ended early"),
}


@get("/me", opt={"call": "GET me/bookings"})
async def mine(visit: TheVisit, after: FromQuery[str | None] = None) -> Response[str]:
    """My bookings: those that lie ahead, then the earlier ones, the latest first."""
    person = visit.caller("GET me/bookings").known().person
    async with visit.reading("agenda") as snapshot:
        ahead = await agenda.of_person(snapshot, person, visit.now, states=LIVE)
        past = await agenda.of_person(
            snapshot,
            person,
            visit.now,
            states=OVER,
            paging=Paging(after=after, limit=EARLIER_MAX, newest_first=True),
        )
    now, earlier = await rows(visit, () if after else ahead.items), await rows(visit, past.items)
    return visit.page("me.html", now=now, earlier=earlier, more=past.next, first=after is None)


@get("/bookings/{booking:str}", opt={"call": SEE})
async def one(visit: TheVisit, booking: FromPath[str], said: FromQuery[str | None] = None) -> Response[str]:
    """A booking, its code in large letters, what can be done with it now, and who did what."""
    return await booking_page(visit, await visible(visit, booking), said=SAID.get(said or ""))


@get("/bookings/{booking:str}/cancel", opt={"call": "POST bookings/{booking}/cancel"})
async def ask_to_cancel(visit: TheVisit, booking: FromPath[str]) -> Response[str]:
    """Why, before it is cancelled."""
    return await _form(visit, await visible(visit, booking), "cancel", {}, {})


@post("/bookings/{booking:str}/cancel", status_code=303, opt={"call": "POST bookings/{booking}/cancel"})
async def cancel(visit: TheVisit, booking: FromPath[str], data: Form) -> Response[Any]:
    item = await visible(visit, booking)
    reason, errors = data.get("reason", ""), _errors(visit, data, _cancel_reasons(visit))
    if errors:
        return await _form(visit, item, "cancel", data, errors, status=400)
    command = CancelBooking(booking=booking, reason=msgspec.convert(reason, GivenReason))
    return await changed(visit, item, "POST bookings/{booking}/cancel", command, "cancelled", _note(data))


@get("/bookings/{booking:str}/reject", opt={"call": "POST bookings/{booking}/reject"})
async def ask_to_reject(visit: TheVisit, booking: FromPath[str]) -> Response[str]:
    """Why, before it is rejected."""
    return await _form(visit, await visible(visit, booking), "reject", {}, {})


@post("/bookings/{booking:str}/reject", status_code=303, opt={"call": "POST bookings/{booking}/reject"})
async def reject(visit: TheVisit, booking: FromPath[str], data: Form) -> Response[Any]:
    item = await visible(visit, booking)
    reason, errors = data.get("reason", ""), _errors(visit, data, get_args(RejectReason))
    if errors:
        return await _form(visit, item, "reject", data, errors, status=400)
    command = RejectBooking(booking=booking, reason=msgspec.convert(reason, RejectReason))
    return await changed(visit, item, "POST bookings/{booking}/reject", command, "rejected", _note(data))


@post("/bookings/{booking:str}/approve", status_code=303, opt={"call": "POST bookings/{booking}/approve"})
async def approve(visit: TheVisit, booking: FromPath[str]) -> Response[Any]:
    item = await visible(visit, booking)
    return await changed(visit, item, "POST bookings/{booking}/approve", ApproveBooking(booking=booking), "approved")


@post("/bookings/{booking:str}/check-in", status_code=303, opt={"call": "POST bookings/{booking}/check-in"})
async def check_in(visit: TheVisit, booking: FromPath[str]) -> Response[Any]:
    item = await visible(visit, booking)
    return await changed(visit, item, "POST bookings/{booking}/check-in", CheckIn(booking=booking), "checked_in")


async def changed(
    visit: Visit, item: Item, call: str, command: Command, said: str, note: str | None = None
) -> Response[Any]:
    """Ask, and show the booking as it is then: by GET where it was done, with every reason where it was not."""
    wish = Wish(command=command, channel=visit.channel, texts={"note": note})
    answer = await ask(visit.parts, visit.caller(call), wish)
    if answer.outcome is Outcome.REFUSED:
        reasons = msgspec.json.decode(answer.body, type=RefusedBody).reasons
        return await booking_page(visit, item, reasons=visit.sentences(reasons), status=409)
    return see(address(f"/bookings/{item.id}", said=said), answer.position)


async def booking_page(
    visit: Visit, item: Item, said: Words | None = None, reasons: list[str] | None = None, status: int = 200
) -> Response[str]:
    """A booking; with what was done, or with what said no."""
    [row] = await rows(visit, [item])
    async with visit.reading("availability") as snapshot:
        rules = await availability.rules(snapshot)
    caller = visit.caller(SEE)
    viewer = caller.known()
    known = await texts(visit.parts, [item.purpose]) if item.purpose and sees_texts(caller, item) else {}
    early = timedelta(minutes=rules.book.check_in_minutes_before)
    against, _ = await objections(visit.parts, viewer, item, visit.now)
    return visit.page(
        "booking.html",
        status=status,
        address=f"/bookings/{item.id}",
        row=row,
        date=local_day(item.start, visit.zone),
        said=said.say(visit.language) if said else None,
        reasons=reasons,
        person=row["person_name"] if item.person != viewer.person else None,
        purpose=known.get(item.purpose or ""),
        actions=[action for action, reason in against.items() if reason is None],
        next_step=next_step(visit, item, early),
        history=await steps(visit, item),
    )


async def _form(
    visit: Visit, item: Item, asked: str, data: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> Response[str]:
    [row] = await rows(visit, [item])
    listed = _cancel_reasons(visit) if asked == "cancel" else get_args(RejectReason)
    words = codes.CANCEL_REASONS if asked == "cancel" else codes.REJECT_REASONS
    return visit.page(
        "change.html",
        status=status,
        address=f"/bookings/{item.id}/{asked}",
        row=row,
        asked=asked,
        title=visit.say("取消预约") if asked == "cancel" else visit.say("不批准这个预约"),
        choices=[(code, words[code].say(visit.language)) for code in listed],
        typed={"reason": data.get("reason", ""), "note": data.get("note", "")},
        errors=errors,
        note_max=NOTE_MAX,
    )


def _errors(visit: Visit, data: Mapping[str, str], listed: tuple[str, ...]) -> dict[str, str]:
    errors: dict[str, str] = {}
    if data.get("reason") not in listed:
        errors["reason"] = visit.say("请选一个原因。")
    if len(data.get("note", "")) > NOTE_MAX:
        errors["note"] = visit.say("最多写 %(most)s 个字。", most=NOTE_MAX)
    return errors


def _cancel_reasons(visit: Visit) -> tuple[str, ...]:
    """The reasons that the visitor may give; staff decide, and that comes first."""
    others = tuple(code for code in get_args(GivenReason) if code != "staff_decision")
    return others if visit.quota_of else ("staff_decision", *others)


def _note(data: Mapping[str, str]) -> str | None:
    return data.get("note", "").strip() or None


HANDLERS = (mine, one, ask_to_cancel, cancel, ask_to_reject, reject, approve, check_in)

"""Asking for a slot: the form with the house rules in short, and what the rules answer."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from booking.desk import NotDone, Unknown, fingerprint
from booking.local_time import Interval, local_day
from booking.messages import Answer, Outcome, Reason, RefusedBody
from booking.reservations.decide import BookingView, RequestBooking, station_person
from booking.rules.events import HouseRules
from linyue.api.advice import Advice, asked_of
from linyue.api.asking import Wish, ask
from linyue.api.bodies import YEARS
from linyue.pages.door import Form
from linyue.pages.page import TheVisit, Visit, address, see
from linyue.pages.rooms import room_of, use_of
from linyue.problems import Problem, as_problem, wrong
from projections import availability
from projections.availability import RoomView, UseView
from projections.grid import Board

CALL = "POST bookings"
PURPOSE_MAX = 500
ATTENDEES_MAX = 10_000
# More units than these are asked for at the desk: a row of more buttons helps nobody.
UNITS_SHOWN_MAX = 12
ENDS_SHOWN_MAX = 8


class Wanted(NamedTuple):
    """A slot that somebody asks for, and where."""

    room: RoomView
    use: UseView
    slot: Interval
    board: Board
    rules: HouseRules
    position: int


class Filled(NamedTuple):
    """A form with what was typed, what is wrong beside which field, and how many units are left."""

    units: int
    free: int
    typed: Mapping[str, str]
    errors: Mapping[str, str]


class End(NamedTuple):
    """How long one may stay: until when, and how many minutes that is."""

    end: datetime
    minutes: int


@get("/rooms/{room:str}/book", opt={"call": CALL})
async def form(
    visit: TheVisit,
    room: FromPath[str],
    start: FromQuery[str],
    use: FromQuery[str | None] = None,
    end: FromQuery[str | None] = None,
    units: Annotated[int, QueryParameter(ge=1, le=100_000)] = 1,
) -> Response[str]:
    """The form for a slot; where it cannot be had, every reason, and what can."""
    wanted = await _wanted(visit, room, use, start, end)
    free, reasons = _judged(wanted, wanted.slot, units)
    if reasons:
        refused = RefusedBody(reasons=reasons, rules_version=wanted.rules.version)
        return await _refused(visit, wanted, _command(visit, wanted, units, None), refused, wanted.position, status=200)
    return _form(visit, wanted, Filled(units, free, {"key": secrets.token_urlsafe(16)}, {}))


@post("/rooms/{room:str}/book", status_code=303, opt={"call": CALL})
async def book(visit: TheVisit, room: FromPath[str], data: Form) -> Response[Any]:
    """Ask for the slot. A form that is sent twice books once: its key and what it says are the same."""
    wanted = await _wanted(visit, room, data.get("use"), data.get("start", ""), data.get("end"))
    units, attendees, errors = _figures(visit, data)
    if errors:
        free, _ = _judged(wanted, wanted.slot, 1)
        return _form(visit, wanted, Filled(units or 1, free, data, errors), status=400)
    command = _command(visit, wanted, units or 1, attendees)
    try:
        answer = await _ask(visit, command, data)
    except (NotDone, Unknown) as fault:
        return _again(visit, fault, data)
    if answer.outcome is Outcome.REFUSED:
        refused = msgspec.json.decode(answer.body, type=RefusedBody)
        return await _refused(visit, wanted, command, refused, answer.position, status=409)
    made = msgspec.json.decode(answer.body, type=BookingView)
    return see(address(f"/bookings/{made.id}", said=made.state), answer.position)


def _command(visit: Visit, wanted: Wanted, units: int, attendees: int | None) -> RequestBooking:
    """Residents book for themselves, staff in their station's name."""
    return RequestBooking(
        room=wanted.room.id,
        use=wanted.use.use,
        start=wanted.slot.start,
        end=wanted.slot.end,
        units=units,
        attendees=attendees,
        person=visit.quota_of or station_person(wanted.room.station.id),
    )


async def _ask(visit: Visit, command: RequestBooking, data: Mapping[str, str]) -> Answer:
    purpose = data.get("purpose", "").strip() or None
    said = fingerprint([command, purpose])
    key = f"page:{data.get('key', '')[:40]}:{said.hex()[:32]}"
    wish = Wish(command=command, channel=visit.channel, key=key, fingerprint=said, texts={"purpose": purpose})
    return await ask(visit.parts, visit.caller(CALL), wish)


async def _wanted(visit: Visit, room: str, use: str | None, start: str, end: str | None) -> Wanted:
    """What an address or a form asks for. Raises a Problem where that cannot be."""
    begins = _instant(start, "start")
    async with visit.reading("availability") as snapshot:
        found = await room_of(snapshot, room)
        served = use_of(found, use)
        rules = await availability.rules(snapshot)
        ends = _instant(end, "end") if end else begins + timedelta(minutes=served.slot_minutes)
        if not begins < ends <= begins + timedelta(days=1):
            raise wrong("ends_first", "end")
        day = local_day(begins, visit.zone)
        board = await availability.board(snapshot, day, day, visit.now, room=room, person=visit.quota_of)
    return Wanted(found, served, Interval(begins, ends), board, rules, snapshot.position)


def _instant(text: str, field: str) -> datetime:
    try:
        read = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise wrong("not_instant", field) from error
    if read.tzinfo is None or read.year not in YEARS:
        raise wrong("no_offset", field)
    return read


def _judged(wanted: Wanted, slot: Interval, units: int) -> tuple[int, tuple[Reason, ...]]:
    asked = wanted.board.wanted(wanted.room.id, wanted.use.use, slot, units)
    assert asked is not None
    return wanted.board.judge(asked)


def _ends(wanted: Wanted) -> list[End]:
    """Until when the room can be had from the start on, a slot more each time, and always until the end asked for."""
    step = timedelta(minutes=wanted.use.slot_minutes)
    start, found = wanted.slot.start, []
    for n in range(1, ENDS_SHOWN_MAX + 1):
        slot = Interval(start, start + n * step)
        if _judged(wanted, slot, 1)[1]:
            break
        found.append(End(slot.end, slot.minutes))
    asked = End(wanted.slot.end, wanted.slot.minutes)
    return found if asked in found else [*found, asked]


def _figures(visit: Visit, data: Mapping[str, str]) -> tuple[int | None, int | None, dict[str, str]]:
    """Units and people of a form, and what is wrong with its fields."""
    errors: dict[str, str] = {}
    units = _number(data.get("units", "1"), 100_000)
    attendees = _number(data.get("attendees", ""), ATTENDEES_MAX)
    if units is None:
        errors["units"] = visit.say("请选要几份。")
    if data.get("attendees", "").strip() and attendees is None:
        errors["attendees"] = visit.say("请写数字，比如 4。")
    if len(data.get("purpose", "")) > PURPOSE_MAX:
        errors["purpose"] = visit.say("最多写 %(most)s 个字。", most=PURPOSE_MAX)
    return units, attendees, errors


def _number(text: str, most: int) -> int | None:
    """A whole number from 1 on, however its digits were typed; None where it is none."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= most else None


def _form(visit: Visit, wanted: Wanted, filled: Filled, status: int = 200) -> Response[str]:
    start, end = wanted.slot.start, wanted.slot.end
    iso = visit.calendar.iso
    return visit.page(
        "book.html",
        status=status,
        address=address(f"/rooms/{wanted.room.id}/book", use=wanted.use.use, start=iso(start), end=iso(end)),
        room=wanted.room,
        use=wanted.use,
        date=local_day(start, visit.zone),
        start=start,
        end=end,
        ends=_ends(wanted),
        units=filled.units,
        free=filled.free,
        units_shown=min(max(filled.free, 1), UNITS_SHOWN_MAX),
        stands_for=None if visit.quota_of else wanted.room.station.name,
        typed={name: filled.typed.get(name, "") for name in ("attendees", "purpose")},
        errors=filled.errors,
        key=filled.typed.get("key", ""),
        purpose_max=PURPOSE_MAX,
        book=wanted.rules.book,
    )


async def _refused(
    visit: Visit, wanted: Wanted, command: RequestBooking, refused: RefusedBody, position: int, status: int
) -> Response[str]:
    """Every reason, and what can be had instead, each a tap away from being asked for."""
    start, end, units = wanted.slot.start, wanted.slot.end, command.units if command.units > 1 else None
    iso = visit.calendar.iso
    query = {"use": wanted.use.use, "start": iso(start), "end": iso(end), "units": units}
    return visit.page(
        "refused.html",
        status=status,
        address=address(f"/rooms/{wanted.room.id}/book", **query),
        room=wanted.room,
        use=wanted.use,
        date=local_day(start, visit.zone),
        start=start,
        end=end,
        units=units,
        reasons=visit.sentences(refused.reasons),
        alternatives=await _alternatives(visit, command, refused, position),
    )


async def _alternatives(
    visit: Visit, command: RequestBooking, refused: RefusedBody, position: int
) -> list[dict[str, Any]]:
    """What can be had instead, with the names of the rooms."""
    advice: Advice = visit.request.app.state["advice"]
    found = (await advice.instead_of(asked_of(command, visit.caller(CALL)), refused.reasons, position)).alternatives
    async with visit.reading("availability") as snapshot:
        rooms = {room.id: room for room in await availability.rooms(snapshot, use=command.use)}
    return [
        {**msgspec.structs.asdict(one), "name": rooms[one.room].name, "station": rooms[one.room].station.id}
        for one in found
        # A room may retire between the two.
        if one.room in rooms
    ]


def _again(visit: Visit, fault: NotDone | Unknown, data: Mapping[str, str]) -> Response[str]:
    """Nothing happened, or it may have: the same form once more, with the same key, tells."""
    problem: Problem = as_problem(fault)
    fields = {name: value for name, value in data.items() if name != "_csrf_token"}
    sentence = visit.say("刚才没有等到答复。请再按一次，同一个预约不会约两次。")
    return visit.page(
        "problem.html",
        status=problem.status,
        title=problem.title(visit.language),
        detail=sentence,
        action=visit.request.url.path,
        fields=fields,
    )


HANDLERS = (form, book)

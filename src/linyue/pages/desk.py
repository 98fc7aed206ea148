"""The desk of a station: who comes today, a room's day, and closing a room after a look at what that cancels."""

import secrets
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from booking.desk import fingerprint
from booking.local_time import TimeOfDay, local_instant, minutes_of
from booking.messages import Answer, Outcome, RefusedBody
from booking.places.decide import CLOSE_REASONS, CloseRoom
from booking.reservations.standing import LIVE
from linyue.api.asking import Wish, ask
from linyue.pages.bookings import NOTE_MAX
from linyue.pages.door import Form
from linyue.pages.page import TheVisit, Visit, address, see
from linyue.pages.rooms import room_of
from linyue.pages.told import SEE, may_check_in, rows
from linyue.permissions import Caller
from linyue.problems import Problem, bad_role
from linyue.words import codes
from linyue.words.denials import DENIALS
from projections import agenda, availability
from projections.agenda import Item
from projections.availability import RoomView

CHECK_IN = "POST bookings/{booking}/check-in"
CLOSE = "POST rooms/{room}/close"
FIELDS = ("from_day", "from_time", "to_day", "to_time", "reason", "note")
# A day further away than this is a slip of the finger.
DAYS_AWAY_MAX = 3_660


class Closing(NamedTuple):
    """What a form says of a closure, in UTC; no end: until further notice."""

    start: datetime
    end: datetime | None
    reason: str
    note: str | None


@get("/desk", opt={"call": SEE})
async def today(visit: TheVisit, code: FromQuery[str | None] = None) -> Response[Any]:
    """Who comes today to the stations of the visitor; or straight to the booking that somebody reads out."""
    caller = visit.caller(SEE)
    if caller.scope == "own":
        raise bad_role(caller.known().role)
    if code and (found := await _by_code(visit, code)):
        return see(f"/bookings/{found.id}")
    async with visit.reading("availability") as snapshot:
        stations = await availability.stations(snapshot)
        early = timedelta(minutes=(await availability.rules(snapshot)).book.check_in_minutes_before)
    shown = []
    day = visit.calendar.today
    async with visit.reading("agenda") as snapshot:
        for station in stations:
            if not _serves(caller, station.id):
                continue
            page = await agenda.of_station(snapshot, station.id, day, day, visit.now, states=LIVE)
            shown.append((station, page.items))
    lists = [(station, await _with_actions(visit, items, early)) for station, items in shown if items]
    return visit.page("desk.html", lists=lists, date=day, code=code or "")


@get("/rooms/{room:str}/agenda", opt={"call": SEE})
async def of_room(
    visit: TheVisit, room: FromPath[str], on: Annotated[str | None, QueryParameter(name="day")] = None
) -> Response[str]:
    """A room's bookings on a day, with a button for whoever came."""
    async with visit.reading("availability") as snapshot:
        found = await room_of(snapshot, room)
        early = timedelta(minutes=(await availability.rules(snapshot)).book.check_in_minutes_before)
    if visit.quota_of is not None or not visit.may_at(SEE, found.station.id):
        raise Problem("role", DENIALS["forbidden", "room"].say)
    day = _near(visit, on or "") or visit.calendar.today
    async with visit.reading("agenda") as snapshot:
        page = await agenda.of_room(snapshot, room, day, day, visit.now)
    return visit.page(
        "agenda.html",
        room=found,
        date=day,
        rows=await _with_actions(visit, page.items, early),
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        closes=visit.may_at(CLOSE, found.station.id),
    )


@get("/rooms/{room:str}/close", opt={"call": CLOSE})
async def ask_to_close(
    visit: TheVisit, room: FromPath[str], on: Annotated[str | None, QueryParameter(name="day")] = None
) -> Response[str]:
    """From when, until when, and why."""
    day = _near(visit, on or "") or visit.calendar.today
    typed = {"from_day": str(day), "from_time": "09:00", "to_day": str(day), "to_time": "21:00"}
    return visit.page("close.html", **_shown(visit, await _own_room(visit, room), typed))


@post("/rooms/{room:str}/close", status_code=303, opt={"call": CLOSE})
async def close(visit: TheVisit, room: FromPath[str], data: Form) -> Response[Any]:
    """First the list of whom it would cancel; closed only by a second press."""
    found = await _own_room(visit, room)
    closing, errors = _read(visit, data)
    if closing is None or data.get("step") == "edit":
        status = 400 if errors else 200
        return visit.page("close.html", status=status, **_shown(visit, found, data, errors=errors))
    command = CloseRoom(room=room, start=closing.start, end=closing.end, reason=closing.reason)
    sure = data.get("step") == "close"
    answer = await _ask(visit, command, closing.note, data.get("key", ""), dry_run=not sure)
    if answer.outcome is Outcome.REFUSED:
        reasons = visit.sentences(msgspec.json.decode(answer.body, type=RefusedBody).reasons)
        return visit.page("close.html", status=409, **_shown(visit, found, data, reasons=reasons))
    if sure:
        return see(address(f"/rooms/{room}", day=visit.calendar.date_of(closing.start)), answer.position)
    listed = await _listed(visit, msgspec.json.decode(answer.body)["cancelled"])
    shown = _shown(visit, found, data, closing=closing, listed=listed)
    return visit.page("close.html", address=f"/rooms/{room}/close", **shown)


async def _ask(visit: Visit, command: CloseRoom, note: str | None, key: str, *, dry_run: bool) -> Answer:
    said = fingerprint([command, note])
    wish = Wish(
        command=command,
        channel=visit.channel,
        key=None if dry_run else f"page:{key[:40]}:{said.hex()[:32]}",
        fingerprint=b"" if dry_run else said,
        texts={"note": note},
        dry_run=dry_run,
    )
    return await ask(visit.parts, visit.caller(CLOSE), wish)


async def _listed(visit: Visit, cancelled: list[str]) -> list[dict[str, Any]]:
    async with visit.reading("agenda") as snapshot:
        items = [await agenda.booking(snapshot, id_, visit.now) for id_ in cancelled]
    return await rows(visit, [item for item in items if item is not None])


async def _own_room(visit: Visit, room: str) -> RoomView:
    async with visit.reading("availability") as snapshot:
        found = await room_of(snapshot, room)
    if not visit.may_at(CLOSE, found.station.id):
        raise Problem("role", DENIALS["forbidden", "room"].say)
    return found


def _shown(
    visit: Visit,
    room: RoomView,
    data: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    reasons: list[str] | None = None,
    closing: Closing | None = None,
    listed: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    reason = data.get("reason", "")
    return {
        "room": room,
        "typed": {name: data.get(name, "") for name in FIELDS},
        "errors": errors or {},
        "reasons": reasons,
        "choices": [(code, codes.CLOSE_REASONS[code].say(visit.language)) for code in CLOSE_REASONS],
        "reason_word": codes.CLOSE_REASONS[reason].say(visit.language) if reason in codes.CLOSE_REASONS else "",
        "closes_from": closing.start if closing else None,
        "closes_to": closing.end if closing else None,
        "listed": listed,
        "key": secrets.token_urlsafe(16),
        "note_max": NOTE_MAX,
    }


def _read(visit: Visit, data: Mapping[str, str]) -> tuple[Closing | None, dict[str, str]]:
    """The closure that a form asks for, or what is wrong with its fields."""
    errors: dict[str, str] = {}
    start = _instant(visit, data, "from", errors)
    end = _instant(visit, data, "to", errors) if data.get("to_day") else None
    if start and end and end <= start:
        errors["to_time"] = visit.say("结束要晚于开始。")
    if data.get("reason") not in CLOSE_REASONS:
        errors["reason"] = visit.say("请选一个原因。")
    if len(data.get("note", "")) > NOTE_MAX:
        errors["note"] = visit.say("最多写 %(most)s 个字。", most=NOTE_MAX)
    if errors or start is None:
        return None, errors
    return Closing(start, end, data["reason"], data.get("note", "").strip() or None), {}


def _instant(visit: Visit, data: Mapping[str, str], side: str, errors: dict[str, str]) -> datetime | None:
    day, time = _near(visit, data.get(f"{side}_day", "")), _minutes(data.get(f"{side}_time", ""))
    if day is None:
        errors[f"{side}_day"] = visit.say("请选日期。")
    if time is None:
        errors[f"{side}_time"] = visit.say("请选时间。")
    return local_instant(day, time, visit.zone) if day and time is not None else None


def _minutes(text: str) -> int | None:
    try:
        return minutes_of(msgspec.convert(text[:5], TimeOfDay))
    except msgspec.ValidationError:
        return None


def _near(visit: Visit, text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if abs((day - visit.calendar.today).days) <= DAYS_AWAY_MAX else None


def _serves(caller: Caller, station: str) -> bool:
    """Whether somebody works at a station: at their own ones; who has none and may touch all, at every one."""
    own = caller.known().stations
    return station in own or (caller.scope == "all" and not own)


async def _by_code(visit: Visit, code: str) -> Item | None:
    """The booking that somebody reads out, if it is the visitor's affair."""
    async with visit.reading("agenda") as snapshot:
        item = await agenda.by_code(snapshot, code[:20], visit.now)
    asker = visit.caller(SEE).asker(visit.channel)
    return item if item and asker.may_touch(person=item.person, station=item.station) else None


async def _with_actions(visit: Visit, items: tuple[Item, ...], early: timedelta) -> list[dict[str, Any]]:
    told = await rows(visit, items)
    return [
        {**row, "can_check_in": visit.may(CHECK_IN) and may_check_in(visit, item, early)}
        for row, item in zip(told, items, strict=True)
    ]


HANDLERS = (today, of_room, ask_to_close, close)

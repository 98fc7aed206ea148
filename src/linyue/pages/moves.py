"""A booking at another time or in another room, for longer, or ended early: a plain form each."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from booking.local_time import Interval, local_day
from booking.messages import Answer, Outcome, Reason
from booking.reservations.checks import as_a_change, slots_on
from booking.reservations.decide import BookingView, EndBooking, ExtendBooking, RescheduleBooking
from linyue.api.advice import Advice, Move, asked_of_move
from linyue.api.agenda import objections
from linyue.api.asking import Wish, ask, reasons_of
from linyue.pages.book import ENDS_SHOWN_MAX, End
from linyue.pages.bookings import booking_page, changed
from linyue.pages.door import Form
from linyue.pages.page import TheVisit, Visit, address, see
from linyue.pages.rooms import DAYS_AHEAD_MAX, day_of, room_of, use_of
from linyue.pages.told import rows, visible
from projections import availability
from projections.agenda import Item
from projections.availability import RoomView, UseView
from projections.grid import Board

RESCHEDULE = "POST bookings/{booking}/reschedule"
EXTEND = "POST bookings/{booking}/extend"
END = "POST bookings/{booking}/end"
FIELDS = ("room", "day", "minutes", "units", "start")


class Choice(NamedTuple):
    """What somebody may choose from: the rooms for the same use, the days, and how long; and what they chose of it."""

    rooms: list[RoomView]
    room: RoomView
    use: UseView
    days: list[date]
    day: date
    lengths: list[int]
    minutes: int
    units: int
    board: Board


@get("/bookings/{booking:str}/reschedule", opt={"call": RESCHEDULE})
async def ask_to_move(visit: TheVisit, booking: FromPath[str]) -> Response[str]:
    """Where to: a room, a day and how long, and then one of the times that are free."""
    item = await visible(visit, booking)
    if against := await _against(visit, item, "reschedule"):
        return await booking_page(visit, item, reasons=visit.sentences([against]), status=409)
    return await _move_form(visit, item, dict(visit.request.query_params.multi_items()))


@post("/bookings/{booking:str}/reschedule", status_code=303, opt={"call": RESCHEDULE})
async def move(visit: TheVisit, booking: FromPath[str], data: Form) -> Response[Any]:
    """To a time that was chosen, or to one that was offered instead."""
    item = await visible(visit, booking)
    choice = await _choice(visit, item, data)
    start = _instant(data.get("start", ""))
    if start is None:
        return await _move_form(visit, item, data, errors={"start": visit.say("请选一个时间。")}, status=400)
    command = RescheduleBooking(
        booking=item.id,
        start=start,
        end=start + timedelta(minutes=choice.minutes),
        room=choice.room.id,
        use=choice.use.use,
        units=choice.units,
    )
    answer = await _ask(visit, RESCHEDULE, command)
    if answer.outcome is Outcome.REFUSED:
        instead = await _instead(visit, RESCHEDULE, command, answer)
        reasons = visit.sentences(reasons_of(answer))
        return await _move_form(visit, item, data, reasons=reasons, instead=instead, status=409)
    waits = msgspec.json.decode(answer.body, type=BookingView).state == "awaiting_approval"
    return see(address(f"/bookings/{item.id}", said="awaiting_approval" if waits else "rescheduled"), answer.position)


@get("/bookings/{booking:str}/extend", opt={"call": EXTEND})
async def ask_to_extend(visit: TheVisit, booking: FromPath[str]) -> Response[str]:
    """Until when."""
    item = await visible(visit, booking)
    if against := await _against(visit, item, "extend"):
        return await booking_page(visit, item, reasons=visit.sentences([against]), status=409)
    return await _extend_form(visit, item)


@post("/bookings/{booking:str}/extend", status_code=303, opt={"call": EXTEND})
async def extend(visit: TheVisit, booking: FromPath[str], data: Form) -> Response[Any]:
    item = await visible(visit, booking)
    end = _instant(data.get("end", ""))
    if end is None or end <= item.end:
        return await _extend_form(visit, item, errors={"end": visit.say("请选一个时间。")}, status=400)
    command = ExtendBooking(booking=item.id, end=end)
    answer = await _ask(visit, EXTEND, command)
    if answer.outcome is Outcome.REFUSED:
        instead = [one for one in await _instead(visit, EXTEND, command, answer) if one["room"] != item.room]
        reasons = visit.sentences(reasons_of(answer))
        return await _extend_form(visit, item, reasons=reasons, instead=instead, status=409)
    return see(address(f"/bookings/{item.id}", said="extended"), answer.position)


@get("/bookings/{booking:str}/end", opt={"call": END})
async def ask_to_end(visit: TheVisit, booking: FromPath[str]) -> Response[str]:
    """Once more, as nobody can take it back."""
    item = await visible(visit, booking)
    if against := await _against(visit, item, "end"):
        return await booking_page(visit, item, reasons=visit.sentences([against]), status=409)
    [row] = await rows(visit, [item])
    return visit.page("end.html", row=row)


@post("/bookings/{booking:str}/end", status_code=303, opt={"call": END})
async def end(visit: TheVisit, booking: FromPath[str]) -> Response[Any]:
    item = await visible(visit, booking)
    return await changed(visit, item, END, EndBooking(booking=item.id), "ended")


async def _against(visit: Visit, item: Item, action: str) -> Reason | None:
    """What stands against it already, before anybody fills in a form."""
    against, _ = await objections(visit.parts, visit.caller(RESCHEDULE).known(), item, visit.now)
    return {str(name): reason for name, reason in against.items()}.get(action)


async def _ask(visit: Visit, call: str, command: Move) -> Answer:
    return await ask(visit.parts, visit.caller(call), Wish(command=command, channel=visit.channel))


async def _instead(visit: Visit, call: str, command: Move, answer: Answer) -> list[dict[str, Any]]:
    """What could be had instead, with the names of the rooms."""
    asked = await asked_of_move(visit.parts, command, visit.caller(call), answer.position)
    if asked is None:
        return []
    advice: Advice = visit.request.app.state["advice"]
    found = (await advice.instead_of(asked, reasons_of(answer), answer.position)).alternatives
    async with visit.reading("availability") as snapshot:
        rooms = {room.id: room for room in await availability.rooms(snapshot, use=asked.use)}
    return [
        {
            **msgspec.structs.asdict(one),
            "name": rooms[one.room].name,
            "station": rooms[one.room].station.id,
            "day": local_day(one.start, visit.zone),
            "minutes": Interval(one.start, one.end).minutes,
        }
        for one in found
    ]


async def _choice(visit: Visit, item: Item, asked: Mapping[str, str]) -> Choice:
    """What a form or an address says, where it can be; else as the booking is. Raises a Problem."""
    async with visit.reading("availability") as snapshot:
        rooms = [
            room
            for room in await availability.rooms(snapshot, use=item.use)
            if visit.may_at(RESCHEDULE, room.station.id)
        ]
        room = await room_of(snapshot, asked.get("room") or item.room)
        use = use_of(room, item.use)
        rules = await availability.rules(snapshot)
        today = visit.calendar.today
        last = today + timedelta(days=min(rules.book.ahead_days_max, DAYS_AHEAD_MAX))
        days = [today + timedelta(days=n) for n in range((last - today).days + 1)]
        day = day_of(asked.get("day") or str(local_day(item.start, visit.zone)), today, last)
        board = await availability.board(snapshot, day, day, visit.now, room=room.id)
    steps = rules.book.duration_minutes_max // use.slot_minutes
    lengths = [use.slot_minutes * n for n in range(1, min(max(steps, 1), ENDS_SHOWN_MAX) + 1)]
    booked = Interval(item.start, item.end).minutes
    units = _number(asked.get("units", ""), range(1, use.units + 1), min(item.units, use.units))
    minutes = _number(asked.get("minutes", ""), lengths, booked if booked in lengths else lengths[0])
    return Choice(rooms, room, use, days, day, lengths, minutes, units, board.without(item.id))


def _times(item: Item, choice: Choice) -> list[Interval]:
    """When the booking could begin that day, as long as was chosen; but where it is already."""
    definition, known = choice.board.rooms[choice.room.id].definition, choice.board.known
    use = definition.use_named(item.use) if definition else None
    if definition is None or use is None:
        return []
    as_it_is = (item.room, item.start, item.end, item.units)
    found = []
    for step in slots_on(choice.day, definition, use, known.rules, known.zone):
        slot = Interval(step.start, step.start + timedelta(minutes=choice.minutes))
        same = (choice.room.id, slot.start, slot.end, choice.units) == as_it_is
        if not same and not _reasons(item, choice.board, choice.room.id, slot, choice.units):
            found.append(slot)
    return found


def _reasons(item: Item, board: Board, room: str, slot: Interval, units: int) -> tuple[Reason, ...]:
    """What says no to the booking in a slot, as the desk would judge it."""
    wanted = board.wanted(room, item.use, slot, units, item.attendees)
    assert wanted is not None
    wanted, checks = as_a_change(wanted, item.start, board.now)
    return board.judge(wanted, checks)[1]


async def _move_form(
    visit: Visit,
    item: Item,
    asked: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    reasons: list[str] | None = None,
    instead: list[dict[str, Any]] | None = None,
    status: int = 200,
) -> Response[str]:
    choice = await _choice(visit, item, asked)
    [row] = await rows(visit, [item])
    query = {"room": choice.room.id, "day": choice.day, "minutes": choice.minutes, "units": choice.units}
    return visit.page(
        "move.html",
        status=status,
        address=address(f"/bookings/{item.id}/reschedule", **query),
        row=row,
        choice=choice,
        times=_times(item, choice),
        chosen=_instant(asked.get("start", "")),
        errors=errors or {},
        reasons=reasons,
        instead=instead or [],
    )


async def _extend_form(
    visit: Visit,
    item: Item,
    *,
    errors: Mapping[str, str] | None = None,
    reasons: list[str] | None = None,
    instead: list[dict[str, Any]] | None = None,
    status: int = 200,
) -> Response[str]:
    day = local_day(item.start, visit.zone)
    async with visit.reading("availability") as snapshot:
        room = await room_of(snapshot, item.room)
        board = await availability.board(snapshot, day, day, visit.now, room=item.room)
    ends, against = _ends(item, board.without(item.id), use_of(room, item.use))
    [row] = await rows(visit, [item])
    return visit.page(
        "extend.html",
        status=status,
        address=f"/bookings/{item.id}/extend",
        row=row,
        ends=ends,
        errors=errors or {},
        reasons=reasons if reasons is not None or ends else visit.sentences(against),
        instead=instead or [],
    )


def _ends(item: Item, board: Board, use: UseView) -> tuple[list[End], tuple[Reason, ...]]:
    """Until when the booking could be kept, a slot more each time; and what says no to more than that."""
    step, found = timedelta(minutes=use.slot_minutes), list[End]()
    for n in range(1, ENDS_SHOWN_MAX + 1):
        # Counted from the start: where an earlier change of the room left it off the grid, so are its ends.
        begun = (item.end - item.start) // step
        slot = Interval(item.start, item.start + (begun + n) * step)
        against = _reasons(item, board, item.room, slot, item.units)
        if against:
            return found, against
        found.append(End(slot.end, Interval(item.end, slot.end).minutes))
    return found, ()


def _number(text: str, allowed: "range | list[int]", otherwise: int) -> int:
    """A number of those that may be chosen."""
    return int(text) if text.isdecimal() and len(text) < 6 and int(text) in allowed else otherwise


def _instant(text: str) -> datetime | None:
    try:
        read = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return read if read.tzinfo is not None and 2000 <= read.year < 2200 else None


HANDLERS = (ask_to_move, move, ask_to_extend, extend, ask_to_end, end)

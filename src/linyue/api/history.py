"""What was done with a booking, by whom and when, in sentences."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from booking.messages import Channel, Reason
from booking.vault import text_id
from linyue.api.agenda import seen, sees_texts
from linyue.api.answers import Items, TheCaller, TheParts, answered
from linyue.api.asking import position_asked
from linyue.api.bodies import POSITION_MAX, known_form
from linyue.api.people import Person, names, shown, texts
from linyue.permissions import Caller
from linyue.problems import wrong
from linyue.wiring import Parts
from linyue.words import Language
from linyue.words.codes import ACTIONS, CANCEL_REASONS, CLOSE_REASONS, REJECT_REASONS
from linyue.words.events import CARRIED, EVENTS, FOR_GOOD, MOVED_AND_AWAITS, OPEN_END, TO, WHERE
from linyue.words.rules import message, moment, span
from projections import agenda, availability, history
from projections.history import Row


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened.

    `hash` is its place in the log's chain; `due`, since when it held, where that was earlier. `purpose` and `note` came
    with it; null where there is none, where it was erased, or where it is not the caller's to read.
    """

    position: int
    at: datetime
    due: datetime | None
    type: str
    actor: Person
    channel: Channel
    text: str
    purpose: str | None
    note: str | None
    hash: str


@get(
    "/bookings/{booking:str}/history",
    opt={"call": "GET bookings/{booking}/history"},
    operation_id="get_booking_history",
    tags=["bookings"],
)
async def get_booking_history(
    request: Request[Any, Any, Any],
    booking: FromPath[str],
    parts: TheParts,
    caller: TheCaller,
    cursor: FromQuery[str | None] = None,
) -> Response[Items[HistoryItem]]:
    """Everything that happened to a booking, oldest first, and what was refused of it."""
    id_, asked, zone = known_form(booking, "booking"), position_asked(request), await parts.lasting.zone()
    after = position_after(cursor)
    async with parts.reader.of(agenda.NAME, asked) as snapshot:
        item = await seen(snapshot, caller, id_, parts.now())
    async with parts.reader.of(history.NAME, max(asked or 0, snapshot.position)) as snapshot:
        rows = await history.of_booking(snapshot, id_, after=after)
    told = await texts(parts, _text_ids(rows)) if sees_texts(caller, item) else {}
    known = await names(parts, {row.actor for row in rows if row.role != "system"})
    rooms = await rooms_moved_to(parts, rows)
    items = [history_item(row, caller, known, told, zone, rooms) for row in rows]
    more = str(rows[-1].position) if len(rows) == history.ROWS_MAX else None
    return answered(Items(items=items, next=more, position=snapshot.position), snapshot.position)


def position_after(cursor: str | None) -> int:
    """The position after which a list goes on. Raises a Problem."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20 and int(cursor) <= POSITION_MAX):
        raise wrong("not_a_cursor", "cursor")
    return int(cursor)


async def rooms_moved_to(parts: Parts, rows: list[Row]) -> dict[str, str]:
    """The names of the rooms to which a booking moved, or was to; most never do."""
    ids = {room for row in rows if (room := _other_room(row.data))}
    if not ids:
        return {}
    async with parts.reader.of(availability.NAME) as snapshot:
        return {id_: room.name for id_, room in (await availability.room_names(snapshot)).items() if id_ in ids}


def _other_room(data: Mapping[str, Any]) -> str | None:
    if "left" in data:
        before, after = data["left"]["room"], data["room"]
    else:
        before, after = data.get("room"), data.get("wanted", data).get("room")
    return after if after != before else None


def history_item(
    row: Row,
    caller: Caller,
    known: Mapping[str, str],
    told: Mapping[str, str],
    zone: ZoneInfo,
    rooms: Mapping[str, str],
) -> HistoryItem:
    """An event as the caller reads it, with the names of people and rooms and the texts (`told`) by their ids."""
    return HistoryItem(
        position=row.position,
        at=row.at.astimezone(zone),
        due=row.due.astimezone(zone) if row.due else None,
        type=row.type,
        actor=shown(row.actor, row.role, known.get(row.actor), caller.known(), caller.language),
        channel=row.channel,
        text=sentence(row.type, row.data, caller.language, zone, rooms, carried=(row.cause or "").isdigit()),
        purpose=told.get(text_id(row.command, "purpose")) if "purpose" in row.data else None,
        note=told.get(text_id(row.command, "note")) if "note" in row.data else None,
        hash=row.hash,
    )


def sentence(
    type_: str,
    data: Mapping[str, Any],
    language: Language,
    zone: ZoneInfo,
    rooms: Mapping[str, str] = {},
    *,
    carried: bool = False,
) -> str:
    """What happened, by an event's type and its data as the log keeps them; `rooms` are names by room.

    `carried`: another event led to it.
    """
    definition = data.get("definition") or {}
    figures: dict[str, object] = {"name": definition.get("name", ""), **data}
    wanted = data.get("wanted")
    figures["when"] = _when(type_, wanted or data, language, zone)
    room = _other_room(data)
    figures["where"] = WHERE.say(language, room=rooms.get(room, room)) if room else ""
    figures["to"] = TO.say(language, **figures) if wanted else ""
    figures["reason"] = _reason(type_, str(data.get("reason", "")), language)
    reasons = msgspec.convert(data.get("reasons", []), list[Reason])
    figures["reasons"] = " ".join(message(reason, language, zone) for reason in reasons)
    asked = data.get("asked")
    figures["asked"] = ACTIONS[asked].say(language) if asked in ACTIONS else asked
    words = MOVED_AND_AWAITS if data.get("awaits") else EVENTS[type_]
    if carried and room and type_ == "BookingRescheduled":
        words = CARRIED
    return words.say(language, **figures)


def _when(type_: str, data: Mapping[str, Any], language: Language, zone: ZoneInfo) -> str:
    if "start" not in data:
        return ""
    start = datetime.fromisoformat(data["start"])
    if data.get("end"):
        return span(start, datetime.fromisoformat(data["end"]), language, zone)
    words = OPEN_END if type_ == "RoomClosed" else FOR_GOOD
    return words.say(language, start=moment(start, language, zone))


def _reason(type_: str, code: str, language: Language) -> str:
    listed = {"BookingCancelled": CANCEL_REASONS, "BookingRejected": REJECT_REASONS, "RoomClosed": CLOSE_REASONS}
    words = listed.get(type_, {}).get(code)
    return words.say(language) if words else code


def _text_ids(rows: list[Row]) -> list[str]:
    return [text_id(row.command, kind) for row in rows for kind in ("purpose", "note") if kind in row.data]


HANDLERS = (get_booking_history,)

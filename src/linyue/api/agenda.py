"""Bookings as they stand: one of them and what the caller may do with it, and all of one's own."""

from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from booking.messages import Denied, Reason
from booking.reservations.change import objection
from booking.reservations.slots import MAY_APPROVE
from booking.reservations.standing import Standing
from linyue.api.answers import BookingOut, Items, TheCaller, TheParts, answered, in_zone
from linyue.api.asking import ReasonOut, denied, position_asked, reason_out
from linyue.api.bodies import YEARS, known_form
from linyue.api.people import texts
from linyue.identity import Actor
from linyue.permissions import ACTIONS, Caller, scope_of
from linyue.problems import wrong
from linyue.wiring import Parts
from linyue.words.codes import STATES
from projections import agenda, availability
from projections.agenda import Item, Paging
from projections.reading import Snapshot

CURSOR_LENGTH_MAX = 300


class NotNow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the caller may do with a booking, but not as it stands now, and why."""

    action: str
    reason: ReasonOut


class BookingFull(BookingOut, frozen=True, kw_only=True):
    """A booking with all that stands about it.

    `actions` is what the caller may do with it now, by how it stands; `not_now` is what else they may do with bookings,
    and why not with this one. `due_at` and `becomes`: what befalls it if nobody does anything.
    `reason`, `purpose` and `note` are null where there is none, where it was erased, or where it is not the caller's to
    read.
    """

    station: str
    attendees: int | None
    made_at: datetime
    checked_in_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    becomes: Standing | None
    reason: str | None
    purpose: str | None
    note: str | None
    actions: list[str]
    not_now: list[NotNow]


@get("/bookings/{booking:str}", opt={"call": "GET bookings/{booking}"}, operation_id="get_booking", tags=["bookings"])
async def get_booking(
    request: Request[Any, Any, Any], booking: FromPath[str], parts: TheParts, caller: TheCaller
) -> Response[BookingFull]:
    """A booking as it stands now, and what the caller may do with it."""
    id_, now, zone = known_form(booking, "booking"), parts.now(), await parts.lasting.zone()
    async with parts.reader.of(agenda.NAME, position_asked(request)) as snapshot:
        item = await seen(snapshot, caller, id_, now)
    told = await texts(parts, texts_of(item)) if sees_texts(caller, item) else {}
    against, version = await objections(parts, caller.known(), item, now)
    actions = {
        "actions": [action for action, reason in against.items() if reason is None],
        "not_now": [
            NotNow(action=action, reason=reason_out(reason, version, caller.language, zone))
            for action, reason in against.items()
            if reason is not None
        ],
    }
    return answered(full(item, told, actions, snapshot.position, zone), snapshot.position)


async def seen(snapshot: Snapshot, caller: Caller, booking: str, now: datetime) -> Item:
    """A booking that the caller may see. Raises a Problem where there is none, which says no more of another's."""
    item = await agenda.booking(snapshot, booking, now)
    if item is None or not caller.asker("api").may_touch(person=item.person, station=item.station):
        raise denied(Denied(code="not_found", what="booking"))
    return item


def sees_texts(caller: Caller, item: Item) -> bool:
    """Purpose and notes are for the holder, for staff and auditors; not for whoever only marks who came."""
    return caller.known().role != "volunteer" or item.person == caller.known().person


def texts_of(item: Item) -> list[str]:
    return [id_ for id_ in (item.purpose, item.note) if id_ is not None]


async def objections(parts: Parts, actor: Actor, item: Item, now: datetime) -> tuple[dict[str, Reason | None], int]:
    """What says no to each thing that an actor may do with bookings, None where nothing does; and the rules' version.

    By the table of permissions and by how it stands: what is asked about a slot is judged when one is asked for.
    """
    allowed = [action for action, call in ACTIONS.items() if _may(actor, call, item)]
    if not allowed:
        return {}, 0
    async with parts.reader.of(availability.NAME) as snapshot:
        rules = await availability.rules(snapshot)
        room = await availability.room(snapshot, item.room) if "extend" in allowed else None
    against: dict[str, Reason | None] = {}
    for action in allowed:
        own = scope_of(ACTIONS[action], actor.role) == "own"
        against[action] = objection(action, item.state, item.start, rules, now, own=own)
    asks_approval = room is not None and any(use.use == item.use and use.approval for use in room.uses)
    if asks_approval and actor.role not in MAY_APPROVE and against["extend"] is None:
        against["extend"] = Reason(rule="approval_needed")
    return against, rules.version


def _may(actor: Actor, call: str, item: Item) -> bool:
    scope = scope_of(call, actor.role)
    return scope is not None and actor.asker(scope, "api").may_touch(person=item.person, station=item.station)


def full(item: Item, told: dict[str, str], actions: dict[str, Any], position: int, zone: ZoneInfo) -> BookingFull:
    """A booking as it is answered to who may see it in full; `told` are its texts, by their ids."""
    values = in_zone(msgspec.structs.asdict(item), zone)
    values["purpose"] = told.get(item.purpose or "")
    values["note"] = told.get(item.note or "")
    known = {name: values[name] for name in BookingFull.__struct_fields__ if name in values}
    return BookingFull(**known, **actions, position=position)


class OwnBooking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking of one's own."""

    id: str
    code: str
    room: str
    station: str
    use: str
    start: datetime
    end: datetime
    units: int
    state: Standing
    person: str
    booked_by: str
    made_at: datetime
    checked_in_at: datetime | None
    reason: str | None


@get("/me/bookings", opt={"call": "GET me/bookings"}, operation_id="list_own_bookings", tags=["bookings"])
async def list_own_bookings(
    request: Request[Any, Any, Any],
    *,
    parts: TheParts,
    caller: TheCaller,
    standing: Annotated[str | None, QueryParameter(name="state", description="States, separated by commas.")] = None,
    from_: Annotated[date | None, QueryParameter(name="from")] = None,
    to: FromQuery[date | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=agenda.PAGE_MAX)] = 50,
) -> Response[Items[OwnBooking]]:
    """The caller's own bookings, in the order of their starts: all, those in some states, those of some local days."""
    states = _states(standing)
    for day, field in ((from_, "from"), (to, "to")):
        if day is not None and day.year not in YEARS:
            raise wrong("far_year", field)
    if cursor is not None and len(cursor) > CURSOR_LENGTH_MAX:
        raise wrong("not_a_cursor", "cursor")
    zone = await parts.lasting.zone()
    async with parts.reader.of(agenda.NAME, position_asked(request)) as snapshot:
        page = await agenda.of_person(
            snapshot,
            caller.known().person,
            parts.now(),
            states=states,
            first_day=from_,
            last_day=to,
            paging=Paging(after=cursor, limit=limit),
        )
    items = [_own(item, zone) for item in page.items]
    return answered(Items(items=items, next=page.next, position=snapshot.position), snapshot.position)


def _own(item: Item, zone: ZoneInfo) -> OwnBooking:
    values = in_zone(msgspec.structs.asdict(item), zone)
    return OwnBooking(**{name: values[name] for name in OwnBooking.__struct_fields__})


def _states(asked: str | None) -> list[Standing] | None:
    if asked is None:
        return None
    try:
        return msgspec.convert(asked.split(","), list[Standing])
    except msgspec.ValidationError as error:
        raise wrong("not_listed", "state", listed=", ".join(STATES)) from error


HANDLERS = (get_booking, list_own_bookings)

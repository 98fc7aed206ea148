"""Bookings as they stand: one of them and what the caller may do with it, and all of one's own."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from booking.messages import Denied
from booking.reservations.standing import LIVE, Standing
from linyue.api.answers import BookingOut, Items, TheCaller, TheParts, answered, in_zone
from linyue.api.asking import denied, position_asked
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


class BookingFull(BookingOut, frozen=True, kw_only=True):
    """A booking with all that stands about it.

    `actions` is what the caller may do with it now. `due_at` and `becomes`: what befalls it if nobody does anything.
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


@get("/bookings/{booking:str}", opt={"call": "GET bookings/{booking}"}, operation_id="get_booking", tags=["bookings"])
async def get_booking(
    request: Request[Any, Any, Any], booking: FromPath[str], parts: TheParts, caller: TheCaller
) -> Response[BookingFull]:
    """A booking as it stands now, and what the caller may do with it."""
    id_, now, zone = known_form(booking, "booking"), parts.now(), await parts.lasting.zone()
    async with parts.reader.of(agenda.NAME, position_asked(request)) as snapshot:
        item = await seen(snapshot, caller, id_, now)
    told = await texts(parts, texts_of(item)) if sees_texts(caller, item) else {}
    actions = await actions_of(parts, caller.known(), item, now)
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


async def actions_of(parts: Parts, actor: Actor, item: Item, now: datetime) -> list[str]:
    """What an actor may do with a booking now, by the table of permissions and by how it stands."""
    allowed = [action for action, call in ACTIONS.items() if _may(actor, call, item)]
    if not allowed or item.state not in LIVE:
        return []
    opens = item.start
    if "check_in" in allowed and item.state == "confirmed" and now < item.start:
        async with parts.reader.of(availability.NAME) as snapshot:
            rules = await availability.rules(snapshot)
        opens -= timedelta(minutes=rules.book.check_in_minutes_before)
    own = scope_of(ACTIONS["cancel"], actor.role) == "own"
    stands = {
        # As the decider has it: whoever holds it gives it up before the start; what only waits can go at any time.
        "cancel": item.state == "awaiting_approval" or not own or now < item.start,
        "check_in": item.state == "confirmed" and now >= opens,
        "approve": item.state == "awaiting_approval",
        "reject": item.state == "awaiting_approval",
    }
    return [action for action in allowed if stands[action]]


def _may(actor: Actor, call: str, item: Item) -> bool:
    scope = scope_of(call, actor.role)
    return scope is not None and actor.asker(scope, "api").may_touch(person=item.person, station=item.station)


def full(item: Item, told: dict[str, str], actions: list[str], position: int, zone: ZoneInfo) -> BookingFull:
    """A booking as it is answered to who may see it in full; `told` are its texts, by their ids."""
    values = in_zone(msgspec.structs.asdict(item), zone)
    values["purpose"] = told.get(item.purpose or "")
    values["note"] = told.get(item.note or "")
    known = {name: values[name] for name in BookingFull.__struct_fields__ if name in values}
    return BookingFull(**known, actions=actions, position=position)


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

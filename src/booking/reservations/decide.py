"""What can be asked of bookings: request, approve, reject, cancel, check in, close out."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from booking.local_time import Interval, days_touched, zone_named
from booking.messages import (
    Ask,
    Asker,
    Command,
    Count,
    Decision,
    Denied,
    Event,
    Id,
    Reason,
    Recorded,
    code_of,
    derived_id,
)
from booking.places.events import SUBDISTRICT, Resource, Room, RoomDefinition, Subdistrict, Use, room_tag
from booking.reservations import checks
from booking.reservations import follow as following
from booking.reservations.checks import Known, Wanted, broken
from booking.reservations.close_out import close_out
from booking.reservations.events import (
    Asked,
    Booking,
    BookingApproved,
    BookingCancelled,
    BookingChangeRefused,
    BookingCheckedIn,
    BookingConfirmed,
    BookingRefused,
    BookingRejected,
    BookingRequested,
    CancelReason,
    PersonMonth,
    RejectReason,
    ResourceDay,
    booking_tag,
    person_month_tag,
)
from booking.reservations.standing import Life, Standing
from booking.rules.events import RULES, HouseRules
from booking.state import State, TagRange
from booking.takes import Take, resource_day_tag, resource_tag


class RequestBooking(Command, frozen=True, kw_only=True):
    """Ask for `units` of a room's use.

    `use` may be left out where the room has one; `person` may be a station's name.
    """

    room: Id
    start: datetime
    end: datetime
    person: Id
    use: Id | None = None
    units: Count = 1
    attendees: Count | None = None


class ApproveBooking(Command, frozen=True, kw_only=True):
    booking: Id


class RejectBooking(Command, frozen=True, kw_only=True):
    booking: Id
    reason: RejectReason


class CancelBooking(Command, frozen=True, kw_only=True):
    booking: Id
    reason: CancelReason


class CheckIn(Command, frozen=True, kw_only=True):
    booking: Id


class CloseOut(Command, frozen=True, kw_only=True):
    """Record what befell a booking whose time has passed. Asked twice, early or late, it changes no decision."""

    booking: Id


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as it is answered; instants in UTC."""

    id: str
    code: str
    room: str
    use: str
    start: datetime
    end: datetime
    units: int
    state: Standing
    person: str
    booked_by: str


STATION_PREFIX = checks.STATION_PREFIX
SLOT_MAX = timedelta(days=31)
"""The longest that any rules can allow: beyond it a request is not refused by them but not valid."""


def station_person(station: str) -> str:
    """In whose name staff book for their station; no quota binds it."""
    return STATION_PREFIX + station


def tags(ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
    """What must have been read: first the room or the booking, then what the use takes on the days in question."""
    match ask.command:
        case RequestBooking() as command:
            yield room_tag(command.room)
            if state.has(room_tag(command.room)):
                yield from _tags_of_request(command, state, now)
        case ApproveBooking() | RejectBooking() | CancelBooking() | CheckIn() | CloseOut() as known:
            yield booking_tag(known.booking)
        case _:
            yield from following.tags(ask, state, now)


def decide(ask: Ask, state: State, now: datetime) -> Decision:
    match ask.command:
        case RequestBooking() as command:
            return _request(ask, command, state, now)
        case CloseOut(booking=booking):
            return close_out(state.at(Booking, booking_tag(booking)), now)
        case ApproveBooking() | RejectBooking() | CancelBooking() | CheckIn() as command:
            return _change(ask, command, state, now)
    raise TypeError(f"reservations does not decide {type(ask.command).__name__}")


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    """The booking as it stands after these events; of a change of places, which bookings it cancelled."""
    match ask.command:
        case RequestBooking():
            booking = Booking()
        case ApproveBooking() | RejectBooking() | CancelBooking() | CheckIn() | CloseOut() as known:
            booking = state.at(Booking, booking_tag(known.booking))
        case _:
            return following.answer(ask, events)
    for recorded in events:
        booking = booking.evolve(recorded)
    return msgspec.structs.asdict(view(booking, now))


follow = following.follow


def view(booking: Booking, now: datetime) -> BookingView:
    """The booking as it stands at `now`. Raises `ValueError` for one that was never made."""
    if booking.made is None or booking.life is None:
        raise ValueError("a booking that was never made has no view")
    made = booking.made
    return BookingView(
        id=made.booking,
        code=code_of(made.booking),
        room=made.room,
        use=made.use,
        start=made.start,
        end=made.end,
        units=made.units,
        state=booking.life.standing(now),
        person=made.person,
        booked_by=booking.booked_by,
    )


def _tags_of_request(command: RequestBooking, state: State, now: datetime) -> Iterable[str]:
    definition = state.at(Room, room_tag(command.room)).definition
    use = _use_of(definition, command.use) if definition else None
    if definition is None or use is None or not _is_slot(command):
        return
    zone = _zone(state)
    days = days_touched(_held(command, definition), zone)
    for take in use.takes:
        yield resource_tag(take.resource)
        yield from (resource_day_tag(take.resource, day) for day in days)
    yield from (person_month_tag(command.person, month) for month in _quota_months(command, state, zone, now))


def _quota_months(command: RequestBooking, state: State, zone: ZoneInfo, now: datetime) -> tuple[str, ...]:
    return checks.quota_months(command.person, state.at(HouseRules, RULES), zone, now)


def _request(ask: Ask, command: RequestBooking, state: State, now: datetime) -> Decision:
    room = state.at(Room, room_tag(command.room))
    definition = room.definition
    if definition is None:
        return Denied(code="not_found", what="room")
    if not _may_book_for(ask.asker, command.person, definition.station):
        elsewhere = ask.asker.scope == "stations" and definition.station not in ask.asker.stations
        return Denied(code="forbidden", what="room" if elsewhere else "person")
    if not _is_slot(command):
        return Denied(code="not_valid", what="end")
    use = _use_of(definition, command.use)
    if use is None:
        return Denied(code="use_needed" if command.use is None else "not_found", what="use")
    slot = Interval(command.start, command.end)
    wanted = Wanted(
        definition=definition, room=room, use=use, units=command.units, slot=slot, attendees=command.attendees
    )
    known = _known(command, wanted, state, now)
    reasons = broken(wanted, known, now)
    return [_refused(command, use, known.zone, reasons) if reasons else _made(ask, command, wanted, known)]


def _may_book_for(asker: Asker, person: str, station: str) -> bool:
    """In a station's name, and so without a quota, book only those who run it."""
    if person.startswith(STATION_PREFIX):
        named = person.removeprefix(STATION_PREFIX)
        runs_both = all(asker.may_touch(person=None, station=one) for one in (station, named))
        return runs_both and asker.role in ("staff", "admin", "system")
    return asker.may_touch(person=person, station=station)


def _known(command: RequestBooking, wanted: Wanted, state: State, now: datetime) -> Known:
    zone = _zone(state)
    resources = [take.resource for take in wanted.use.takes]
    day_tags = [resource_day_tag(r, day) for r in resources for day in days_touched(wanted.held(), zone)]
    months = _quota_months(command, state, zone, now)
    return Known(
        rules=state.at(HouseRules, RULES),
        zone=zone,
        resources={resource: state.at(Resource, resource_tag(resource)) for resource in resources},
        days={tag: state.at(ResourceDay, tag) for tag in day_tags},
        months=tuple(state.at(PersonMonth, person_month_tag(command.person, m)) for m in months) if months else None,
    )


def _made(ask: Ask, command: RequestBooking, wanted: Wanted, known: Known) -> Event:
    held = wanted.held()
    kind = BookingRequested if wanted.use.approval else BookingConfirmed
    return kind(
        booking=derived_id(ask.id),
        room=command.room,
        station=wanted.definition.station,
        use=wanted.use.use,
        units=command.units,
        start=command.start,
        end=command.end,
        held_until=held.end,
        takes=tuple(Take(resource=take.resource, units=take.units * command.units) for take in wanted.use.takes),
        days=days_touched(held, known.zone),
        person=command.person,
        grace_minutes=known.rules.book.grace_minutes,
        attendees=command.attendees,
        purpose=ask.digest_of("purpose"),
    )


def _refused(command: RequestBooking, use: Use, zone: ZoneInfo, reasons: tuple[Reason, ...]) -> Event:
    return BookingRefused(
        room=command.room,
        use=use.use,
        units=command.units,
        start=command.start,
        end=command.end,
        person=command.person,
        day=days_touched(Interval(command.start, command.end), zone)[0],
        reasons=reasons,
    )


Change = ApproveBooking | RejectBooking | CancelBooking | CheckIn


def _change(ask: Ask, command: Change, state: State, now: datetime) -> Decision:
    booking = state.at(Booking, booking_tag(command.booking))
    made, life = booking.made, booking.life
    if made is None or life is None:
        return Denied(code="not_found", what="booking")
    # Nobody answers a request of their own.
    holder = None if isinstance(command, ApproveBooking | RejectBooking) else made.person
    if not ask.asker.may_touch(person=holder, station=made.station):
        return Denied(code="forbidden", what="booking")
    if reason := _refusal_of_change(ask, command, life, state.at(HouseRules, RULES), now):
        refused = BookingChangeRefused(
            asked=_ASKED[type(command)], booking=made.booking, room=made.room, person=made.person, reasons=(reason,)
        )
        return [refused]
    return [_changed(ask, command, made)]


_ASKED: dict[type[Change], Asked] = {
    ApproveBooking: "approve",
    RejectBooking: "reject",
    CancelBooking: "cancel",
    CheckIn: "check_in",
}


def _refusal_of_change(ask: Ask, command: Change, life: Life, rules: HouseRules, now: datetime) -> Reason | None:
    standing = life.standing(now)
    match command:
        case ApproveBooking() | RejectBooking():
            return _wrong_state(standing, "awaiting_approval")
        case CheckIn():
            opens = life.start - timedelta(minutes=rules.book.check_in_minutes_before)
            if standing == "confirmed" and now < opens:
                minutes = Interval(now, life.start).minutes
                limit = rules.book.check_in_minutes_before
                return Reason(rule="too_early", limit=limit, actual=minutes, possible_from=opens)
            return _wrong_state(standing, "confirmed")
        case CancelBooking():
            # Staff may free a room that is in use; whoever holds it gives it up before the start.
            if standing in ("confirmed", "checked_in") and now >= life.start and ask.asker.scope == "own":
                return Reason(rule="already_started", actual=Interval(life.start, now).minutes)
            return _wrong_state(standing, "awaiting_approval", "confirmed", "checked_in")


def _wrong_state(standing: Standing, *allowed: Standing) -> Reason | None:
    return None if standing in allowed else Reason(rule="wrong_state", limit=" ".join(allowed), actual=standing)


def _changed(ask: Ask, command: Change, made: BookingRequested | BookingConfirmed) -> Event:
    touched = following.touched(made.booking, made.room, made.person, made.takes, made.days)
    match command:
        case ApproveBooking():
            return BookingApproved(**touched, note=ask.digest_of("note"))
        case RejectBooking(reason=reason):
            return BookingRejected(**touched, reason=reason, note=ask.digest_of("note"))
        case CancelBooking(reason=why):
            return BookingCancelled(**touched, reason=why, note=ask.digest_of("note"))
        case CheckIn():
            return BookingCheckedIn(**touched)


def _use_of(definition: RoomDefinition, use: str | None) -> Use | None:
    if use is None:
        return definition.uses[0] if len(definition.uses) == 1 else None
    return definition.use_named(use)


def _is_slot(command: RequestBooking) -> bool:
    return timedelta() < command.end - command.start <= SLOT_MAX


def _held(command: RequestBooking, definition: RoomDefinition) -> Interval:
    return Interval(command.start, command.end + timedelta(minutes=definition.buffer_minutes))


def _zone(state: State) -> ZoneInfo:
    return zone_named(state.at(Subdistrict, SUBDISTRICT).time_zone)


COMMANDS: tuple[type[Command], ...] = (RequestBooking, ApproveBooking, RejectBooking, CancelBooking, CheckIn, CloseOut)

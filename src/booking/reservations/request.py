"""A request for a slot: what must have been read, and whether it makes a booking."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from booking.local_time import Interval, days_touched
from booking.messages import Ask, Command, Count, Decision, Denied, Event, Id, Reason, derived_id
from booking.places.events import Room, Use, room_tag
from booking.reservations.checks import Wanted, broken
from booking.reservations.events import BookingConfirmed, BookingRefused, BookingRequested
from booking.reservations.slots import (
    is_slot,
    known_of,
    may_book_for,
    said_of,
    tags_of_days,
    tags_of_quota,
    use_of,
)
from booking.state import State


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


def tags(command: RequestBooking, state: State, now: datetime) -> Iterable[str]:
    """First the room, then what the use takes on the days in question."""
    room = room_tag(command.room)
    definition = state.at(Room, room).definition if state.has(room) else None
    use = use_of(definition, command.use) if definition else None
    if definition is None or use is None or not is_slot(command.start, command.end):
        return (room,)
    held = Interval(command.start, command.end + timedelta(minutes=definition.buffer_minutes))
    days = tags_of_days((take.resource for take in use.takes), held, state)
    return (room, *days, *tags_of_quota(command.person, state, now))


def request(ask: Ask, command: RequestBooking, state: State, now: datetime) -> Decision:
    """A booking that holds or awaits approval, or a refusal with every rule that was broken."""
    room = state.at(Room, room_tag(command.room))
    definition = room.definition
    if definition is None:
        return Denied(code="not_found", what="room")
    if not may_book_for(ask.asker, command.person, definition.station):
        elsewhere = ask.asker.scope == "stations" and definition.station not in ask.asker.stations
        return Denied(code="forbidden", what="room" if elsewhere else "person")
    if not is_slot(command.start, command.end):
        return Denied(code="not_valid", what="end")
    use = use_of(definition, command.use)
    if use is None:
        return Denied(code="use_needed" if command.use is None else "not_found", what="use")
    slot = Interval(command.start, command.end)
    wanted = Wanted(
        definition=definition, room=room, use=use, units=command.units, slot=slot, attendees=command.attendees
    )
    known = known_of(wanted, state, now, person=command.person)
    if reasons := broken(wanted, known, now):
        return [_refused(command, use, known.zone, reasons)]
    kind = BookingRequested if use.approval else BookingConfirmed
    said = said_of(wanted, known, booking=derived_id(ask.id), person=command.person)
    return [kind(**said, purpose=ask.digest_of("purpose"))]


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

"""A small Gumei in which decisions are tried: two stations, five rooms, the rules of the first day, and who asks there.

It is Tuesday, 24 November 2026, 08:00 in Shanghai. Nothing here is the built-in catalogue, which may change.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from booking.local_time import Hours, Interval, days_touched
from booking.messages import Asker, Event
from booking.places.events import (
    ResourceOpened,
    RoomDefinition,
    RoomOpened,
    SpaceOpened,
    StationOpened,
    SubdistrictOpened,
    Use,
)
from booking.reservations.decide import RequestBooking
from booking.reservations.events import (
    BookingCheckedIn,
    BookingConfirmed,
    BookingExtended,
    BookingRequested,
    BookingRescheduled,
    Left,
    Slot,
)
from booking.reservations.follow import Touched, touched
from booking.rules.events import RuleBook, RulesChanged
from booking.takes import Take

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")

Made = TypeVar("Made", BookingConfirmed, BookingRequested)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """The instant, in UTC, that a clock on the station's wall shows as YYYY-MM-DD HH:MM."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


NOW = local("2026-11-24 08:00")
TODAY = "2026-11-24"
RULES = RuleBook()

LIN = Asker(id="lin", role="resident", channel="phone", scope="own")
WANG = Asker(id="wang", role="resident", channel="phone", scope="own")
VOLUNTEER = Asker(id="zhou", role="volunteer", channel="desk", scope="stations", stations=frozenset({"wanyuan-1"}))
STAFF = Asker(id="chen", role="staff", channel="desk", scope="stations", stations=frozenset({"wanyuan-1"}))
OFFICE = Asker(id="office", role="admin", channel="api", scope="all")

# Tables by the unit, and billiards beside them in the same room.
TRIBE = RoomDefinition(
    name="活力·星部落",
    station="wanyuan-1",
    space="creating",
    uses=(
        Use(use="乒乓球", takes=(Take(resource="tennis-table"),), units=3),
        Use(use="桌球", takes=(Take(resource="billiard-table"),)),
    ),
    seats=12,
)
# A hall held whole or by halves; a lecture takes the projector along, which there is once in the station.
HALL = RoomDefinition(
    name="星辰汇聚厅",
    station="wanyuan-1",
    space="creating",
    uses=(
        Use(use="整场", takes=(Take(resource="hall-half", units=2),)),
        Use(use="半场", takes=(Take(resource="hall-half"),), units=2),
        Use(use="讲座", takes=(Take(resource="hall-half", units=2), Take(resource="projector"))),
    ),
)
STUDIO = RoomDefinition(
    name="星光字画坊",
    station="wanyuan-1",
    space="creating",
    uses=(
        Use(use="书画", takes=(Take(resource="studio-floor"),)),
        Use(use="观影", takes=(Take(resource="studio-floor"), Take(resource="projector"))),
    ),
)
# Half an hour after each booking is for cleaning.
KITCHEN = RoomDefinition(
    name="共享·星天地",
    station="wanyuan-1",
    space="creating",
    uses=(Use(use="烘焙", takes=(Take(resource="kitchen"),), slot_minutes=30),),
    buffer_minutes=30,
)
# Somebody of the station looks at each request; open on weekdays, with a rest at noon.
PARLOUR = RoomDefinition(
    name="多功能会议室",
    station="gulong-6",
    space="reading",
    uses=(Use(use="会议", takes=(Take(resource="parlour"),), approval=True),),
    hours=tuple(
        Hours(weekday=weekday, opens=opens, closes=closes)
        for weekday in range(1, 6)
        for opens, closes in (("09:00", "12:00"), ("14:00", "18:00"))
    ),
)
ROOMS = {"tribe": TRIBE, "hall": HALL, "studio": STUDIO, "kitchen": KITCHEN, "parlour": PARLOUR}
RESOURCES = {
    "tennis-table": ("wanyuan-1", 3),
    "billiard-table": ("wanyuan-1", 1),
    "hall-half": ("wanyuan-1", 2),
    "projector": ("wanyuan-1", 1),
    "studio-floor": ("wanyuan-1", 1),
    "kitchen": ("wanyuan-1", 1),
    "parlour": ("gulong-6", 1),
}


def opened(*, rules: RuleBook = RULES, zone: str = "Asia/Shanghai") -> tuple[Event, ...]:
    """All of it, open."""
    return (
        SubdistrictOpened(name="古美路街道", time_zone=zone),
        RulesChanged(book=rules),
        StationOpened(station="wanyuan-1", name="万源一居", power="创新创造力", theme="青春智慧"),
        StationOpened(station="gulong-6", name="古龙六村", power="浪漫生活力", theme="诗意栖居"),
        SpaceOpened(space="creating", station="wanyuan-1", name="星创造"),
        SpaceOpened(space="reading", station="gulong-6", name="诗意阅舍"),
        *(
            ResourceOpened(resource=resource, station=station, name=resource, capacity=capacity)
            for resource, (station, capacity) in RESOURCES.items()
        ),
        *(RoomOpened(room=room, definition=definition) for room, definition in ROOMS.items()),
    )


GUMEI = opened()


def wish(
    room: str = "tribe",
    start: str = f"{TODAY} 14:00",
    end: str = f"{TODAY} 15:00",
    *,
    use: str | None = None,
    units: int = 1,
    person: str = "lin",
    attendees: int | None = None,
    zone: ZoneInfo = SHANGHAI,
) -> RequestBooking:
    """A request for a slot in local time, for the room's first use where none is named."""
    return RequestBooking(
        room=room,
        use=use or ROOMS[room].uses[0].use,
        units=units,
        start=local(start, zone),
        end=local(end, zone),
        person=person,
        attendees=attendees,
    )


def booked(request: RequestBooking, booking: str = "b1", *, grace_minutes: int = 15) -> BookingConfirmed:
    """The booking that such a request made, in the small Gumei."""
    return _made(BookingConfirmed, request, booking, grace_minutes)


def awaiting(request: RequestBooking, booking: str = "b1", *, grace_minutes: int = 15) -> BookingRequested:
    """The same where somebody has yet to approve it."""
    return _made(BookingRequested, request, booking, grace_minutes)


def _made(kind: type[Made], request: RequestBooking, booking: str, grace_minutes: int) -> Made:
    definition = ROOMS[request.room]
    use = definition.use_named(request.use or "")
    assert use is not None
    held_until = request.end + timedelta(minutes=definition.buffer_minutes)
    return kind(
        booking=booking,
        room=request.room,
        station=definition.station,
        use=use.use,
        units=request.units,
        start=request.start,
        end=request.end,
        held_until=held_until,
        takes=tuple(Take(resource=take.resource, units=take.units * request.units) for take in use.takes),
        days=days_touched(Interval(request.start, held_until), SHANGHAI),
        person=request.person,
        grace_minutes=grace_minutes,
        attendees=request.attendees,
    )


def moved(before: Slot, to: RequestBooking, *, awaits: bool = False) -> BookingRescheduled:
    """The booking, moved to where such a request would have it."""
    left = Left(room=before.room, resources=tuple(take.resource for take in before.takes), days=before.days)
    return BookingRescheduled(**_slot_of(booked(to, before.booking)), left=left, awaits=awaits)


def extended(before: Slot, end: str, *, checked_in_at: datetime | None = None) -> BookingExtended:
    """The booking, made a week before NOW, with a later end in local time."""
    until = wish(before.room, use=before.use, units=before.units, person=before.person, attendees=before.attendees)
    longer = booked(msgspec.structs.replace(until, start=before.start, end=local(end)), before.booking)
    made_at = NOW - timedelta(days=7)
    return BookingExtended(**_slot_of(longer), made_at=made_at, confirmed_at=made_at, checked_in_at=checked_in_at)


def _slot_of(made: BookingConfirmed) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__struct_fields__ if name != "purpose"}


def of(made: Slot) -> Touched:
    """What every later event of this booking says of it."""
    return touched(made.booking, made.room, made.person, made.takes, made.days)


TABLE = booked(wish())
"""Lin has one table on Tuesday from 14:00 to 15:00."""
IN_USE = BookingCheckedIn(**of(TABLE))
"""And came."""
PARLOUR_ASKED = awaiting(wish("parlour"))
"""Lin's request for the parlour at that time awaits an answer."""

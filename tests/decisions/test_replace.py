"""Rooms merge, split and retire: their bookings move to where they can be served, all of it or nothing."""

from datetime import timedelta

import msgspec
import pytest
from tests.decisions.gumei import (
    GUMEI,
    HALL,
    IN_USE,
    KITCHEN,
    LIN,
    OFFICE,
    PARLOUR,
    PARLOUR_ASKED,
    STAFF,
    STUDIO,
    TABLE,
    TODAY,
    TRIBE,
    WANG,
    booked,
    local,
    of,
    opened,
    wish,
)
from tests.spec import Decided, Given, given, happened

from booking.local_time import Hours
from booking.messages import EVENTS_MAX, Asker, Event, Reason
from booking.places.decide import CloseRoom, OpenRoom, ReplaceRooms
from booking.places.events import (
    ChangeRefused,
    NewRoom,
    ResourceOpened,
    RoomClosed,
    RoomDefinition,
    RoomOpened,
    RoomRetired,
    Use,
)
from booking.reservations.decide import ApproveBooking, CheckIn, CloseOut, ExtendBooking, RescheduleBooking
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingCheckedIn,
    BookingCompleted,
    BookingConfirmed,
    BookingRescheduled,
    Left,
    booking_tag,
)
from booking.reservations.states import Booking
from booking.rules.events import RuleBook
from booking.takes import Take

# Half of the tennis tables stand in each of two rooms from now on.
LEFT = ResourceOpened(resource="left-table", station="wanyuan-1", name="左", capacity=2)
RIGHT = ResourceOpened(resource="right-table", station="wanyuan-1", name="右", capacity=1)


def tennis(resource: str, units: int, **fields: object) -> RoomDefinition:
    use = Use(use="乒乓球", takes=(Take(resource=resource),), units=units)
    return msgspec.structs.replace(TRIBE, uses=(use,), **fields)


SPLIT = (
    NewRoom(room="tribe-left", definition=tennis("left-table", 2)),
    NewRoom(room="tribe-right", definition=tennis("right-table", 1)),
)
# The studio and the kitchen become one, with what they served for.
MERGED = NewRoom(
    room="workshop",
    definition=msgspec.structs.replace(STUDIO, name="工坊", uses=(*STUDIO.uses, *KITCHEN.uses), buffer_minutes=30),
)
TOWN = (*GUMEI, LEFT, RIGHT)


def replace(
    log: Given,
    *retire: str,
    into: tuple[NewRoom, ...] = (),
    cancels: tuple[str, ...] = (),
    by: Asker = STAFF,
    now: str = f"{TODAY} 08:00",
) -> Decided:
    return log.when(ReplaceRooms(retire=retire, open=into, cancels=cancels), by=by, now=local(now))


def on(start: str, end: str, booking: str, *, room: str = "tribe", units: int = 1, attendees: int = 0) -> Event:
    request = wish(room, f"{TODAY} {start}", f"{TODAY} {end}", units=units, attendees=attendees or None)
    return booked(request, booking)


def moved(decided: Decided) -> dict[str, str]:
    """Which booking moved to which room; the answer says the same."""
    found = {e.booking: e.room for e in decided.events if isinstance(e, BookingRescheduled)}
    assert decided.told["moved"] == [{"booking": booking, "room": room} for booking, room in found.items()]
    return found


def unfit(*bookings: str) -> Reason:
    return Reason(rule="bookings_do_not_fit", limit=0, actual=len(bookings), bookings=bookings)


def test_two_rooms_merge_into_one_that_has_what_both_had() -> None:
    replace(given(*TOWN), "studio", "kitchen", into=(MERGED,)).then(
        RoomRetired(room="studio", beside=("studio", "kitchen"), into=(MERGED,)),
        RoomRetired(room="kitchen", beside=("studio", "kitchen"), into=(MERGED,)),
        RoomOpened(room="workshop", definition=MERGED.definition),
    )


def test_a_booking_moves_with_its_room_and_names_that_as_its_cause() -> None:
    decided = replace(given(*TOWN, TABLE), "tribe", into=SPLIT)
    retired, *_, last = decided.recorded
    assert (last.cause, last.command) == (retired.position, retired.command)
    assert last.event == BookingRescheduled(
        **{name: getattr(TABLE, name) for name in ("booking", "station", "use", "units", "start", "end", "person")},
        room="tribe-left",
        held_until=TABLE.held_until,
        takes=(Take(resource="left-table"),),
        days=TABLE.days,
        grace_minutes=TABLE.grace_minutes,
        left=Left(room="tribe", resources=("tennis-table",), days=TABLE.days),
        awaits=False,
    )


def test_bookings_fill_the_new_rooms_in_the_order_in_which_they_were_made() -> None:
    """Three tables of one room are two in the left one and one in the right one."""
    made = [
        happened(on("14:00", "15:00", booking), at=local("2026-11-20 08:00") - timedelta(hours=n))
        for n, booking in enumerate(("last", "second", "first"))
    ]
    found = moved(replace(given(*TOWN, *made), "tribe", into=SPLIT))
    assert found == {"first": "tribe-left", "second": "tribe-left", "last": "tribe-right"}


def test_what_no_new_room_can_serve_is_listed_and_all_stays_as_it_was() -> None:
    log = given(*TOWN, TABLE, on("16:00", "17:00", "all", units=3))
    decided = replace(log, "tribe", into=SPLIT)
    decided.then(ChangeRefused(asked="replace", room="tribe", reasons=(unfit("all"),)))


def test_what_is_named_is_given_up_and_the_rest_moves() -> None:
    everything = on("16:00", "17:00", "all", units=3)
    assert isinstance(everything, BookingConfirmed)
    decided = replace(given(*TOWN, TABLE, everything), "tribe", into=SPLIT, cancels=("all",))
    assert moved(decided) == {"b1": "tribe-left"}
    assert decided.events[-1] == BookingCancelled(**of(everything), reason="room_changed")
    assert decided.told["cancelled"] == ["all"]


def test_what_no_new_room_can_serve_is_listed_by_its_start() -> None:
    """As people look for it, whoever booked first."""
    late = happened(on("16:00", "17:00", "late", units=3), at=local("2026-11-10 08:00"))
    log = given(*TOWN, late, on("14:00", "15:00", "early", units=3))
    replace(log, "tribe", into=SPLIT).then_refused_for(unfit("early", "late"))


def test_naming_a_booking_that_can_be_served_does_not_cancel_it() -> None:
    decided = replace(given(*TOWN, TABLE), "tribe", into=SPLIT, cancels=("b1",))
    assert moved(decided) == {"b1": "tribe-left"}


def test_what_is_named_makes_room_for_the_others() -> None:
    """Two tables were taken first and one later; with the pair given up, the one has its place."""
    pair = happened(on("14:00", "15:00", "pair", units=2), at=local("2026-11-10 08:00"))
    only_left = (SPLIT[0],)
    log = given(*TOWN, pair, TABLE)
    replace(log, "tribe", into=only_left).then_refused_for(unfit("b1"))
    assert moved(replace(log, "tribe", into=only_left, cancels=("pair",))) == {"b1": "tribe-left"}


@pytest.mark.parametrize(
    "fields",
    [
        {"seats": 3},
        {"hours": (Hours(weekday=2, opens="09:00", closes="14:30"),)},
        {"uses": (Use(use="网球", takes=(Take(resource="left-table"),), units=2),)},
        {"uses": (Use(use="乒乓球", takes=(Take(resource="left-table"),), units=1),)},
        {"uses": (Use(use="乒乓球", takes=(Take(resource="left-table", units=2),), units=2),)},
    ],
    ids=["fewer seats", "shorter hours", "a use renamed", "fewer units", "a unit takes more"],
)
def test_a_booking_does_not_move_where_it_does_not_fit(fields: dict[str, object]) -> None:
    definition = msgspec.structs.replace(tennis("left-table", 2), **fields)
    log = given(*TOWN, on("14:00", "15:00", "b1", units=2, attendees=4))
    replace(log, "tribe", into=(NewRoom(room="new", definition=definition),)).then_refused_for(unfit("b1"))


def test_a_booking_moves_to_another_grid_and_to_longer_slots() -> None:
    """It was judged by these when it was made."""
    use = Use(use="乒乓球", takes=(Take(resource="left-table"),), units=2, slot_minutes=180)
    coarse = msgspec.structs.replace(tennis("left-table", 2), uses=(use,))
    assert moved(replace(given(*TOWN, TABLE), "tribe", into=(NewRoom(room="new", definition=coarse),))) == {"b1": "new"}


def test_a_booking_takes_over_the_buffer_of_the_new_room() -> None:
    tidy = NewRoom(room="new", definition=tennis("left-table", 2, buffer_minutes=30))
    event = replace(given(*TOWN, TABLE), "tribe", into=(tidy,)).events[-1]
    assert isinstance(event, BookingRescheduled)
    assert event.held_until == event.end + timedelta(minutes=30)


def test_bookings_that_the_new_buffer_pushes_together_do_not_both_fit() -> None:
    tidy = NewRoom(room="new", definition=tennis("right-table", 1, buffer_minutes=30))
    log = given(*TOWN, on("14:00", "15:00", "first"), on("15:00", "16:00", "second"))
    replace(log, "tribe", into=(tidy,)).then_refused_for(unfit("second"))


def test_a_booking_moves_only_to_what_others_have_left() -> None:
    """The new room takes the projector, which a lecture in the hall has at that time."""
    film = Use(use="乒乓球", takes=(Take(resource="left-table"), Take(resource="projector")), units=2)
    into = (NewRoom(room="new", definition=msgspec.structs.replace(TRIBE, uses=(film,))),)
    lecture = booked(wish("hall", use="讲座"), "lecture")
    replace(given(*TOWN, TABLE, lecture), "tribe", into=into).then_refused_for(unfit("b1"))
    later = booked(wish("hall", f"{TODAY} 15:00", f"{TODAY} 16:00", use="讲座"), "lecture")
    assert moved(replace(given(*TOWN, TABLE, later), "tribe", into=into)) == {"b1": "new"}


def test_two_rooms_whose_bookings_want_the_same_place_have_it_once() -> None:
    """Each had a floor of its own; the one floor that remains goes to whoever came first."""
    floor = NewRoom(room="floor", definition=msgspec.structs.replace(STUDIO, uses=(STUDIO.uses[0],)))
    painting = Use(use="书画", takes=(Take(resource="right-table"),))
    attic = RoomOpened(room="attic", definition=msgspec.structs.replace(STUDIO, uses=(painting,)))
    first = msgspec.structs.replace(booked(wish("studio"), "first"), room="attic", takes=painting.takes)
    log = given(*TOWN, attic, happened(first, at=local("2026-11-10 08:00")), booked(wish("studio"), "studio"))
    replace(log, "studio", "attic", into=(floor,)).then_refused_for(unfit("studio"))


def test_what_is_in_use_moves_along_and_stays_in_use() -> None:
    log = given(*TOWN, TABLE, IN_USE)
    decided = replace(log, "tribe", into=SPLIT, now=f"{TODAY} 14:20")
    assert moved(decided) == {"b1": "tribe-left"}
    so = decided.and_so()
    life = so.state(Booking, booking_tag("b1")).life
    assert life is not None
    assert life.standing(local(f"{TODAY} 14:21")) == "checked_in"
    so.when(CloseOut(booking="b1"), now=local(f"{TODAY} 15:00")).then_kinds(BookingCompleted)


def test_what_is_in_use_can_last_longer_in_its_new_room() -> None:
    so = replace(given(*TOWN, TABLE, IN_USE), "tribe", into=SPLIT, now=f"{TODAY} 14:20").and_so()
    longer = ExtendBooking(booking="b1", end=local(f"{TODAY} 16:00"))
    (extended,) = so.when(longer, by=LIN, now=local(f"{TODAY} 14:30")).events
    assert (getattr(extended, "room", None), getattr(extended, "end", None)) == ("tribe-left", longer.end)


def test_who_has_come_late_still_has_time_to_check_in_there() -> None:
    """The grace counts from the move, as it does for a booking made late."""
    so = replace(given(*TOWN, TABLE), "tribe", into=SPLIT, now=f"{TODAY} 14:10").and_so()
    so.when(CheckIn(booking="b1"), by=LIN, now=local(f"{TODAY} 14:24")).then_kinds(BookingCheckedIn)


def test_what_awaits_approval_moves_and_still_awaits_it() -> None:
    salon = NewRoom(room="salon", definition=msgspec.structs.replace(PARLOUR, name="会客厅"))
    decided = replace(given(*GUMEI, PARLOUR_ASKED), "parlour", into=(salon,), by=OFFICE)
    event = decided.events[-1]
    assert isinstance(event, BookingRescheduled)
    assert event.awaits
    decided.and_so().when(ApproveBooking(booking="b1"), by=OFFICE).then_kinds(BookingApproved)


def test_what_holds_needs_no_approval_in_a_room_that_asks_for_it() -> None:
    use = msgspec.structs.replace(tennis("left-table", 2).uses[0], approval=True)
    strict = NewRoom(room="new", definition=msgspec.structs.replace(TRIBE, uses=(use,)))
    event = replace(given(*TOWN, TABLE), "tribe", into=(strict,)).events[-1]
    assert isinstance(event, BookingRescheduled)
    assert not event.awaits


def test_what_is_over_stays_where_it_was() -> None:
    replace(given(*TOWN, TABLE), "tribe", into=SPLIT, now=f"{TODAY} 14:15").then_kinds(
        RoomRetired, RoomOpened, RoomOpened
    )


def test_a_room_that_is_given_up_for_nothing_asks_for_each_of_its_bookings() -> None:
    log = given(*TOWN, TABLE)
    replace(log, "tribe").then_refused_for(unfit("b1"))
    replace(log, "tribe", cancels=("b1",)).then_kinds(RoomRetired, BookingCancelled)


def test_a_retired_room_takes_no_booking_and_has_no_news() -> None:
    so = replace(given(*TOWN), "tribe").and_so()
    so.when(wish(), by=LIN).then_denied("not_found", "room")
    so.when(CloseRoom(room="tribe", start=local(f"{TODAY} 10:00"), reason="other"), by=STAFF).then_denied(
        "not_found", "room"
    )
    replace(so, "tribe").then_denied("not_found", "room")


def test_a_booking_cannot_be_moved_into_a_retired_room() -> None:
    elsewhere = booked(wish("studio"), "b2")
    so = replace(given(*TOWN, elsewhere), "tribe").and_so()
    to = RescheduleBooking(booking="b2", start=elsewhere.start, end=elsewhere.end, room="tribe", use="乒乓球")
    so.when(to, by=LIN).then_denied("not_found", "room")


def test_a_retired_room_is_remembered_as_it_was() -> None:
    room = replace(given(*TOWN), "tribe").and_so().room("tribe")
    assert (room.definition, room.retired) == (None, TRIBE)


def test_a_retired_room_can_be_opened_anew_without_its_old_closures() -> None:
    closed = RoomClosed(room="tribe", start=local("2026-11-25 09:00"), reason="maintenance")
    so = replace(given(*TOWN, closed), "tribe").and_so()
    again = so.when(OpenRoom(room="tribe", definition=TRIBE), by=STAFF)
    again.then(RoomOpened(room="tribe", definition=TRIBE))
    room = again.and_so().room("tribe")
    assert (room.definition, room.closures, room.retired) == (TRIBE, (), None)


def test_a_retired_room_is_not_opened_anew_at_another_station() -> None:
    """What was booked in it is that station's for good."""
    so = replace(given(*TOWN), "tribe").and_so()
    so.when(OpenRoom(room="tribe", definition=PARLOUR), by=OFFICE).then_denied("not_valid", "station")


def test_a_new_room_may_take_over_the_id_of_one_that_retires() -> None:
    smaller = NewRoom(room="tribe", definition=tennis("left-table", 2))
    decided = replace(given(*TOWN, TABLE), "tribe", into=(smaller,))
    decided.then_kinds(RoomRetired, RoomOpened, BookingRescheduled)
    assert decided.and_so().room("tribe").definition == smaller.definition


def test_a_new_room_does_not_take_the_id_of_one_that_stays() -> None:
    into = (NewRoom(room="hall", definition=tennis("left-table", 2)),)
    replace(given(*TOWN), "tribe", into=into).then_refused_for(Reason(rule="already_open", actual="hall"))


@pytest.mark.parametrize(
    ("retire", "into", "code", "what"),
    [
        (("nowhere",), (), "not_found", "room"),
        (("tribe", "tribe"), (), "not_valid", "retire"),
        (("tribe",), (SPLIT[0], SPLIT[0]), "not_valid", "open"),
        (("parlour",), (), "forbidden", "room"),
        (("tribe", "parlour"), (), "forbidden", "room"),
        (("tribe",), (NewRoom(room="new", definition=tennis("nothing", 1)),), "not_found", "resource"),
        ((), (), "not_valid", "retire"),
    ],
    ids=["not there", "twice", "opened twice", "another's", "one of another's", "without its resource", "none"],
)
def test_what_cannot_be_replaced_never_reaches_the_log(
    retire: tuple[str, ...], into: tuple[NewRoom, ...], code: str, what: str
) -> None:
    replace(given(*TOWN), *retire, into=into).then_denied(code, what)


def test_rooms_of_two_stations_do_not_become_one() -> None:
    replace(given(*TOWN), "tribe", "parlour", by=OFFICE).then_denied("not_valid", "station")
    elsewhere = (NewRoom(room="new", definition=PARLOUR),)
    replace(given(*TOWN), "tribe", into=elsewhere, by=OFFICE).then_denied("not_valid", "station")


def test_the_merged_room_has_no_more_than_its_resources() -> None:
    """A booking that moved in and a new one at the same instant do not both have the one floor."""
    so = replace(given(*TOWN, booked(wish("studio"))), "studio", "kitchen", into=(MERGED,)).and_so()
    request = msgspec.structs.replace(wish("studio", person="wang"), room="workshop")
    so.when(request, by=WANG).then_refused_for(Reason(rule="slot_taken", limit=1, actual=1))


def test_what_was_left_is_free_for_others_at_once() -> None:
    """Another room takes the tennis tables too, and can have all three."""
    gym = RoomOpened(room="gym", definition=tennis("tennis-table", 3, name="体育室"))
    so = replace(given(*TOWN, gym, on("14:00", "15:00", "b1", units=2)), "tribe", into=SPLIT).and_so()
    request = msgspec.structs.replace(wish(units=3, person="wang"), room="gym")
    so.when(request, by=WANG).then_kinds(BookingConfirmed)


def test_more_than_one_command_can_move_is_refused_as_a_whole() -> None:
    """Two rooms retire and one is opened: three events, and what is left for the bookings."""
    limit = EVENTS_MAX - 3
    roomy = ResourceOpened(resource="roomy", station="wanyuan-1", name="大", capacity=1_000)
    definition = msgspec.structs.replace(
        tennis("roomy", 1_000), uses=(*tennis("roomy", 1_000).uses, *KITCHEN.uses), seats=None
    )
    into = (NewRoom(room="new", definition=definition),)
    many = [on("14:00", "15:00", f"b{n:04}") for n in range(limit + 1)]
    too_many = Reason(rule="too_many_at_once", limit=limit, actual=limit + 1)
    replace(given(*TOWN, roomy, *many), "tribe", "kitchen", into=into).then_refused_for(too_many)
    assert len(moved(replace(given(*TOWN, roomy, *many[1:]), "tribe", "kitchen", into=into))) == limit


def test_halves_of_a_hall_become_rooms() -> None:
    """Who has the whole hall has no place in a half; the halves do, each in the first that is free."""
    east = ResourceOpened(resource="east", station="wanyuan-1", name="东", capacity=1)
    west = ResourceOpened(resource="west", station="wanyuan-1", name="西", capacity=1)
    into = tuple(
        NewRoom(
            room=half,
            definition=msgspec.structs.replace(HALL, uses=(Use(use="半场", takes=(Take(resource=half),)),)),
        )
        for half in ("east", "west")
    )
    halves = [booked(wish("hall", use="半场", person=who), who) for who in ("lin", "wang")]
    whole = booked(wish("hall", f"{TODAY} 16:00", f"{TODAY} 17:00", use="整场"), "whole")
    log = given(*GUMEI, east, west, *halves, whole)
    replace(log, "hall", into=into).then_refused_for(unfit("whole"))
    assert moved(replace(log, "hall", into=into, cancels=("whole",))) == {"lin": "east", "wang": "west"}


def test_the_grace_of_what_moved_is_that_of_the_rules_now() -> None:
    log = given(*opened(rules=RuleBook(grace_minutes=30)), LEFT, RIGHT, TABLE)
    event = replace(log, "tribe", into=SPLIT).events[-1]
    assert getattr(event, "grace_minutes", None) == 30

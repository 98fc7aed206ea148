"""A booking that is to lie elsewhere: all of it moves or nothing does, judged as a request is."""

from datetime import timedelta

import msgspec
import pytest
from tests.decisions.gumei import (
    GUMEI,
    IN_USE,
    LIN,
    NOW,
    OFFICE,
    PARLOUR_ASKED,
    STAFF,
    TABLE,
    TODAY,
    WANG,
    awaiting,
    booked,
    local,
    moved,
    of,
    opened,
    wish,
)
from tests.spec import Decided, Given, given

from booking.messages import Ask, Asker, Event, Reason
from booking.places.decide import CloseRoom
from booking.places.events import RoomClosed
from booking.reservations.decide import RequestBooking, RescheduleBooking, station_person
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingChangeRefused,
    BookingConfirmed,
    BookingRescheduled,
    WantedSlot,
    person_month_tag,
)
from booking.reservations.states import Booking, PersonMonth, ResourceDay
from booking.rules.events import RuleBook
from booking.takes import resource_day_tag

LATER = wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00")
APPROVED = BookingApproved(**of(PARLOUR_ASKED))
DANCED = awaiting(wish("parlour", end=f"{TODAY} 16:00", attendees=8))
AGREED = BookingApproved(**of(DANCED))
"""Eight people have the parlour from 14:00 to 16:00."""


def reschedule(
    log: Given, to: RequestBooking = LATER, *, by: Asker = LIN, now: str = f"{TODAY} 08:00", room: str | None = ""
) -> Decided:
    """The room is named unless it is None."""
    command = RescheduleBooking(
        booking="b1",
        room=to.room if room == "" else room,
        use=to.use,
        units=to.units,
        start=to.start,
        end=to.end,
        attendees=to.attendees,
    )
    return log.when(command, by=by, now=local(now))


def test_a_booking_moves_to_another_time() -> None:
    decided = reschedule(given(*GUMEI, TABLE)).then(moved(TABLE, LATER))
    assert (decided.told["id"], decided.told["start"], decided.told["end"], decided.told["state"]) == (
        "b1", "2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z", "confirmed",
    )  # fmt: skip


@pytest.mark.parametrize(
    "to",
    [wish("hall", use="半场"), wish("kitchen"), wish(use="桌球"), wish(units=3), wish("hall", use="半场", units=2)],
    ids=["another room", "a room with a buffer", "another use", "more units", "all of it"],
)
def test_or_to_another_room_use_or_number_of_units(to: RequestBooking) -> None:
    reschedule(given(*GUMEI, TABLE), to).then(moved(TABLE, to))


def test_what_is_not_said_stays_as_it_was() -> None:
    before = booked(wish(units=2, attendees=5))
    command = RescheduleBooking(booking="b1", start=LATER.start, end=LATER.end)
    to = wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00", units=2, attendees=5)
    given(*GUMEI, before).when(command, by=LIN).then(moved(before, to))


def test_in_a_room_with_one_use_that_one_is_meant() -> None:
    """Whoever has a table and names only the kitchen wants to bake."""
    to = wish("kitchen")
    command = RescheduleBooking(booking="b1", room=to.room, start=to.start, end=to.end)
    given(*GUMEI, TABLE).when(command, by=LIN, now=local(f"{TODAY} 08:00")).then(moved(TABLE, to))


def test_in_a_room_with_several_it_is_named() -> None:
    command = RescheduleBooking(booking="b1", room="hall", start=TABLE.start, end=TABLE.end)
    given(*GUMEI, TABLE).when(command, by=LIN, now=local(f"{TODAY} 08:00")).then_denied("not_found", "use")


def test_what_changes_nothing_makes_no_event() -> None:
    """Whoever asks twice is told twice how it stands."""
    decided = reschedule(given(*GUMEI, TABLE), wish()).then()
    assert decided.told["state"] == "confirmed"


def test_a_refused_move_leaves_all_as_it_was_and_says_what_was_wanted() -> None:
    log = given(*GUMEI, TABLE, booked(wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00", units=3), "b2"))
    decided = reschedule(log)
    wanted = WantedSlot(room="tribe", use="乒乓球", units=1, start=LATER.start, end=LATER.end)
    reason = Reason(rule="slot_taken", limit=3, actual=3)
    decided.then(
        BookingChangeRefused(
            asked="reschedule", booking="b1", room="tribe", person="lin", wanted=wanted, reasons=(reason,)
        )
    )
    assert decided.and_so().state(Booking, "booking:b1").made == TABLE


def test_the_old_slot_is_free_at_once_and_the_new_one_taken() -> None:
    log = reschedule(given(*GUMEI, booked(wish(units=3))), wish("hall", use="整场")).and_so()
    log.when(wish(person="wang", units=3), by=WANG).then_kinds(BookingConfirmed)
    log.when(wish("hall", person="wang", use="半场"), by=WANG).then_refused("slot_taken")


def test_it_leaves_the_old_days_and_months_and_enters_the_new_ones() -> None:
    """What stayed behind would be taken for a live booking when it is long cancelled elsewhere."""
    to = wish("kitchen", "2026-12-01 14:00", "2026-12-01 15:00")
    log = reschedule(given(*GUMEI, TABLE), to).and_so()
    assert log.state(ResourceDay, resource_day_tag("tennis-table", TODAY)) == ResourceDay()
    assert log.state(PersonMonth, person_month_tag("lin", "2026-11")) == PersonMonth()
    hold = log.state(ResourceDay, resource_day_tag("kitchen", "2026-12-01")).holds["b1"]
    assert (hold.room, hold.held_until) == ("kitchen", local("2026-12-01 15:30"))
    assert log.state(PersonMonth, person_month_tag("lin", "2026-12")).lives.keys() == {"b1"}


def test_what_was_moved_and_given_up_is_nowhere_any_more() -> None:
    to = wish("kitchen", "2026-12-01 14:00", "2026-12-01 15:00")
    there = moved(TABLE, to)
    log = given(*GUMEI, TABLE, there, BookingCancelled(**of(there), reason="ill"))
    for resource, day in (("tennis-table", TODAY), ("kitchen", "2026-12-01")):
        assert log.state(ResourceDay, resource_day_tag(resource, day)) == ResourceDay()


def test_what_it_holds_itself_is_not_in_its_way() -> None:
    to = wish(start=f"{TODAY} 15:00", end=f"{TODAY} 17:00", units=3)
    reschedule(given(*GUMEI, booked(wish(end=f"{TODAY} 16:00", units=3))), to).then_kinds(BookingRescheduled)


def test_nor_its_own_place_in_the_quota() -> None:
    log = given(*opened(rules=RuleBook(open_bookings_max=1)), TABLE)
    reschedule(log).then_kinds(BookingRescheduled)


def test_other_bookings_count_in_the_quota() -> None:
    """Here the rules allowed two when both were made."""
    log = given(*opened(rules=RuleBook(open_bookings_max=1)), TABLE, booked(wish("kitchen"), "b2"))
    reschedule(log).then_refused_for(Reason(rule="quota_reached", limit=1, actual=1))


@pytest.mark.parametrize(
    ("to", "rules"),
    [
        (wish(start=f"{TODAY} 08:00", end=f"{TODAY} 09:00"), ("in_the_past", "outside_hours")),
        (wish(start=f"{TODAY} 08:15", end=f"{TODAY} 09:15"), ("too_soon", "outside_hours")),
        (wish(start="2026-12-09 14:00", end="2026-12-09 15:00"), ("too_far_ahead",)),
        (wish(start=f"{TODAY} 14:30", end=f"{TODAY} 15:30"), ("off_grid",)),
        (wish(start=f"{TODAY} 14:00", end=f"{TODAY} 18:00"), ("too_long",)),
        (wish(units=4), ("too_many_units",)),
        (wish(attendees=13), ("too_many_people",)),
    ],
    ids=lambda told: " ".join(told) if isinstance(told, tuple) else "",
)
def test_a_move_is_judged_by_the_rules_of_a_request(to: RequestBooking, rules: tuple[str, ...]) -> None:
    reschedule(given(*GUMEI, TABLE), to).then_refused(*rules)


def test_where_the_start_stays_nothing_begins_too_soon() -> None:
    reschedule(given(*GUMEI, TABLE), wish(end=f"{TODAY} 16:00"), now=f"{TODAY} 13:59").then_kinds(BookingRescheduled)


def test_nor_too_far_ahead() -> None:
    """The rules allowed more when it was made."""
    far = booked(wish(start="2026-12-09 14:00", end="2026-12-09 15:00"))
    reschedule(given(*GUMEI, far), wish(start="2026-12-09 14:00", end="2026-12-09 16:00")).then_kinds(
        BookingRescheduled
    )


def test_whoever_holds_it_moves_it_before_its_start() -> None:
    reschedule(given(*GUMEI, TABLE), now=f"{TODAY} 13:59").then_kinds(BookingRescheduled)
    late = reschedule(given(*GUMEI, TABLE), now=f"{TODAY} 14:01")
    late.then_refused_for(Reason(rule="already_started", actual=1))


def test_too_late_and_taken_are_both_told() -> None:
    log = given(*GUMEI, TABLE, booked(wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00", units=3), "b2"))
    reschedule(log, now=f"{TODAY} 14:01").then_refused("already_started", "slot_taken")


def test_staff_move_one_that_nobody_has_come_to_yet() -> None:
    """It holds the other room from then on and not before, and its grace counts from then."""
    log = reschedule(given(*GUMEI, TABLE), wish("hall", use="半场"), by=STAFF, now=f"{TODAY} 14:10").and_so()
    hold = log.state(ResourceDay, resource_day_tag("hall-half", TODAY)).holds["b1"]
    held = hold.interval(local(f"{TODAY} 14:10"))
    assert held is not None
    assert held.start == local(f"{TODAY} 14:10")
    assert hold.life.due() == (local(f"{TODAY} 14:25"), "no_show")


def test_staff_move_nothing_into_a_time_that_is_over() -> None:
    short = opened(rules=RuleBook(grace_minutes=60))
    to = wish("kitchen", end=f"{TODAY} 14:30")
    log = given(*short, booked(wish(end=f"{TODAY} 16:00"), grace_minutes=60))
    reschedule(log, to, by=STAFF, now=f"{TODAY} 14:40").then_refused("in_the_past")


def test_what_has_passed_is_not_asked_of_the_new_room() -> None:
    """Somebody had it until ten past two, and gave it up."""
    before = booked(wish("hall", use="整场", person="wang"), "b2")
    given_up = BookingCancelled(**of(before), reason="ill")
    log = given(*GUMEI, TABLE, before, given_up)
    reschedule(log, wish("hall", use="整场"), by=STAFF, now=f"{TODAY} 14:10").then_kinds(BookingRescheduled)


@pytest.mark.parametrize(
    ("event", "state"),
    [(IN_USE, "checked_in"), (BookingCancelled(**of(TABLE), reason="ill"), "cancelled")],
    ids=["in use", "cancelled"],
)
def test_what_is_in_use_or_over_is_not_moved_and_that_alone_is_told(event: Event, state: str) -> None:
    decided = reschedule(given(*GUMEI, TABLE, event), wish(units=9), by=STAFF)
    decided.then_refused_for(Reason(rule="wrong_state", limit="awaiting_approval confirmed", actual=state))


def test_nobody_moves_a_neighbour_s_booking() -> None:
    reschedule(given(*GUMEI, TABLE), by=WANG).then_denied("forbidden", "booking")


def test_staff_move_nothing_to_a_room_of_another_station() -> None:
    to = wish("parlour")
    reschedule(given(*GUMEI, TABLE), to, by=STAFF).then_denied("forbidden", "room")
    reschedule(given(*GUMEI, TABLE), to, by=LIN).then_kinds(BookingRescheduled)


def test_a_station_s_own_booking_stays_with_those_who_run_it() -> None:
    own = booked(wish(person=station_person("wanyuan-1")))
    to = wish("hall", use="整场", person=own.person)
    reschedule(given(*GUMEI, own), to, by=STAFF).then(moved(own, to))
    reschedule(given(*GUMEI, own), to, by=LIN).then_denied("forbidden", "booking")


def test_another_use_is_named_together_with_its_room() -> None:
    """What it takes must be read in the second round, and there is no third."""
    reschedule(given(*GUMEI, TABLE), wish(use="桌球"), room=None).then_denied("not_valid", "room")


@pytest.mark.parametrize(
    ("to", "what"),
    [(wish(end=f"{TODAY} 14:00"), "end"), (wish(end="2027-11-24 15:00"), "end")],
    ids=["it ends before it starts", "it lasts a year"],
)
def test_what_is_no_slot_is_not_valid(to: RequestBooking, what: str) -> None:
    reschedule(given(*GUMEI, TABLE), to).then_denied("not_valid", what)


def test_a_room_or_a_use_that_is_not_there_is_not_found() -> None:
    nowhere = msgspec.structs.replace(wish(), room="cellar")
    reschedule(given(*GUMEI, TABLE), nowhere).then_denied("not_found", "room")
    reschedule(given(*GUMEI, TABLE), msgspec.structs.replace(wish(), use="茶艺")).then_denied("not_found", "use")
    reschedule(given(*GUMEI)).then_denied("not_found", "booking")


def test_a_closure_cancels_what_has_moved_into_the_room_and_lets_be_what_has_left() -> None:
    moved_in, moved_out = booked(wish("hall", use="半场")), booked(wish("kitchen", person="wang"), "b2")
    log = given(
        *GUMEI,
        moved_in,
        moved(moved_in, wish("kitchen", f"{TODAY} 16:00", f"{TODAY} 17:00")),
        moved_out,
        moved(moved_out, wish("hall", use="半场", person="wang")),
    )
    closed = log.when(CloseRoom(room="kitchen", start=local(f"{TODAY} 09:00"), end=None, reason="cleaning"), by=STAFF)
    closed.then_kinds(RoomClosed, BookingCancelled)
    assert closed.told["cancelled"] == ["b1"]


def test_what_was_moved_away_and_given_up_there_is_not_given_up_again() -> None:
    there = moved(TABLE, wish(start="2026-11-25 14:00", end="2026-11-25 15:00"))
    log = given(*GUMEI, TABLE, there, BookingCancelled(**of(there), reason="ill"))
    closed = log.when(CloseRoom(room="tribe", start=local(f"{TODAY} 09:00"), end=None, reason="cleaning"), by=STAFF)
    closed.then_kinds(RoomClosed)


# Whether somebody must look at it again.


def test_what_still_waits_goes_on_waiting() -> None:
    to = wish("parlour", f"{TODAY} 15:00", f"{TODAY} 16:00")
    decided = reschedule(given(*GUMEI, PARLOUR_ASKED), to).then(moved(PARLOUR_ASKED, to, awaits=True))
    assert decided.told["state"] == "awaiting_approval"


def test_what_waits_and_moves_to_a_use_without_approval_holds() -> None:
    reschedule(given(*GUMEI, PARLOUR_ASKED), wish()).then(moved(PARLOUR_ASKED, wish()))


@pytest.mark.parametrize(
    "to",
    [
        wish("parlour", end=f"{TODAY} 17:00", attendees=8),
        wish("parlour", f"{TODAY} 15:00", f"{TODAY} 17:00", attendees=8),
        wish("parlour", end=f"{TODAY} 16:00", attendees=9),
    ],
    ids=["longer", "later", "more people"],
)
def test_what_was_approved_and_becomes_more_or_another_is_looked_at_again(to: RequestBooking) -> None:
    reschedule(given(*GUMEI, DANCED, AGREED), to).then(moved(DANCED, to, awaits=True))


@pytest.mark.parametrize(
    "to",
    [
        wish("parlour", attendees=8),
        wish("parlour", f"{TODAY} 15:00", f"{TODAY} 16:00", attendees=8),
        wish("parlour", end=f"{TODAY} 16:00", attendees=2),
    ],
    ids=["an earlier end", "a later start", "fewer people"],
)
def test_a_shortened_booking_needs_no_new_approval(to: RequestBooking) -> None:
    reschedule(given(*GUMEI, DANCED, AGREED), to).then(moved(DANCED, to))


def test_a_shortened_one_that_was_never_approved_still_waits() -> None:
    to = wish("parlour", attendees=8)
    reschedule(given(*GUMEI, DANCED), to).then(moved(DANCED, to, awaits=True))


def test_what_holds_and_moves_to_a_use_with_approval_waits() -> None:
    to = wish("parlour")
    reschedule(given(*GUMEI, TABLE), to).then(moved(TABLE, to, awaits=True))


def test_what_has_begun_cannot_wait_for_an_answer() -> None:
    decided = reschedule(given(*GUMEI, TABLE), wish("parlour"), by=OFFICE, now=f"{TODAY} 14:05")
    decided.then_refused_for(Reason(rule="approval_needed"))


# What must have been read.


def test_what_names_only_the_booking_reads_it_first_and_then_all_that_it_needs() -> None:
    """The kitchen's buffer is not known yet, so the day is named that the longest one could reach."""
    night = booked(wish("kitchen", "2026-11-30 18:00", "2026-11-30 19:00"))
    command = RescheduleBooking(booking="b1", start=local("2026-12-02 13:00"), end=local("2026-12-02 14:00"))
    ask, log = Ask(id="ask", command=command, asker=LIN), given(*GUMEI, night)
    state = log.state_for(ask, NOW)
    read = {tag for tag in state.tags if not tag.startswith(("subdistrict", "rules"))}
    assert read == {
        "booking:b1", "room:kitchen", "resource:kitchen", "resource:kitchen:2026-12-02", "resource:kitchen:2026-12-03",
        "person:lin:2026-11", "person:lin:2026-12",
    }  # fmt: skip
    assert log.tags_of(ask) <= {*read, "subdistrict", "rules"}


def test_grace_and_hold_begin_anew_with_the_move() -> None:
    log = reschedule(given(*GUMEI, TABLE), wish(end=f"{TODAY} 16:00")).and_so()
    life = log.state(Booking, "booking:b1").life
    assert life is not None
    assert (life.made_at, life.confirmed_at, life.grace) == (NOW, NOW, timedelta(minutes=15))

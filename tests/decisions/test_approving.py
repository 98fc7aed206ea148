"""An approval decides again: what was asked for must be possible as the room and the rules are now."""

import msgspec
import pytest
from tests.decisions.gumei import (
    GUMEI,
    NOW,
    OFFICE,
    PARLOUR,
    PARLOUR_ASKED,
    TODAY,
    awaiting,
    booked,
    local,
    moved,
    wish,
)
from tests.spec import given

from booking.local_time import Hours
from booking.messages import Ask, Event, Reason
from booking.places.events import ResourceChanged, RoomChanged, RoomClosed, RoomReopened
from booking.reservations.decide import ApproveBooking, RejectBooking
from booking.reservations.events import BookingApproved, BookingChangeRefused
from booking.rules.events import RuleBook, RulesChanged

APPROVE = ApproveBooking(booking="b1")
FOUR_HOURS = awaiting(wish("parlour", end=f"{TODAY} 18:00", attendees=30))


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        (RulesChanged(book=RuleBook(duration_minutes_max=240)), ()),
        (RulesChanged(book=RuleBook()), ("too_long",)),
        (
            RoomChanged(room="parlour", definition=msgspec.structs.replace(PARLOUR, seats=20)),
            ("too_long", "too_many_people"),
        ),
        (
            RoomChanged(
                room="parlour",
                definition=msgspec.structs.replace(PARLOUR, hours=(Hours(weekday=2, opens="09:00", closes="17:00"),)),
            ),
            ("outside_hours", "too_long"),
        ),
        (
            RoomChanged(
                room="parlour",
                definition=msgspec.structs.replace(PARLOUR, hours=(Hours(weekday=2, opens="09:30", closes="18:30"),)),
            ),
            ("off_grid", "too_long"),
        ),
        (ResourceChanged(resource="parlour", capacity=0), ("too_long", "too_many_units")),
        (
            RoomClosed(room="parlour", start=local(f"{TODAY} 17:00"), end=None, reason="safety"),
            ("room_closed", "too_long"),
        ),
    ],
    ids=["nothing", "shorter", "fewer seats", "other hours", "another grid", "no parlour", "closed"],
)
def test_it_is_held_to_every_rule_of_its_slot(changed: Event, rules: tuple[str, ...]) -> None:
    decided = given(*GUMEI, FOUR_HOURS, changed).when(APPROVE, by=OFFICE)
    if rules:
        decided.then_refused(*rules)
        assert isinstance(decided.events[0], BookingChangeRefused)
        assert (decided.events[0].asked, decided.events[0].wanted) == ("approve", None)
    else:
        decided.then_kinds(BookingApproved)


def test_what_two_hold_at_once_is_approved_to_neither() -> None:
    """It cannot come to that; if it ever did, it would stop here."""
    other = booked(wish("parlour", person="wang"), "b2")
    given(*GUMEI, PARLOUR_ASKED, other).when(APPROVE, by=OFFICE).then_refused_for(
        Reason(rule="slot_taken", limit=1, actual=1)
    )


def test_neither_lead_nor_quota_nor_horizon_is_asked_of_an_approval() -> None:
    """They were, when it was requested; the office may take its time."""
    strict = RulesChanged(book=RuleBook(lead_minutes_min=600, open_bookings_max=0, ahead_days_max=0, release="24:00"))
    log = given(*GUMEI, PARLOUR_ASKED, strict)
    log.when(APPROVE, by=OFFICE, now=local(f"{TODAY} 13:59")).then_kinds(BookingApproved)


def test_a_reopened_hour_in_a_closed_day_can_be_approved() -> None:
    closed = RoomClosed(room="parlour", start=local(f"{TODAY} 00:00"), end=None, reason="safety")
    again = RoomReopened(room="parlour", start=PARLOUR_ASKED.start, end=PARLOUR_ASKED.end)
    given(*GUMEI, closed, again, PARLOUR_ASKED).when(APPROVE, by=OFFICE).then_kinds(BookingApproved)


def test_the_buffer_that_it_holds_is_judged_and_not_the_one_that_the_room_has_now() -> None:
    """Another was booked right after it when the room had none."""
    after = booked(wish("parlour", f"{TODAY} 15:00", f"{TODAY} 16:00", person="wang"), "b2")
    buffered = RoomChanged(room="parlour", definition=msgspec.structs.replace(PARLOUR, buffer_minutes=30))
    given(*GUMEI, PARLOUR_ASKED, after, buffered).when(APPROVE, by=OFFICE).then_kinds(BookingApproved)


def test_what_was_moved_is_approved_where_it_is_now() -> None:
    to = wish("parlour", f"{TODAY} 16:00", f"{TODAY} 17:00")
    log = given(*GUMEI, PARLOUR_ASKED, moved(PARLOUR_ASKED, to, awaits=True)).when(APPROVE, by=OFFICE).and_so()
    log.when(wish("parlour", person="wang"), by=OFFICE).then_kinds(type(PARLOUR_ASKED))
    at_four = wish("parlour", f"{TODAY} 16:00", f"{TODAY} 17:00", person="wang")
    log.when(at_four, by=OFFICE).then_refused("slot_taken")


def test_two_that_wait_are_approved_only_where_there_is_room_for_both() -> None:
    """The second was never let in."""
    log = given(*GUMEI, PARLOUR_ASKED)
    log.when(wish("parlour", person="wang"), by=OFFICE).then_refused("slot_taken")
    log.when(APPROVE, by=OFFICE).then_kinds(BookingApproved)


def test_an_approval_reads_the_booking_first_and_then_what_its_slot_is_judged_by() -> None:
    ask = Ask(id="ask", command=APPROVE, asker=OFFICE)
    assert given(*GUMEI, PARLOUR_ASKED).tags_of(ask, NOW) == {
        "subdistrict", "rules", "booking:b1", "room:parlour", "resource:parlour", "resource:parlour:2026-11-24",
    }  # fmt: skip


def test_a_rejection_needs_no_more_than_the_booking() -> None:
    ask = Ask(id="ask", command=RejectBooking(booking="b1", reason="other"), asker=OFFICE)
    assert given(*GUMEI, PARLOUR_ASKED).tags_of(ask, NOW) == {"subdistrict", "rules", "booking:b1"}

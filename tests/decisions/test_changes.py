"""What can be asked of a booking: approve, reject, cancel, check in; when, and by whom."""

from datetime import timedelta

import pytest
from tests.decisions.gumei import (
    GUMEI,
    IN_USE,
    LIN,
    OFFICE,
    PARLOUR_ASKED,
    STAFF,
    TABLE,
    TODAY,
    VOLUNTEER,
    WANG,
    awaiting,
    booked,
    local,
    of,
    opened,
    wish,
)
from tests.spec import Decided, Given, given

from booking.messages import Asker, Command, Reason, SealedText
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    CloseOut,
    RejectBooking,
)
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingChangeRefused,
    BookingCheckedIn,
    BookingConfirmed,
    BookingRejected,
    BookingRequested,
    person_month_tag,
)
from booking.reservations.states import PersonMonth, ResourceDay
from booking.rules.events import RuleBook
from booking.takes import resource_day_tag

MICROSECOND = timedelta(microseconds=1)
GULONG_STAFF = Asker(id="bai", role="staff", channel="desk", scope="stations", stations=frozenset({"gulong-6"}))
APPROVED = BookingApproved(**of(PARLOUR_ASKED))
NOTE = SealedText(text="带了孙子", key=b"k" * 32)


def test_staff_approve_a_request() -> None:
    decided = given(*GUMEI, PARLOUR_ASKED).when(ApproveBooking(booking="b1"), by=GULONG_STAFF, texts={"note": NOTE})
    decided.then(BookingApproved(**of(PARLOUR_ASKED), note=NOTE.digest()))
    assert decided.told["state"] == "confirmed"


def test_staff_reject_a_request() -> None:
    decided = given(*GUMEI, PARLOUR_ASKED).when(
        RejectBooking(booking="b1", reason="needed_by_station"), by=GULONG_STAFF
    )
    decided.then(BookingRejected(**of(PARLOUR_ASKED), reason="needed_by_station"))
    assert decided.told["state"] == "rejected"


@pytest.mark.parametrize("command", [ApproveBooking(booking="b1"), RejectBooking(booking="b1", reason="other")])
def test_nobody_answers_a_request_of_their_own(command: Command) -> None:
    given(*GUMEI, PARLOUR_ASKED).when(command, by=LIN).then_denied("forbidden", "booking")


def test_a_request_can_be_approved_up_to_its_start() -> None:
    last = wish().start - MICROSECOND
    given(*GUMEI, PARLOUR_ASKED).when(ApproveBooking(booking="b1"), by=OFFICE, now=last).then_kinds(BookingApproved)


def test_a_request_expires_at_its_start() -> None:
    decided = given(*GUMEI, PARLOUR_ASKED).when(ApproveBooking(booking="b1"), by=OFFICE, now=wish().start)
    decided.then_refused_for(Reason(rule="wrong_state", limit="awaiting_approval", actual="expired"))


def test_what_expired_holds_nothing_from_its_start() -> None:
    """Asked at its start for the hour after, by rules without a lead."""
    log = given(*opened(rules=RuleBook(lead_minutes_min=0)), awaiting(wish("parlour", end=f"{TODAY} 16:00")))
    later = wish("parlour", f"{TODAY} 15:00", f"{TODAY} 16:00", person="wang")
    log.when(later, by=WANG, now=wish().start - MICROSECOND).then_refused("slot_taken")
    log.when(later, by=WANG, now=wish().start).then_kinds(BookingRequested)


def test_what_was_rejected_holds_nothing() -> None:
    rejected = BookingRejected(**of(PARLOUR_ASKED), reason="other")
    given(*GUMEI, PARLOUR_ASKED, rejected).when(wish("parlour", person="wang"), by=WANG).then_kinds(BookingRequested)


def test_what_was_approved_can_be_missed() -> None:
    decided = given(*GUMEI, PARLOUR_ASKED, APPROVED).when(CheckIn(booking="b1"), by=LIN, now=local("2026-11-24 14:15"))
    decided.then_refused_for(Reason(rule="wrong_state", limit="confirmed", actual="no_show"))


def test_a_confirmed_booking_needs_no_approval() -> None:
    given(*GUMEI, TABLE).when(ApproveBooking(booking="b1"), by=STAFF).then_refused("wrong_state")


def cancelled(log: Given, *, by: Asker = LIN, now: str = f"{TODAY} 08:00") -> Decided:
    return log.when(CancelBooking(booking="b1", reason="changed_plans"), by=by, now=local(now))


def test_whoever_holds_a_booking_gives_it_up_before_its_start() -> None:
    decided = cancelled(given(*GUMEI, TABLE), now=f"{TODAY} 13:59")
    decided.then(BookingCancelled(**of(TABLE), reason="changed_plans"))
    assert decided.told["state"] == "cancelled"


def test_what_was_cancelled_can_be_had_again() -> None:
    full = given(*GUMEI, booked(wish(units=3)))
    cancelled(full).and_so().when(wish(person="wang", units=3), by=WANG).then_kinds(BookingConfirmed)


def test_what_was_given_up_is_no_longer_kept_in_mind() -> None:
    """Somebody who books and cancels all day makes neither the day's state nor their own month's any larger."""
    log = cancelled(given(*GUMEI, TABLE)).and_so()
    assert log.state(ResourceDay, resource_day_tag("tennis-table", TODAY)) == ResourceDay()
    assert log.state(PersonMonth, person_month_tag("lin", TODAY[:7])) == PersonMonth()


def test_a_request_that_awaits_an_answer_can_be_withdrawn() -> None:
    cancelled(given(*GUMEI, PARLOUR_ASKED)).then_kinds(BookingCancelled)


def test_at_its_start_it_is_too_late_to_give_a_booking_up() -> None:
    decided = cancelled(given(*GUMEI, TABLE), now=f"{TODAY} 14:00")
    decided.then_refused_for(Reason(rule="already_started", actual=0))


def test_staff_free_a_room_that_is_in_use() -> None:
    cancelled(given(*GUMEI, TABLE, IN_USE), by=STAFF, now=f"{TODAY} 14:30").then_kinds(BookingCancelled)


def test_what_staff_freed_in_mid_use_can_be_had_for_the_rest() -> None:
    in_use = given(*GUMEI, booked(wish(end=f"{TODAY} 17:00", units=3)), IN_USE)
    rest = wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00", person="wang")
    freed = cancelled(in_use, by=STAFF, now=f"{TODAY} 14:30").and_so()
    freed.when(rest, by=WANG, now=local(f"{TODAY} 14:30")).then_kinds(BookingConfirmed)


def test_what_was_cancelled_cannot_be_cancelled_again() -> None:
    decided = cancelled(cancelled(given(*GUMEI, TABLE)).and_so())
    decided.then_refused_for(
        Reason(rule="wrong_state", limit="awaiting_approval confirmed checked_in", actual="cancelled")
    )


def test_nobody_cancels_what_is_over() -> None:
    decided = cancelled(given(*GUMEI, TABLE, IN_USE), by=STAFF, now=f"{TODAY} 15:00")
    decided.then_refused_for(
        Reason(rule="wrong_state", limit="awaiting_approval confirmed checked_in", actual="completed")
    )


def test_a_refusal_of_a_change_names_the_booking_and_what_was_asked() -> None:
    decided = cancelled(given(*GUMEI, TABLE), now=f"{TODAY} 14:01")
    reason = Reason(rule="already_started", actual=1)
    decided.then(BookingChangeRefused(asked="cancel", booking="b1", room="tribe", person="lin", reasons=(reason,)))


def check_in(log: Given, now: str, *, by: Asker = LIN) -> Decided:
    return log.when(CheckIn(booking="b1"), by=by, now=local(now))


def test_one_checks_in_from_a_quarter_of_an_hour_before_the_start() -> None:
    decided = check_in(given(*GUMEI, TABLE), f"{TODAY} 13:45")
    decided.then(IN_USE)
    assert decided.told["state"] == "checked_in"


def test_before_that_it_is_too_early_and_the_instant_is_told() -> None:
    decided = check_in(given(*GUMEI, TABLE), f"{TODAY} 13:44")
    decided.then_refused_for(Reason(rule="too_early", limit=15, actual=16, possible_from=local("2026-11-24 13:45")))


def test_one_checks_in_until_the_grace_is_over() -> None:
    last = local("2026-11-24 14:15") - MICROSECOND
    given(*GUMEI, TABLE).when(CheckIn(booking="b1"), by=LIN, now=last).then_kinds(BookingCheckedIn)


def test_when_the_grace_is_over_it_is_a_no_show() -> None:
    decided = check_in(given(*GUMEI, TABLE), f"{TODAY} 14:15")
    decided.then_refused_for(Reason(rule="wrong_state", limit="confirmed", actual="no_show"))


def test_one_checks_in_once() -> None:
    check_in(given(*GUMEI, TABLE, IN_USE), f"{TODAY} 14:05").then_refused("wrong_state")


def test_a_volunteer_marks_who_came_at_her_station() -> None:
    check_in(given(*GUMEI, TABLE), f"{TODAY} 14:00", by=VOLUNTEER).then_kinds(BookingCheckedIn)


def test_a_volunteer_marks_nobody_at_another_station() -> None:
    log = given(*GUMEI, PARLOUR_ASKED, APPROVED)
    check_in(log, f"{TODAY} 14:00", by=VOLUNTEER).then_denied("forbidden", "booking")


@pytest.mark.parametrize(
    "command", [CheckIn(booking="b1"), CancelBooking(booking="b1", reason="other")], ids=["check in", "cancel"]
)
def test_nobody_touches_a_neighbour_s_booking(command: Command) -> None:
    given(*GUMEI, TABLE).when(command, by=WANG, now=local(f"{TODAY} 14:00")).then_denied("forbidden", "booking")


@pytest.mark.parametrize(
    "command",
    [
        ApproveBooking(booking="b9"),
        RejectBooking(booking="b9", reason="other"),
        CancelBooking(booking="b9", reason="other"),
        CheckIn(booking="b9"),
        CloseOut(booking="b9"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_booking_that_was_never_made_is_not_found(command: Command) -> None:
    given(*GUMEI, TABLE).when(command).then_denied("not_found", "booking")

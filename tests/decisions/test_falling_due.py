"""What falls due is in force at its due instant, recorded or not, on time, late or twice."""

from datetime import timedelta

import pytest
from tests.decisions.gumei import (
    GUMEI,
    IN_USE,
    LIN,
    PARLOUR_ASKED,
    TABLE,
    TODAY,
    WANG,
    booked,
    local,
    of,
    wish,
)
from tests.spec import Decided, Given, given, happened

from booking.messages import SYSTEM, Event
from booking.reservations.decide import (
    CloseOut,
)
from booking.reservations.events import (
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingExpired,
    NoShowRecorded,
)

MICROSECOND = timedelta(microseconds=1)
NO_SHOW = NoShowRecorded(booking="b1", room="tribe", person="lin")
AT_THE_GRACE_S_END = local("2026-11-24 14:15")


@pytest.mark.parametrize("recorded", [(), (NO_SHOW,), (NO_SHOW, NO_SHOW)], ids=["never", "once", "twice"])
def test_a_no_show_frees_its_units_at_the_grace_s_end_whether_recorded_or_not(recorded: tuple[Event, ...]) -> None:
    full = booked(wish(end=f"{TODAY} 17:00", units=3))
    log = given(*GUMEI, full, *(happened(event, at=AT_THE_GRACE_S_END) for event in recorded))
    rest = wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang", units=3)
    log.when(rest, by=WANG, now=AT_THE_GRACE_S_END).then_kinds(BookingConfirmed)


def test_until_the_grace_s_end_the_units_are_held() -> None:
    log = given(*GUMEI, booked(wish(end=f"{TODAY} 17:00", units=3)))
    rest = wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang", units=3)
    log.when(rest, by=WANG, now=AT_THE_GRACE_S_END - MICROSECOND).then_refused("slot_taken")


def test_whoever_came_holds_the_units_to_the_end() -> None:
    log = given(*GUMEI, booked(wish(end=f"{TODAY} 17:00", units=3)), IN_USE)
    rest = wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00", person="wang", units=1)
    log.when(rest, by=WANG, now=local(f"{TODAY} 15:00")).then_refused("slot_taken")


def test_a_no_show_no_longer_counts_against_the_quota() -> None:
    others = [booked(wish(start=f"{day} 10:00", end=f"{day} 11:00"), day) for day in ("2026-11-25", "2026-11-26")]
    log = given(*GUMEI, booked(wish()), *others)
    later = wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00")
    log.when(later, by=LIN, now=AT_THE_GRACE_S_END - MICROSECOND).then_refused("quota_reached")
    log.when(later, by=LIN, now=AT_THE_GRACE_S_END).then_kinds(BookingConfirmed)


def close_out(log: Given, now: str) -> Decided:
    return log.when(CloseOut(booking="b1"), by=SYSTEM, now=local(now))


def test_closed_out_too_early_nothing_is_recorded() -> None:
    close_out(given(*GUMEI, TABLE), f"{TODAY} 14:14").then()


def test_closed_out_on_time_a_no_show_is_recorded() -> None:
    close_out(given(*GUMEI, TABLE), f"{TODAY} 14:15").then(NO_SHOW)


def test_closed_out_late_it_was_in_force_since_its_due_instant() -> None:
    recorded = close_out(given(*GUMEI, TABLE), "2026-11-26 03:00").recorded[0]
    assert (recorded.event, recorded.due) == (NO_SHOW, AT_THE_GRACE_S_END)


def test_closed_out_twice_it_is_recorded_once() -> None:
    close_out(given(*GUMEI, TABLE, NO_SHOW), f"{TODAY} 14:16").then()


def test_whoever_came_is_recorded_as_completed_at_the_end() -> None:
    recorded = close_out(given(*GUMEI, TABLE, IN_USE), f"{TODAY} 15:00").recorded[0]
    assert recorded.event == BookingCompleted(booking="b1", room="tribe", person="lin")
    assert recorded.due == wish().end


def test_whoever_came_is_not_closed_out_before_the_end() -> None:
    close_out(given(*GUMEI, TABLE, IN_USE), f"{TODAY} 14:59").then()


def test_a_request_without_an_answer_is_recorded_as_expired() -> None:
    decided = close_out(given(*GUMEI, PARLOUR_ASKED), f"{TODAY} 14:00")
    decided.then(BookingExpired(booking="b1", room="parlour", person="lin"))
    assert decided.recorded[0].due == wish().start


def test_of_what_was_cancelled_nothing_more_is_recorded() -> None:
    given_up = BookingCancelled(**of(TABLE), reason="ill")
    close_out(given(*GUMEI, TABLE, given_up), f"{TODAY} 20:00").then()


def test_the_answer_to_a_close_out_is_the_booking_as_it_stands() -> None:
    assert close_out(given(*GUMEI, TABLE), f"{TODAY} 14:00").told["state"] == "confirmed"
    assert close_out(given(*GUMEI, TABLE), f"{TODAY} 14:20").told["state"] == "no_show"

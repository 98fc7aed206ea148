"""A booking that is to last longer, and one whose people have left before its end."""

import msgspec
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
    booked,
    extended,
    local,
    moved,
    of,
    opened,
    wish,
)
from tests.spec import Decided, Given, Happened, given, happened

from booking.local_time import Hours
from booking.messages import Asker, Event, Reason
from booking.places.events import ResourceChanged
from booking.reservations.decide import CheckIn, CloseOut, EndBooking, ExtendBooking
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingChangeRefused,
    BookingCheckedIn,
    BookingConfirmed,
    BookingEnded,
    BookingExtended,
    WantedSlot,
    person_month_tag,
)
from booking.reservations.states import Booking, PersonMonth, ResourceDay
from booking.rules.events import RuleBook
from booking.takes import resource_day_tag

APPROVED = BookingApproved(**of(PARLOUR_ASKED))
RUNNING = f"{TODAY} 14:30"
CAME = happened(IN_USE, at=local(f"{TODAY} 14:00"))
ENDED = BookingEnded(**of(TABLE), held_until=local(RUNNING))


def extend(log: Given, end: str = f"{TODAY} 16:00", *, by: Asker = LIN, now: str = f"{TODAY} 08:00") -> Decided:
    return log.when(ExtendBooking(booking="b1", end=local(end)), by=by, now=local(now))


def test_a_booking_is_extended_before_it_begins() -> None:
    decided = extend(given(*GUMEI, TABLE)).then(extended(TABLE, f"{TODAY} 16:00"))
    assert (decided.told["end"], decided.told["state"]) == ("2026-11-24T08:00:00Z", "confirmed")


def test_and_while_it_runs() -> None:
    decided = extend(given(*GUMEI, TABLE, CAME), now=RUNNING)
    decided.then(extended(TABLE, f"{TODAY} 16:00", checked_in_at=CAME.at))
    assert decided.told["state"] == "checked_in"


def test_the_present_end_changes_nothing() -> None:
    extend(given(*GUMEI, TABLE), f"{TODAY} 15:00").then()


def test_an_earlier_end_is_not_valid() -> None:
    extend(given(*GUMEI, TABLE), f"{TODAY} 14:30").then_denied("not_valid", "end")


def test_the_extension_is_taken_at_once() -> None:
    log = extend(given(*GUMEI, booked(wish(units=3)))).and_so()
    after = wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang")
    log.when(after, by=WANG).then_refused("slot_taken")


def test_who_comes_next_is_not_driven_out() -> None:
    log = given(*GUMEI, TABLE, booked(wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", units=3), "b2"))
    decided = extend(log)
    wanted = WantedSlot(room="tribe", use="乒乓球", units=1, start=TABLE.start, end=local(f"{TODAY} 16:00"))
    reasons = (Reason(rule="slot_taken", limit=3, actual=3),)
    decided.then(
        BookingChangeRefused(asked="extend", booking="b1", room="tribe", person="lin", wanted=wanted, reasons=reasons)
    )


def test_the_buffer_after_the_new_end_must_be_free_too() -> None:
    log = given(*GUMEI, booked(wish("kitchen")), booked(wish("kitchen", f"{TODAY} 16:00", f"{TODAY} 17:00"), "b2"))
    extend(log, f"{TODAY} 15:30").then_kinds(BookingExtended)
    extend(log, f"{TODAY} 16:00").then_refused("slot_taken")


@pytest.mark.parametrize(
    ("end", "rules"),
    [
        (f"{TODAY} 15:30", ("off_grid",)),
        (f"{TODAY} 18:00", ("too_long",)),
        ("2026-11-24 22:00", ("outside_hours", "too_long")),
    ],
)
def test_the_whole_of_it_is_judged_by_the_rules(end: str, rules: tuple[str, ...]) -> None:
    extend(given(*GUMEI, TABLE), end).then_refused(*rules)


def test_its_own_place_in_the_quota_is_not_in_its_way() -> None:
    extend(given(*opened(rules=RuleBook(open_bookings_max=1)), TABLE)).then_kinds(BookingExtended)


def test_what_has_passed_is_not_counted_against_a_capacity_that_has_shrunk_since() -> None:
    """Three tables were in use until three; then two were taken away, and whoever has the third may keep it."""
    long, two = booked(wish(end=f"{TODAY} 16:00")), booked(wish(units=2, person="wang"), "b2")
    came = [happened(BookingCheckedIn(**of(made)), at=local(f"{TODAY} 14:00")) for made in (long, two)]
    fewer = happened(ResourceChanged(resource="tennis-table", capacity=1), at=local(f"{TODAY} 15:10"))
    log = given(*GUMEI, long, two, *came, fewer)
    extend(log, f"{TODAY} 17:00", now=f"{TODAY} 15:20").then_kinds(BookingExtended)


def test_where_approval_is_asked_staff_extend_and_nobody_else() -> None:
    log = given(*GUMEI, PARLOUR_ASKED, APPROVED)
    extend(log).then_refused_for(Reason(rule="approval_needed"))
    extend(log, by=OFFICE).then_kinds(BookingExtended)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((PARLOUR_ASKED,), "awaiting_approval"),
        ((TABLE, BookingCancelled(**of(TABLE), reason="ill")), "cancelled"),
        ((TABLE, CAME, happened(ENDED, at=local(RUNNING))), "completed"),
    ],
    ids=["awaiting", "cancelled", "ended"],
)
def test_only_what_holds_can_be_extended(events: tuple[Event | Happened, ...], state: str) -> None:
    decided = extend(given(*GUMEI, *events), by=OFFICE, now=f"{TODAY} 08:00" if state != "completed" else RUNNING)
    decided.then_refused_for(Reason(rule="wrong_state", limit="confirmed checked_in", actual=state))


def test_an_extension_gives_no_new_grace() -> None:
    """Else a table could be kept by whoever never comes."""
    log = extend(given(*GUMEI, TABLE), now=f"{TODAY} 14:10").and_so()
    late = log.when(CheckIn(booking="b1"), by=LIN, now=local(f"{TODAY} 14:15"))
    late.then_refused_for(Reason(rule="wrong_state", limit="confirmed", actual="no_show"))


OPEN_ALWAYS = RuleBook(hours=tuple(Hours(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8)))
LATE = booked(wish("kitchen", "2026-11-30 22:30", "2026-11-30 23:00"))


def test_an_extension_into_the_next_day_enters_it_with_all_its_life() -> None:
    """And, here, the next month of the person: the day's state has not seen it before."""
    came = happened(BookingCheckedIn(**of(LATE)), at=local("2026-11-30 22:30"))
    log = extend(given(*opened(rules=OPEN_ALWAYS), LATE, came), "2026-12-01 00:00", now="2026-11-30 22:40").and_so()
    for day in ("2026-11-30", "2026-12-01"):
        hold = log.state(ResourceDay, resource_day_tag("kitchen", day)).holds["b1"]
        assert hold.life == log.state(Booking, "booking:b1").life
        assert hold.life.standing(local("2026-11-30 23:59")) == "checked_in"
    assert log.state(PersonMonth, person_month_tag("lin", "2026-12")).lives.keys() == {"b1"}


def test_a_day_that_it_touched_stays_named_when_the_buffer_is_shorter_now() -> None:
    """Or what it once held there would never be let go."""
    before = booked(wish("kitchen", "2026-11-30 22:30", "2026-11-30 23:30"))
    over_midnight = msgspec.structs.replace(
        before, held_until=local("2026-12-01 00:30"), days=("2026-11-30", "2026-12-01")
    )
    log = given(*opened(rules=OPEN_ALWAYS), over_midnight)
    longer = extend(log, "2026-12-01 00:00").then_kinds(BookingExtended).events[0]
    assert isinstance(longer, BookingExtended)
    assert (longer.held_until, longer.days) == (local("2026-12-01 00:30"), over_midnight.days)
    given_up = BookingCancelled(**of(longer), reason="ill")
    day = given(*opened(), over_midnight, longer, given_up).state(
        ResourceDay, resource_day_tag("kitchen", "2026-12-01")
    )
    assert day == ResourceDay()


@pytest.mark.parametrize("by", [WANG, VOLUNTEER], ids=lambda by: by.id)
def test_nobody_extends_or_ends_a_neighbour_s_booking(by: Asker) -> None:
    log = given(*GUMEI, booked(wish("parlour")))
    for command in (ExtendBooking(booking="b1", end=local(f"{TODAY} 16:00")), EndBooking(booking="b1")):
        log.when(command, by=by).then_denied("forbidden", "booking")
        given(*GUMEI).when(command, by=OFFICE).then_denied("not_found", "booking")


# Before its end.


def end(log: Given, now: str = RUNNING, *, by: Asker = LIN) -> Decided:
    return log.when(EndBooking(booking="b1"), by=by, now=local(now))


@pytest.mark.parametrize("by", [LIN, STAFF], ids=lambda by: by.id)
def test_who_leaves_early_completes_the_booking(by: Asker) -> None:
    decided = end(given(*GUMEI, TABLE, CAME), by=by).then(ENDED)
    assert (decided.told["state"], decided.told["end"]) == ("completed", "2026-11-24T06:30:00Z")


def test_the_rest_is_free_at_once() -> None:
    full = given(*GUMEI, booked(wish(end=f"{TODAY} 17:00", units=3)), CAME)
    rest = wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang")
    full.when(rest, by=WANG, now=local(RUNNING)).then_refused("slot_taken")
    end(full).and_so().when(rest, by=WANG, now=local(RUNNING)).then_kinds(BookingConfirmed)


def test_the_buffer_moves_along() -> None:
    """Half an hour of cleaning, from when they have left."""
    baked = booked(wish("kitchen", end=f"{TODAY} 17:00"))
    came = happened(BookingCheckedIn(**of(baked)), at=local(f"{TODAY} 14:00"))
    log = end(given(*GUMEI, baked, came), f"{TODAY} 14:20").and_so()
    for start, taken in (("14:30", True), ("15:00", False)):
        rest = wish("kitchen", f"{TODAY} {start}", f"{TODAY} 15:30", person="wang")
        asked = log.when(rest, by=OFFICE, now=local(f"{TODAY} 14:20"))
        assert ("slot_taken" in [reason["rule"] for reason in asked.told.get("reasons", [])]) is taken  # type: ignore[attr-defined]


def test_it_no_longer_counts_in_the_quota() -> None:
    rules = RuleBook(open_bookings_max=1)
    log = end(given(*opened(rules=rules), TABLE, CAME)).and_so()
    log.when(wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00"), by=LIN, now=local(RUNNING)).then_kinds(
        BookingConfirmed
    )
    assert log.state(PersonMonth, person_month_tag("lin", "2026-11")) == PersonMonth()


def test_the_close_out_has_nothing_left_to_record() -> None:
    log = end(given(*GUMEI, TABLE, CAME)).and_so()
    log.when(CloseOut(booking="b1"), now=local(f"{TODAY} 15:00")).then()


def test_before_it_has_begun_there_is_nothing_to_end() -> None:
    early = given(*GUMEI, TABLE, happened(IN_USE, at=local(f"{TODAY} 13:50")))
    end(early, f"{TODAY} 13:55").then_refused_for(Reason(rule="not_started", possible_from=TABLE.start))
    end(early, f"{TODAY} 14:00").then_refused("not_started")
    end(early, f"{TODAY} 14:01").then_kinds(BookingEnded)


@pytest.mark.parametrize(
    ("events", "now", "state"),
    [
        ((TABLE,), RUNNING, "no_show"),
        ((TABLE,), f"{TODAY} 14:05", "confirmed"),
        ((TABLE, CAME), f"{TODAY} 15:00", "completed"),
        ((TABLE, CAME, happened(ENDED, at=local(RUNNING))), RUNNING, "completed"),
    ],
    ids=["nobody came", "nobody came yet", "over", "ended already"],
)
def test_only_what_is_in_use_can_be_ended(events: tuple[Event | Happened, ...], now: str, state: str) -> None:
    end(given(*GUMEI, *events), now).then_refused_for(Reason(rule="wrong_state", limit="checked_in", actual=state))


def test_what_was_extended_can_be_ended_and_what_was_moved_extended() -> None:
    to = wish(start=f"{TODAY} 16:00", end=f"{TODAY} 17:00")
    log = given(*GUMEI, TABLE, moved(TABLE, to))
    log = extend(log, f"{TODAY} 18:00").then_kinds(BookingExtended).and_so()
    log = log.when(CheckIn(booking="b1"), by=LIN, now=local(f"{TODAY} 16:00")).and_so()
    end(log, f"{TODAY} 17:30").then_kinds(BookingEnded)

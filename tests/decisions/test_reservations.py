"""What a request for a slot makes, and for whom one may ask."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.decisions.gumei import (
    GUMEI,
    LIN,
    NOW,
    OFFICE,
    SHANGHAI,
    STAFF,
    TODAY,
    VOLUNTEER,
    WANG,
    awaiting,
    booked,
    opened,
    wish,
)
from tests.spec import given

from booking.local_time import Hours
from booking.messages import Ask, SealedText, derived_id
from booking.reservations.decide import (
    RequestBooking,
    station_person,
)
from booking.reservations.events import (
    BookingConfirmed,
    BookingRequested,
    person_month_tag,
)
from booking.rules.events import RuleBook
from booking.takes import resource_day_tag

NOTE = SealedText(text="带了孙子", key=b"k" * 32)


def test_a_request_makes_a_booking_that_says_all_that_it_takes() -> None:
    given(*GUMEI).when(wish(units=2), by=LIN).then(booked(wish(units=2), derived_id("ask")))


def test_a_use_that_asks_for_approval_makes_a_request() -> None:
    given(*GUMEI).when(wish("parlour"), by=LIN).then(awaiting(wish("parlour"), derived_id("ask")))


def test_the_answer_tells_the_booking_as_it_stands() -> None:
    told = given(*GUMEI).when(wish(), by=LIN).told
    id_ = derived_id("ask")
    assert told == {
        "id": id_,
        "code": id_[:8].upper(),
        "room": "tribe",
        "use": "乒乓球",
        "start": "2026-11-24T06:00:00Z",
        "end": "2026-11-24T07:00:00Z",
        "units": 1,
        "state": "confirmed",
        "person": "lin",
        "booked_by": "lin",
    }


def test_what_awaits_approval_is_told_so() -> None:
    assert given(*GUMEI).when(wish("parlour"), by=LIN).told["state"] == "awaiting_approval"


def test_the_use_may_be_left_out_where_the_room_has_one() -> None:
    request = RequestBooking(room="kitchen", start=wish().start, end=wish().end, person="lin")
    given(*GUMEI).when(request, by=LIN).then_kinds(BookingConfirmed)


def test_the_use_is_needed_where_the_room_has_several() -> None:
    request = RequestBooking(room="tribe", start=wish().start, end=wish().end, person="lin")
    given(*GUMEI).when(request, by=LIN).then_denied("use_needed", "use")


def test_a_use_that_the_room_does_not_have_is_not_found() -> None:
    given(*GUMEI).when(wish(use="茶艺"), by=LIN).then_denied("not_found", "use")


def test_a_room_that_nobody_opened_is_not_found() -> None:
    given().when(wish(), by=LIN).then_denied("not_found", "room")


def test_a_slot_that_ends_before_it_starts_is_not_valid() -> None:
    given(*GUMEI).when(wish(end=f"{TODAY} 14:00"), by=LIN).then_denied("not_valid", "end")


def test_the_booking_carries_the_digest_of_its_purpose_and_not_the_text() -> None:
    decided = given(*GUMEI).when(wish(), by=LIN, texts={"purpose": NOTE})
    assert [event.purpose for event in decided.events if isinstance(event, BookingConfirmed)] == [NOTE.digest()]


def test_the_grace_is_that_of_the_rules_under_which_it_was_made() -> None:
    decided = given(*opened(rules=RuleBook(grace_minutes=5))).when(wish(), by=LIN)
    decided.then(booked(wish(), derived_id("ask"), grace_minutes=5))


def test_a_buffer_that_runs_over_midnight_holds_the_next_day_too() -> None:
    """And, here, the next month of the person."""
    open_always = RuleBook(hours=tuple(Hours(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8)))
    late = wish("kitchen", "2026-11-30 23:30", "2026-12-01 00:00")
    decided = given(*opened(rules=open_always)).when(late, by=LIN)
    tags = decided.recorded[0].tags()
    assert resource_day_tag("kitchen", "2026-12-01") in tags
    assert person_month_tag("lin", "2026-12") in tags
    early = wish("kitchen", "2026-12-01 00:00", "2026-12-01 00:30", person="wang")
    decided.and_so().when(early, by=WANG).then_refused("slot_taken")


def test_a_resident_books_for_nobody_else() -> None:
    given(*GUMEI).when(wish(person="wang"), by=LIN).then_denied("forbidden", "person")


def test_a_volunteer_books_for_a_neighbour_at_her_station() -> None:
    decided = given(*GUMEI).when(wish(person="wang"), by=VOLUNTEER).then_kinds(BookingConfirmed)
    assert (decided.told["person"], decided.told["booked_by"]) == ("wang", "zhou")


def test_the_envelope_says_who_asked_and_for_whom() -> None:
    recorded = given(*GUMEI).when(wish(person="wang"), by=VOLUNTEER).recorded[0]
    assert (recorded.actor, recorded.for_person, recorded.role, recorded.channel) == (
        "zhou",
        "wang",
        "volunteer",
        "desk",
    )


def test_the_envelope_names_nobody_where_one_asks_for_oneself() -> None:
    assert given(*GUMEI).when(wish(), by=LIN).recorded[0].for_person is None


def test_a_volunteer_books_nothing_at_another_station() -> None:
    given(*GUMEI).when(wish("parlour"), by=VOLUNTEER).then_denied("forbidden", "room")


def test_the_office_books_for_anyone_anywhere() -> None:
    given(*GUMEI).when(wish("parlour"), by=OFFICE).then_kinds(BookingRequested)


def test_staff_book_in_the_name_of_their_station() -> None:
    given(*GUMEI).when(wish(person=station_person("wanyuan-1")), by=STAFF).then_kinds(BookingConfirmed)


def test_staff_do_not_book_in_the_name_of_another_station() -> None:
    given(*GUMEI).when(wish(person=station_person("gulong-6")), by=STAFF).then_denied("forbidden", "person")


def test_a_volunteer_does_not_book_in_the_name_of_her_station() -> None:
    """That would be a booking without quota."""
    given(*GUMEI).when(wish(person=station_person("wanyuan-1")), by=VOLUNTEER).then_denied("forbidden", "person")


def test_nobody_is_known_by_a_name_that_fits_no_index() -> None:
    given(*GUMEI).when(wish(person="x" * 3_000), by=OFFICE).then_denied("not_valid", "person")


@pytest.mark.parametrize("units", [0, -1])
def test_there_is_no_booking_of_less_than_one_unit(units: int) -> None:
    """Minus one table would make room for four."""
    given(*GUMEI).when(wish(units=units), by=LIN).then_denied("not_valid", "units")


def test_a_slot_told_in_another_offset_is_kept_in_utc() -> None:
    plain = wish()
    start, end = plain.start.astimezone(SHANGHAI), plain.end.astimezone(SHANGHAI)
    elsewhere = RequestBooking(room="tribe", use="乒乓球", start=start, end=end, person="lin")
    given(*GUMEI).when(elsewhere, by=LIN).then(booked(plain, derived_id("ask")))


def test_a_slot_of_years_is_not_valid_and_reads_no_tag_for_each_of_its_days() -> None:
    ages = wish(end="2126-11-24 15:00")
    given(*GUMEI).when(ages, by=LIN).then_denied("not_valid", "end")
    asked = Ask(id="ask", command=ages, asker=LIN)
    assert given(*GUMEI).tags_of(asked, NOW) == {"subdistrict", "rules", "room:tribe"}


def test_a_slot_beyond_all_calendars_is_not_valid() -> None:
    start = datetime(9999, 12, 31, 23, tzinfo=UTC)
    beyond = RequestBooking(room="tribe", use="乒乓球", start=start, end=start + timedelta(minutes=59), person="lin")
    given(*GUMEI).when(beyond, by=LIN).then_denied("not_valid", "start")

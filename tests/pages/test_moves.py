"""A booking moved, extended and ended early on its pages, without a script; what was typed stays where it fails."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.pages.conftest import DESKTOP, PHONE, Visit, press
from tests.pages.station import Station
from tests.pages.test_book import at
from tests.pages.test_bookings import book, give_up

from booking.reservations.decide import CheckIn, RequestBooking


@pytest.mark.parametrize(("width", "day"), [(PHONE, 25), (DESKTOP, 26)])
def test_a_booking_is_moved_to_another_day_and_time(visit: Visit, station: Station, width: int, day: int) -> None:
    booking = book(station, "resident", day, 14)
    page = visit("resident", width=width)
    page.goto(f"/bookings/{booking}")
    press(page.get_by_role("link", name="调整预约"))
    page.get_by_label("日期").select_option(f"2026-11-{day + 2}")
    press(page.get_by_role("button", name="看有哪些时间"))
    page.get_by_label("16:00–17:00").check()
    press(page.get_by_role("button", name="改到这个时间"))
    assert page.get_by_role("status").inner_text() == "改好了"
    assert f"11月{day + 2}日" in page.locator(".facts").inner_text()
    assert "16:00–17:00" in page.locator(".facts").inner_text()
    assert f"改为11月{day + 2}日 16:00–17:00" in page.locator(".history").inner_text()
    give_up(station, booking)


def test_what_was_taken_meanwhile_is_told_and_another_room_is_a_tap_away(visit: Visit, station: Station) -> None:
    """What was chosen stays chosen; the booking stays as it was until something is."""
    booking = book(station, "resident", 27, 14)
    page = visit("resident")
    page.goto(f"/bookings/{booking}/reschedule?day=2026-11-28")
    page.get_by_label("10:00–11:00").check()
    other = all_of_it(station, "resident2", 28, 10)
    press(page.get_by_role("button", name="改到这个时间"))
    assert "没有改成，原来的预约还在" in page.get_by_role("alert").inner_text()
    assert "已被预约" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("日期").input_value() == "2026-11-28"
    offered = page.locator("form.slot")
    assert "11:00–12:00" in offered.all_inner_texts()[0] or "09:00–10:00" in offered.all_inner_texts()[0]
    elsewhere = offered.filter(has_not_text="星光字画坊").first
    room = elsewhere.locator(".soft").inner_text()
    press(elsewhere.get_by_role("button"))
    assert page.get_by_role("status").inner_text() == "改好了"
    assert room.split("·")[1] in page.locator(".facts").inner_text()
    give_up(station, booking)
    give_up(station, other)


def test_a_time_is_asked_for_where_none_was_chosen(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 29, 9)
    page = visit("resident", locale="en-GB")
    page.goto(f"/bookings/{booking}/reschedule?day=2026-11-30&minutes=120")
    press(page.get_by_role("button", name="Move it to this time"))
    assert page.locator(".error").inner_text() == "Choose a time."
    assert page.get_by_label("How long").input_value() == "120"
    assert page.get_by_label("Date").input_value() == "2026-11-30"
    assert page.get_by_label("10:00–12:00").count() == 1
    give_up(station, booking)


def test_staff_move_a_residents_booking_within_their_stations(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 30, 9)
    page = visit("staff")
    page.goto(f"/bookings/{booking}")
    press(page.get_by_role("link", name="调整预约"))
    page.get_by_label("10:00–11:00").check()
    press(page.get_by_role("button", name="改到这个时间"))
    assert "10:00–11:00" in page.locator(".facts").inner_text()
    give_up(station, booking)


def test_an_approved_one_that_moves_waits_anew_and_is_extended_by_staff(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 30, 14, "wanyuan-1-hall", "整场")
    page = visit("staff")
    page.goto(f"/bookings/{booking}")
    press(page.get_by_role("button", name="批准"))
    resident = visit("resident")
    resident.goto(f"/bookings/{booking}")
    assert resident.get_by_role("link", name="延长").count() == 0
    resident.goto(f"/bookings/{booking}/extend")
    assert "请找工作人员" in resident.get_by_role("alert").inner_text()
    resident.goto(f"/bookings/{booking}/reschedule")
    resident.get_by_label("16:00–17:00").check()
    press(resident.get_by_role("button", name="改到这个时间"))
    assert resident.get_by_role("status").inner_text() == "已提交，等工作人员批准"
    page.goto(f"/bookings/{booking}")
    press(page.get_by_role("button", name="批准"))
    press(page.get_by_role("link", name="延长"))
    page.get_by_label("18:00").check()
    press(page.get_by_role("button", name="延长"))
    assert page.get_by_role("status").inner_text() == "已延长"
    give_up(station, booking)


@pytest.mark.parametrize(("width", "day", "locale"), [(PHONE, 1, "zh-CN"), (DESKTOP, 2, "en-GB")])
def test_a_running_booking_is_extended_and_then_ended_early(
    visit: Visit, station: Station, width: int, day: int, locale: str
) -> None:
    """Last in this file: the clock moves, and does not go back."""
    words = {
        "zh-CN": ("延长", "提前结束", "已延长", "已提前结束", "已完成"),
        "en-GB": ("Extend", "End early", "Extended", "Ended early", "completed"),
    }[locale]
    begins = datetime(2026, 12, day, 6, 0, tzinfo=UTC)
    station.clock.move_to(begins.replace(hour=4))
    booking = book_at(station, "resident", begins)
    station.clock.move_to(begins)
    station.ask(CheckIn(booking=booking), "resident")
    page = visit("resident", width=width, locale=locale)
    page.goto(f"/bookings/{booking}")
    press(page.get_by_role("link", name=words[0]))
    page.get_by_label("16:00").check()
    press(page.get_by_role("button", name=words[0]))
    assert page.get_by_role("status").inner_text() == words[2]
    assert "14:00–16:00" in page.locator(".facts").inner_text()
    station.clock.move_to(begins.replace(minute=30))
    page.reload()
    press(page.get_by_role("link", name=words[1]))
    press(page.get_by_role("button", name=words[1]))
    assert page.get_by_role("status").inner_text() == words[3]
    assert "14:00–14:30" in page.locator(".facts").inner_text()
    assert words[4] in page.locator(".head").inner_text()
    assert page.locator("main .actions").locator("a, button").count() == 0


def book_at(station: Station, part: str, begins: datetime, units: int = 1) -> str:
    """Somebody's booking of an hour in the painting room; its id."""
    ends, person = begins + timedelta(hours=1), station.people[part]
    asked = RequestBooking(room="wanyuan-1-painting", use="书画", start=begins, end=ends, units=units, person=person)
    made: str = station.ask(asked, part)["id"]
    return made


def all_of_it(station: Station, part: str, day: int, hour: int) -> str:
    """Somebody's booking of all six desks; its id."""
    return book_at(station, part, at(day, hour), units=6)

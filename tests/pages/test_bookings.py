"""Bookings as people have them: mine, one with its code and history, and what can be done with it."""

from datetime import UTC, datetime

import pytest
from tests.pages.conftest import DESKTOP, PHONE, Visit, press
from tests.pages.station import Station
from tests.pages.test_book import at

from booking.reservations.decide import CancelBooking, RequestBooking


def book(station: Station, part: str, day: int, hour: int, room: str = "wanyuan-1-painting", use: str = "书画") -> str:
    """Somebody's booking; its id."""
    asked = RequestBooking(room=room, use=use, start=at(day, hour), end=at(day, hour + 1), person=station.people[part])
    made: str = station.ask(asked, part)["id"]
    return made


def give_up(station: Station, booking: str) -> None:
    """Leave the quota to the next test."""
    station.ask(CancelBooking(booking=booking, reason="other"))


@pytest.mark.parametrize(("width", "day"), [(PHONE, 25), (DESKTOP, 26)])
def test_a_booking_is_cancelled_and_its_history_says_who_did_what(
    visit: Visit, station: Station, width: int, day: int
) -> None:
    booking = book(station, "resident", day, 14)
    page = visit("resident", width=width)
    press(page.get_by_role("link", name="我的预约"))
    press(page.locator(f'a[href="/bookings/{booking}"]'))
    code = page.locator(".code").inner_text().replace(" ", "").lower()
    assert booking.startswith(code)
    press(page.get_by_role("link", name="取消预约"))
    page.get_by_label("身体不适").check()
    page.get_by_label("想说的话").fill("感冒了")
    press(page.get_by_role("button", name="取消预约"))
    assert page.get_by_role("status").inner_text() == "已取消"
    steps = page.locator(".history li").all_inner_texts()
    assert "已确认" in steps[0]
    assert "取消了预约。原因：身体不适。" in steps[1]
    assert "王秀英（居民），本人手机" in steps[1]
    assert "感冒了" in steps[1]
    assert page.get_by_role("link", name="取消预约").count() == 0


def test_a_cancelled_booking_stands_among_the_earlier_ones(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 27, 9)
    give_up(station, booking)
    page = visit("resident")
    page.goto("/me")
    earlier = page.locator("section", has=page.get_by_role("heading", name="以前的"))
    assert earlier.locator(f'a[href="/bookings/{booking}"]').count() == 1


def test_who_has_no_booking_is_shown_the_way_to_one(visit: Visit) -> None:
    page = visit("resident2")
    page.goto("/me")
    press(page.get_by_role("link", name="去约一个"))
    assert page.url.endswith("/")


def test_another_s_booking_is_as_good_as_none(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 27, 10)
    page = visit("resident2")
    known, unknown = page.goto(f"/bookings/{booking}"), page.goto("/bookings/00000000000000000000")
    assert known is not None
    assert unknown is not None
    assert (known.status, unknown.status) == (404, 404)
    give_up(station, booking)


def test_a_reason_that_is_none_is_asked_for_again(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 27, 11)
    page = visit("resident")
    page.goto(f"/bookings/{booking}/cancel")
    token = page.locator('input[name="_csrf_token"]').first.get_attribute("value") or ""
    answer = page.request.post(f"/bookings/{booking}/cancel", form={"reason": "whim", "_csrf_token": token})
    assert answer.status == 400
    assert "请选一个原因。" in answer.text()
    give_up(station, booking)


def test_staff_approve_one_request_and_reject_another(visit: Visit, station: Station) -> None:
    wanted = [book(station, "resident", 28, hour, "wanyuan-1-hall", "整场") for hour in (10, 14)]
    page = visit("staff")
    page.goto(f"/bookings/{wanted[0]}")
    press(page.get_by_role("button", name="批准"))
    assert page.get_by_role("status").inner_text() == "已批准"
    page.goto(f"/bookings/{wanted[1]}")
    press(page.get_by_role("link", name="不批准"))
    page.get_by_label("站点另有安排").check()
    press(page.get_by_role("button", name="不批准这个预约"))
    assert "未获批准" in page.locator("main").inner_text()
    resident = visit("resident")
    resident.goto(f"/bookings/{wanted[1]}")
    last = resident.locator(".history li").last.inner_text()
    assert "站点另有安排" in last
    assert "张敏" not in last, "a resident sees that staff decided, not who of them"
    give_up(station, wanted[0])


def test_an_auditor_sees_what_happened_and_can_change_nothing(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 28, 9)
    page = visit("auditor")
    page.goto(f"/bookings/{booking}")
    assert "王秀英（居民）" in page.locator(".history").inner_text()
    assert page.locator("main .actions").locator("a, button").count() == 0
    give_up(station, booking)


def test_it_is_checked_in_when_it_is_time_and_not_before(visit: Visit, station: Station) -> None:
    """Last in this file: the clock moves, and does not go back."""
    booking = book(station, "resident", 29, 14)
    page = visit("resident")
    page.goto(f"/bookings/{booking}")
    assert "13:45 起可以签到" in page.locator("main").inner_text()
    assert page.get_by_role("button", name="我来了，签到").count() == 0
    station.clock.move_to(datetime(2026, 11, 29, 5, 50, tzinfo=UTC))
    page.reload()
    assert "现在可以签到，最晚到 14:15" in page.locator("main").inner_text()
    press(page.get_by_role("button", name="我来了，签到"))
    assert page.get_by_role("status").inner_text() == "签到成功"
    station.clock.move_to(datetime(2026, 11, 29, 7, 0, tzinfo=UTC))
    page.goto(f"/bookings/{booking}")
    assert "已完成" in page.locator(".head").inner_text()

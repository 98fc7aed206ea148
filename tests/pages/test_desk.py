"""The desk of a station: who comes today, checking in, and closing a room after a look at what that cancels."""

from datetime import UTC, datetime

import pytest
from tests.pages.conftest import DESKTOP, PHONE, Visit, press
from tests.pages.station import Station
from tests.pages.test_bookings import book, give_up


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_staff_close_a_room_once_they_have_seen_whom_that_cancels(visit: Visit, station: Station, width: int) -> None:
    day = 25 if width == PHONE else 26
    booking = book(station, "resident", day, 14, "gulong-6-dance", "瑜伽")
    page = visit("staff", width=width)
    page.goto(f"/rooms/gulong-6-dance?day=2026-11-{day}")
    press(page.get_by_role("link", name="关闭活动室"))
    page.get_by_label("时间").first.fill("13:00")
    page.get_by_label("安全原因").check()
    press(page.get_by_role("button", name="先看看会取消谁的预约"))
    listed = page.locator(".agenda li").all_inner_texts()
    assert ["14:00–15:00" in row and "王秀英" in row for row in listed] == [True]
    before = visit("resident")
    before.goto(f"/bookings/{booking}")
    assert "已确认" in before.locator(".head").inner_text(), "a look cancels nothing"
    press(page.get_by_role("button", name="确定关闭"))
    assert "不开放" in page.locator(".run", has=page.get_by_text("13:00")).inner_text()
    before.reload()
    assert "活动室暂停开放" in before.locator(".history").inner_text()


def test_a_closure_can_be_thought_over_and_keeps_what_was_typed(visit: Visit) -> None:
    page = visit("staff")
    page.goto("/rooms/gulong-6-ink/close?day=2026-11-27")
    page.get_by_label("说明").fill("换灯")
    press(page.get_by_role("button", name="先看看会取消谁的预约"))
    assert "没有预约受影响" in page.locator("main").inner_text()
    press(page.get_by_role("button", name="再改改"))
    assert page.get_by_label("说明").input_value() == "换灯"


def test_an_end_before_the_start_is_said_beside_the_end(visit: Visit) -> None:
    page = visit("staff")
    page.goto("/rooms/gulong-6-ink/close?day=2026-11-27")
    page.get_by_label("时间").last.fill("08:00")
    press(page.get_by_role("button", name="先看看会取消谁的预约"))
    assert page.locator("#to_time-error").inner_text() == "结束要晚于开始。"


@pytest.mark.parametrize("part", ["resident", "volunteer", "auditor", None])
def test_who_may_not_close_a_room_cannot_open_the_form(visit: Visit, part: str | None) -> None:
    answer = visit(part).goto("/rooms/gulong-6-ink/close")
    assert answer is not None
    assert answer.status == (401 if part is None else 403)


def test_no_resident_sees_who_else_comes(visit: Visit) -> None:
    page = visit("resident")
    for address in ("/desk", "/rooms/gulong-6-ink/agenda"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403


def test_a_volunteer_finds_a_booking_by_the_code_that_is_read_out(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 27, 14)
    page = visit("volunteer")
    press(page.get_by_role("link", name="服务台"))
    page.get_by_label("邻居报的预约号").fill(f"{booking[:4]} {booking[4:8]}")
    press(page.get_by_role("button", name="查一下"))
    assert page.url.endswith(f"/bookings/{booking}")
    page.goto("/desk?code=XXXXXXXX")
    assert page.locator("#code-error").inner_text() == "没有这个号，请再核对一下。"
    give_up(station, booking)


def test_an_auditor_finds_every_booking_and_has_no_button(visit: Visit, station: Station) -> None:
    booking = book(station, "resident", 24, 14)
    page = visit("auditor")
    press(page.get_by_role("link", name="服务台"))
    row = page.locator(".agenda li", has=page.locator(f'a[href="/bookings/{booking}"]'))
    assert row.get_by_role("button").count() == 0
    press(row.get_by_role("link"))
    assert "王秀英（居民）" in page.locator(".history").inner_text()
    give_up(station, booking)


def test_a_volunteer_checks_in_who_is_on_today_s_list(visit: Visit, station: Station) -> None:
    """Last in this file: the clock moves, and does not go back."""
    booking = book(station, "resident", 24, 15)
    page = visit("volunteer")
    page.goto("/desk")
    row = page.locator(".agenda li", has=page.locator(f'a[href="/bookings/{booking}"]'))
    assert "王秀英" in row.inner_text()
    assert row.get_by_role("button").count() == 0
    station.clock.move_to(datetime(2026, 11, 24, 6, 50, tzinfo=UTC))
    page.goto("/rooms/wanyuan-1-painting/agenda?day=2026-11-24")
    press(row.get_by_role("button", name="签到"))
    assert page.get_by_role("status").inner_text() == "签到成功"
    assert "陈美华（志愿者），服务台" in page.locator(".history").inner_text()

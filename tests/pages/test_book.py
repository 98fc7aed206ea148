"""Asking for a slot: it is booked once and leaves the grid; where it cannot be had, every reason and what can."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from playwright.sync_api import Page
from tests.pages.conftest import DESKTOP, PHONE, Visit, press
from tests.pages.station import Station

from booking import log
from booking.reservations.decide import RequestBooking, station_person

ROOM = "/rooms/wanyuan-1-vitality?use=乒乓球"
ZONE = ZoneInfo("Asia/Shanghai")


def at(day: int, hour: int) -> datetime:
    """An instant of November 2026 at the station."""
    return datetime(2026, 11, day, hour, tzinfo=ZONE)


def left(page: Page, day: int, slot: str) -> str:
    """What the grid says of a slot."""
    page.goto(f"{ROOM}&day=2026-11-{day}")
    return page.locator(".slot, .run", has=page.get_by_text(slot)).inner_text()


def take(
    station: Station, day: int, hour: int, units: int, room: str = "wanyuan-1-vitality", use: str = "乒乓球"
) -> None:
    """The station itself holds units of a slot."""
    station.ask(
        RequestBooking(
            room=room,
            use=use,
            start=at(day, hour),
            end=at(day, hour + 1),
            units=units,
            person=station_person("wanyuan-1"),
        )
    )


@pytest.mark.parametrize(("width", "day"), [(PHONE, 25), (DESKTOP, 26)])
def test_a_table_is_found_booked_and_leaves_the_grid(visit: Visit, width: int, day: int) -> None:
    page = visit("resident", width=width)
    press(page.get_by_role("link", name="乒乓球", exact=True))
    press(page.get_by_role("link", name="活力·星部落"))
    press(page.locator(f'a[href$="day=2026-11-{day}"]').first)
    press(page.locator("a.slot", has=page.get_by_text("14:00–15:00")))
    page.get_by_label("2", exact=True).check()
    page.get_by_label("打算做什么").fill("和老同事打球")
    press(page.get_by_role("button", name="就约这个"))
    assert page.get_by_role("status").inner_text() == "约好了"
    assert "和老同事打球" in page.locator("dl").inner_text()
    assert "还有 1 份" in left(page, day, "14:00–15:00")
    press(page.get_by_role("link", name="我的预约"))
    assert f"11月{day}日" in page.locator(".bookings").first.inner_text()


def test_a_form_that_is_sent_twice_books_once(visit: Visit) -> None:
    page = visit("resident2")
    page.goto(f"{ROOM}&day=2026-11-27")
    press(page.locator("a.slot", has=page.get_by_text("09:00–10:00")))
    fields = page.locator('form[action$="/book"] input[type="hidden"]').all()
    sent: dict[str, str | float | bool] = {
        field.get_attribute("name") or "": field.get_attribute("value") or "" for field in fields
    }
    sent |= {"end": at(27, 10).isoformat(), "units": "1", "attendees": "", "purpose": ""}
    action = "/rooms/wanyuan-1-vitality/book"
    twice = [page.request.post(action, form=sent, max_redirects=0) for _ in range(2)]
    assert [answer.status for answer in twice] == [303, 303]
    assert twice[0].headers["location"] == twice[1].headers["location"]
    assert "还有 2 份" in left(page, 27, "09:00–10:00")


def test_what_was_taken_meanwhile_is_refused_and_another_time_is_a_tap_away(visit: Visit, station: Station) -> None:
    page = visit("resident2")
    page.goto(f"{ROOM}&day=2026-11-28")
    press(page.locator("a.slot", has=page.get_by_text("10:00–11:00")))
    take(station, 28, 10, units=3)
    press(page.get_by_role("button", name="就约这个"))
    assert page.get_by_role("heading", level=1).inner_text() == "没有约上"
    assert "已被预约：共 3 份，这段时间已约出 3 份。" in page.get_by_role("alert").inner_text()
    nearest = page.locator("a.slot").first
    assert "11月28日" in nearest.inner_text()
    press(nearest)
    press(page.get_by_role("button", name="就约这个"))
    assert page.get_by_role("status").inner_text() == "约好了"


def test_without_an_answer_in_time_the_same_form_once_more_books_once(visit: Visit, station: Station) -> None:
    """Somebody holds the log's lock for longer than people wait."""
    page = visit("resident")
    page.goto(f"{ROOM}&day=2026-12-02")
    press(page.locator("a.slot").first)
    holder = station.call(lambda: hold_the_lock(station))
    press(page.get_by_role("button", name="就约这个"))
    assert "请再按一次，同一个预约不会约两次。" in page.locator("main").inner_text()
    station.call(holder.close)
    press(page.get_by_role("button", name="再试一次"))
    assert page.get_by_role("status").inner_text() == "约好了"
    grid = visit()
    grid.goto(f"{ROOM}&day=2026-12-02")
    assert "还有 2 份" in grid.locator(".slot").first.inner_text()


async def hold_the_lock(station: Station) -> "asyncpg.Connection[Any]":
    """A connection that has the log to itself until it is closed."""
    connection = await asyncpg.connect(station.database.superuser)
    await log.begin_and_lock(connection, station.settings.subdistrict)
    return connection


def test_a_full_slot_says_so_in_the_grid_and_its_address_offers_others(visit: Visit, station: Station) -> None:
    take(station, 29, 15, units=3)
    page = visit("resident2")
    said = left(page, 29, "15:00–16:00")
    assert "约满" in said
    assert "已被预约：共 3 份，这段时间已约出 3 份。" in said
    page.goto(f"/rooms/wanyuan-1-vitality/book?use=乒乓球&start={at(29, 15).isoformat().replace('+', '%2B')}")
    assert page.get_by_role("heading", level=1).inner_text() == "没有约上"
    assert page.locator("a.slot").count() > 0


def test_what_is_wrong_stands_beside_its_field_and_the_rest_stays_as_typed(visit: Visit) -> None:
    page = visit("resident2")
    page.goto(f"{ROOM}&day=2026-11-30")
    press(page.locator("a.slot").first)
    page.get_by_label("来几个人").fill("很多")
    page.get_by_label("打算做什么").fill("练发球")
    press(page.get_by_role("button", name="就约这个"))
    wrong = page.get_by_label("来几个人")
    assert (wrong.get_attribute("aria-invalid"), wrong.input_value()) == ("true", "很多")
    assert page.locator(f"#{wrong.get_attribute('aria-describedby')}").inner_text() == "请写数字，比如 4。"
    assert page.get_by_label("打算做什么").input_value() == "练发球"


def test_a_use_that_needs_approval_says_so_before_and_after(visit: Visit) -> None:
    page = visit("resident2")
    page.goto("/rooms/wanyuan-1-hall?use=整场&day=2026-11-30")
    press(page.locator("a.slot").first)
    press(page.get_by_role("button", name="提交，等工作人员批准"))
    assert page.get_by_role("status").inner_text() == "已提交，等工作人员批准"
    assert "待审核" in page.locator("main").inner_text()


def test_staff_book_in_the_name_of_their_station(visit: Visit) -> None:
    page = visit("staff")
    page.goto(f"{ROOM}&day=2026-12-01")
    press(page.locator("a.slot").first)
    press(page.get_by_role("button", name="就约这个"))
    assert "万源一居" in page.locator("dl").inner_text()


@pytest.mark.parametrize("part", [None, "volunteer", "auditor"])
def test_who_may_not_book_is_offered_nothing_to_book(visit: Visit, part: str | None) -> None:
    page = visit(part)
    page.goto(f"{ROOM}&day=2026-11-30")
    assert page.locator(".slot").count() > 0
    assert page.locator("a.slot").count() == 0


@pytest.mark.parametrize("start", ["", "noon", "2026-11-30T10:00:00", "9999-12-31T23:00:00+08:00"])
def test_an_address_that_names_no_instant_is_a_page_that_says_so(visit: Visit, start: str) -> None:
    page = visit("resident")
    answer = page.goto(f"/rooms/wanyuan-1-vitality/book?use=乒乓球&start={start.replace('+', '%2B')}")
    assert answer is not None
    assert answer.status == 400
    assert page.get_by_role("link", name="回到首页").count() == 1

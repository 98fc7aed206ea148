"""What there is and what is free: stations, what one can do, a room and its day with words for why not."""

import pytest
from tests.pages.conftest import DESKTOP, PHONE, Visit, press
from tests.pages.station import Station
from tests.pages.test_book import at

from booking.places.decide import CloseRoom, ReopenRoom


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_first_page_shows_every_station_with_its_power_and_theme(visit: Visit, width: int) -> None:
    page = visit(width=width)
    page.goto("/")
    cards = page.locator('a[href^="/stations/"]').all_inner_texts()
    assert len(cards) == 6
    found = next(card for card in cards if "万源一居" in card)
    assert "青春智慧·创新创造力" in found
    assert "乒乓球" in found


def test_a_station_shows_its_spaces_rooms_and_uses(visit: Visit) -> None:
    page = visit()
    page.goto("/stations/wanyuan-1")
    assert page.get_by_role("heading", level=2).all_inner_texts() == ["星乐邻", "星创造", "星·艺趣"]
    card = page.locator(".card", has=page.get_by_role("heading", name="活力·星部落"))
    assert card.get_by_role("link").all_inner_texts() == ["乒乓球", "桌球"]


def test_a_station_without_rooms_shows_the_way_to_others(visit: Visit) -> None:
    page = visit()
    page.goto("/stations/gumei-4")
    assert "这里还没有可以约的活动室" in page.locator("main").inner_text()


def test_what_one_can_do_leads_to_every_room_with_its_next_free_time(visit: Visit) -> None:
    page = visit()
    page.goto("/uses/书画")
    rooms = page.locator(".cards .card").all_inner_texts()
    assert {room.split("\n")[1] for room in rooms} == {"书画美育室", "星光字画坊", "墨香文化坊"}
    assert all("最近能约的：11月24日 周二 10:00–11:00" in room for room in rooms)


def test_a_room_in_several_uses_shows_one_at_a_time(visit: Visit) -> None:
    page = visit()
    page.goto("/rooms/wanyuan-1-vitality")
    assert page.locator('nav [aria-current="page"]').inner_text() == "乒乓球"
    press(page.get_by_role("link", name="桌球"))
    assert page.locator('nav [aria-current="page"]').inner_text() == "桌球"


def test_the_grid_says_of_each_slot_why_it_cannot_be_had(visit: Visit) -> None:
    """At half past nine, the slot that runs is over for booking; the last day of the strip is released already."""
    page = visit()
    page.goto("/rooms/wanyuan-1-vitality?use=乒乓球&day=2026-11-24")
    first = page.locator(".run").first.inner_text()
    assert "09:00–10:00" in first
    assert "已过" in first
    assert "这个时段已经开始或已过去。" in first
    assert page.locator(".days li").count() == 15
    assert page.locator('.days [aria-current="date"]').inner_text().split() == ["今天", "24", "余", "11"]


def test_one_goes_from_day_to_day_and_no_further_than_the_rules(visit: Visit) -> None:
    page = visit()
    page.goto("/rooms/wanyuan-1-vitality?day=2026-12-08")
    assert page.get_by_role("link", name="后一天").count() == 0
    press(page.get_by_role("link", name="前一天"))
    assert page.get_by_role("heading", name="12月7日 周一").count() == 1


@pytest.mark.parametrize("day", ["", "soon", "1999-01-01", "2026-02-30", "9999-12-31"])
def test_a_day_that_the_grid_has_not_shows_today(visit: Visit, day: str) -> None:
    page = visit()
    page.goto(f"/rooms/wanyuan-1-vitality?day={day}")
    assert page.get_by_role("heading", name="11月24日 周二").count() == 1


def test_a_closed_day_says_why_and_when_the_next_free_one_is(visit: Visit, station: Station) -> None:
    closed = {"start": at(26, 0), "end": at(28, 0)}
    station.ask(CloseRoom(room="wanyuan-1-park", reason="holiday", **closed))
    page = visit()
    page.goto("/rooms/wanyuan-1-park?day=2026-11-26")
    assert "这段时间活动室暂停开放，11月28日 00:00 起恢复。" in page.locator("main").inner_text()
    assert page.locator('.days [aria-current="date"]').inner_text().split()[-1] == "不开放"
    press(page.get_by_role("link", name="最近能约：11月28日 周六"))
    assert page.locator(".slot").count() > 0
    station.ask(ReopenRoom(room="wanyuan-1-park", **closed))


@pytest.mark.parametrize("address", ["/stations/none", "/rooms/none", "/uses/none", "/rooms/wanyuan-1-hall?use=none"])
def test_what_there_is_not_is_a_page_that_says_so(visit: Visit, address: str) -> None:
    page = visit()
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404
    assert page.get_by_role("heading", level=1).inner_text() == "没有找到"

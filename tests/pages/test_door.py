"""The door: who one is in the demo, the way out, and the language."""

import httpx
import pytest
from tests.pages.conftest import DESKTOP, PHONE, Visit, press
from tests.pages.station import PEOPLE, Station


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_role_is_picked_at_the_door_and_left_again(visit: Visit, width: int) -> None:
    page = visit("resident", width=width)
    assert "您是 王秀英（居民）" in page.locator("footer").inner_text()
    assert page.locator("#door").count() == 0
    press(page.get_by_role("button", name="换一个身份"))
    assert page.locator("#door button").count() == len(PEOPLE)


@pytest.mark.parametrize(("part", "role", "name", "stations"), PEOPLE)
def test_whoever_one_picks_one_is(visit: Visit, part: str, role: str, name: str, stations: tuple[str, ...]) -> None:
    assert name in visit(part).locator("footer").inner_text()


def test_somebody_who_is_no_part_of_the_demo_cannot_be_picked(visit: Visit, station: Station) -> None:
    page = visit()
    page.goto("/")
    token = page.locator('input[name="_csrf_token"]').first.get_attribute("value") or ""
    answer = page.request.post("/enter", form={"as": "mayor", "_csrf_token": token}, max_redirects=0)
    assert answer.status == 404


def test_a_form_from_elsewhere_is_not_taken(station: Station) -> None:
    """Without the token of a page of ours nobody is signed in."""
    answer = httpx.post(f"{station.url}/enter", data={"as": "resident"})
    assert (answer.status_code, "linyue_session" in answer.cookies) == (403, False)
    assert answer.headers["content-type"].startswith("text/html")


def test_another_language_shows_the_same_page_and_stays(visit: Visit) -> None:
    page = visit("resident")
    page.goto("/rooms/wanyuan-1-vitality?use=乒乓球&day=2026-11-26")
    press(page.get_by_role("link", name="English"))
    assert "day=2026-11-26" in page.url
    assert page.get_by_role("heading", name="Thu 26 Nov").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    page.goto("/me")
    assert page.get_by_role("heading", name="My bookings").count() == 1
    press(page.get_by_role("link", name="中文"))
    assert page.get_by_role("heading", name="我的预约").count() == 1


def test_a_browser_that_asks_for_english_gets_it(visit: Visit) -> None:
    page = visit(locale="en-GB")
    page.goto("/")
    assert page.get_by_role("heading", level=1).inner_text() == "What would you like to do today?"


@pytest.mark.parametrize(
    "back", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "\t/x", ""]
)
def test_the_way_back_from_a_choice_of_language_stays_here(station: Station, back: str) -> None:
    answer = httpx.get(f"{station.url}/language", params={"to": "en", "back": back})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")

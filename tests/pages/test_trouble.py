"""What went wrong is a page too: what it means in plain words, and the way on."""

import httpx
from tests.pages.conftest import Visit, press
from tests.pages.station import Station


def test_an_address_that_is_none_is_a_page_for_people_and_a_problem_for_programs(
    visit: Visit, station: Station
) -> None:
    page = visit("resident")
    answer = page.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    press(page.get_by_role("link", name="回到首页"))
    assert page.url == f"{station.url}/"
    program = httpx.get(f"{station.url}/api/v1/nowhere")
    assert program.headers["content-type"] == "application/problem+json"


def test_who_is_nobody_is_shown_the_way_to_the_door(visit: Visit) -> None:
    page = visit()
    answer = page.goto("/me")
    assert answer is not None
    assert answer.status == 401
    assert "请先在首页选一个身份" in page.locator("main").inner_text()
    press(page.locator("footer").get_by_role("link", name="选一个身份"))
    assert page.locator("#door button").count() == 6


def test_a_page_that_went_wrong_keeps_its_language_and_its_headers(station: Station) -> None:
    answer = httpx.get(f"{station.url}/rooms/none", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.headers["content-language"]) == (404, "en")
    assert "Not found" in answer.text
    assert "script-src 'none'" in answer.headers["content-security-policy"]


def test_a_form_that_was_open_for_too_long_says_so(station: Station) -> None:
    answer = httpx.post(f"{station.url}/rooms/gulong-6-ink/book", data={"start": "x"})
    assert answer.status_code == 403
    assert "这一页放得太久了" in answer.text

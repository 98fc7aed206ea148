"""Every page is for everybody: no barrier that axe knows, large text, large targets, one column on a phone."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.pages.conftest import DESKTOP, PHONE, Visit
from tests.pages.station import Station
from tests.pages.test_book import at
from tests.pages.test_bookings import book

from booking.places.decide import CloseRoom
from linyue.pages.language import COOKIE
from linyue.words import TAGS, Language

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
TEXT_PIXELS_MIN = 18
TARGET_PIXELS_MIN = 48
LOOKS: tuple[tuple[Language, int, Literal["light", "dark"]], ...] = (
    ("zh", PHONE, "light"),
    ("en", PHONE, "dark"),
    ("zh", DESKTOP, "dark"),
    ("en", DESKTOP, "light"),
)
# Whoever looks, and at what; {booking} is a resident's.
PAGES = (
    (None, "/"),
    (None, "/nowhere"),
    (None, "/stations/gulong-6"),
    (None, "/stations/gumei-4"),
    (None, "/uses/书画"),
    ("resident", "/"),
    ("resident", "/rooms/wanyuan-1-vitality?use=乒乓球"),
    ("resident", "/rooms/pingji-5-tea?day=2026-11-26"),
    ("resident", "/rooms/wanyuan-1-vitality/book?use=乒乓球&start=2026-11-25T10:00:00%2B08:00"),
    ("resident", "/rooms/wanyuan-1-vitality/book?use=乒乓球&start=2026-11-24T09:00:00%2B08:00"),
    ("resident", "/me"),
    ("resident2", "/me"),
    ("resident", "/bookings/{booking}"),
    ("resident", "/bookings/{booking}/cancel"),
    ("volunteer", "/desk"),
    ("staff", "/rooms/wanyuan-1-painting/agenda?day=2026-11-24"),
    ("staff", "/rooms/wanyuan-1-painting/close"),
    ("auditor", "/bookings/{booking}"),
)

# The smallest text that is seen, by its size in pixels.
SMALLEST = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const box = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (text && box.checkVisibility()) found.push([parseFloat(getComputedStyle(box).fontSize), text]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
}"""
# Whatever is tapped and is lower than it should be; a radio button is tapped by its label.
LOW = """(least) => [...document.querySelectorAll("a, button, input, select, textarea, label:has(input)")]
  .filter(one => one.checkVisibility() && one.type !== "hidden" && !one.matches(".skip, label input"))
  .map(one => [one.outerHTML.slice(0, 120), one.getBoundingClientRect().height])
  .filter(([, height]) => height < least)"""


@pytest.fixture(scope="module")
def booking(station: Station) -> str:
    """A booking of the resident's today, another to be cancelled, and a room that is closed on a day."""
    station.ask(CloseRoom(room="pingji-5-tea", start=at(26, 0), end=at(27, 0), reason="cleaning"))
    book(station, "resident", 26, 10)
    return book(station, "resident", 24, 15)


@pytest.mark.parametrize(("part", "address"), PAGES)
def test_no_page_has_a_barrier(visit: Visit, station: Station, booking: str, part: str | None, address: str) -> None:
    page = visit(part, scripts=True)
    for language, width, scheme in LOOKS:
        page.context.add_cookies([{"name": COOKIE, "value": language, "url": station.url}])
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        page.goto(address.format(booking=booking))
        assert page.locator("html").get_attribute("lang") == TAGS[language]
        results = Axe().run(page, options=WCAG)
        assert results.violations_count == 0, results.generate_report()
        assert sizes(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def sizes(page: Page) -> list[object]:
    """What is smaller than it should be."""
    smallest, low = page.evaluate(SMALLEST), page.evaluate(LOW, TARGET_PIXELS_MIN)
    return [*([smallest] if smallest[0] < TEXT_PIXELS_MIN else []), *low]


def test_each_page_has_one_main_heading_and_a_way_past_the_head(visit: Visit) -> None:
    page = visit("resident")
    page.goto("/rooms/wanyuan-1-vitality")
    assert page.get_by_role("heading", level=1).count() == 1
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "跳到正文"

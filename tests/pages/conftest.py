"""A real browser before a real service: scripts are off, as no page needs one; nothing is loaded from elsewhere."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright
from tests.conftest import cloned
from tests.pages.station import Station

NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root there is no sandbox to be had; the others keep Chromium from asking anybody anything.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WAIT_MILLISECONDS = 15_000
PHONE, DESKTOP = 390, 1280

Visit = Callable[..., Page]


def chromium() -> str:
    """Where Chromium is; fails where it is not, as no page test may be skipped in silence."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail(
            "The page tests need Chromium: install it (apt-get install chromium fonts-noto-cjk), or set CHROMIUM."
        )
    return found


@pytest.fixture(scope="module")
def station(postgres_socket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Gumei, for the tests of one file."""
    with cloned(postgres_socket) as database, Station(database, tmp_path_factory.mktemp("data")) as found:
        yield found


# Not for the whole run: while Playwright's own loop runs in this thread, no asynchronous test can.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser, station: Station) -> Iterator[Visit]:
    """Opens pages as somebody: `page = visit("resident")`. Whatever was asked of another host fails the test."""
    contexts: list[BrowserContext] = []
    elsewhere: list[str] = []

    def open_page(
        part: str | None = None,
        *,
        width: int = PHONE,
        scripts: bool = False,
        locale: str = "zh-CN",
        scheme: str = "light",
    ) -> Page:
        context = browser.new_context(
            base_url=station.url,
            viewport={"width": width, "height": 844},
            java_script_enabled=scripts,
            locale=locale,
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        contexts.append(context)
        context.set_default_timeout(WAIT_MILLISECONDS)
        page = context.new_page()
        page.on(
            "request", lambda request: elsewhere.append(request.url) if _is_elsewhere(request.url, station) else None
        )
        if part:
            page.goto("/")
            press(page.locator(f'form:has(input[value="{part}"]) button'))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []


def press(what: Locator) -> None:
    """Press what leads to another page, and wait until that one is there."""
    with what.page.expect_navigation():
        what.click()


def _is_elsewhere(url: str, station: Station) -> bool:
    return urlsplit(url).netloc != urlsplit(station.url).netloc

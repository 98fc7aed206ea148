"""Takes a picture of every page in both languages, at 390 and 1280 px, by day and by night: `make screenshots`.

A demo of its own starts on a clock of its own, at ten to one on a Tuesday, and is ended again. The pictures go to the
folder that is named (build/screenshots), to be looked at before a change of the pages is called done.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, sync_playwright

CLOCK = "2026-11-24T12:50:00+08:00"
START_SECONDS_MAX = 180.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Look = tuple[str, int, Literal["light", "dark"]]
LOOKS: list[Look] = [
    (locale, width, scheme) for locale in ("zh-CN", "en-GB") for width in (390, 1280) for scheme in SCHEMES
]
ROOM = "/rooms/wanyuan-1-vitality"
BOOK = f"{ROOM}/book?use=乒乓球&start="
# The name of a picture, who looks, and at what.
PAGES = (
    ("home-door", None, "/"),
    ("home", "resident", "/"),
    ("station", None, "/stations/wanyuan-1"),
    ("station-empty", None, "/stations/gumei-4"),
    ("use", "resident", "/uses/书画"),
    ("room-day", "resident", f"{ROOM}?use=乒乓球&day=2026-11-24"),
    ("room-half-hours", "resident", "/rooms/wanyuan-1-sharing?day=2026-11-25"),
    ("room-full-day", "resident", f"{ROOM}?use=桌球&day=2026-11-26"),
    ("room-closed-day", "resident", "/rooms/wanyuan-1-park?day=2026-11-27"),
    ("book", "resident", f"{BOOK}2026-12-05T14:00:00%2B08:00"),
    ("refused", "resident", f"{BOOK}2026-11-24T15:00:00%2B08:00"),
    ("my-bookings", "resident", "/me"),
    ("booking", "resident", "{booking}"),
    ("cancel", "resident", "{booking}/cancel"),
    ("reschedule", "resident", "{booking}/reschedule"),
    ("extend", "resident", "{booking}/extend"),
    ("desk", "volunteer", "/desk"),
    ("agenda", "staff", f"{ROOM}/agenda?day=2026-11-24"),
    ("close", "staff", f"{ROOM}/close?day=2026-11-25"),
    ("history", "auditor", "{booking}"),
    ("not-found", None, "/nowhere"),
)


def main(folder: Path) -> int:
    """Start the demo, take the pictures, end it; the exit code."""
    chromium = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not chromium:
        print("Chromium is missing: apt-get install chromium fonts-noto-cjk, or set CHROMIUM.", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        booking = prepare(browser, url)
        for look in LOOKS:
            for name, part, address in PAGES:
                page = opened(browser, url, part, look)
                page.goto(address.format(booking=booking))
                page.screenshot(path=folder / f"{name}-{look[0][:2]}-{look[1]}-{look[2]}.png", full_page=True)
                page.context.close()
        day = opened(browser, url, "resident", pixels=2)
        day.goto(f"{ROOM}?use=乒乓球&day=2026-11-24")
        afternoon = day.locator(".parts > section").nth(1).bounding_box()
        assert afternoon is not None
        clip = {"x": 0, "y": 0, "width": 390, "height": afternoon["y"] + afternoon["height"] + 18}
        day.screenshot(path=folder / "day.png", clip=clip, full_page=True)  # type: ignore[arg-type]
        browser.close()
    print(f"{len(LOOKS) * len(PAGES)} pictures in {folder}; day.png is the README's, before it was made smaller")
    return 0


def prepare(browser: Browser, url: str) -> str:
    """A day with what is over, full, closed and free; a full day, a closed one; and a booking, whose address it is."""
    staff = opened(browser, url, "staff")
    book_up(staff, f"{ROOM}?use=乒乓球&day=2026-11-24", "15:00–16:00")
    book_up(staff, f"{ROOM}?use=桌球&day=2026-11-26", "")
    close(staff, ROOM, "2026-11-24", "16:00", "17:00")
    close(staff, "/rooms/wanyuan-1-park", "2026-11-27", "00:00", "23:59")
    staff.context.close()
    resident = opened(browser, url, "resident")
    address = own_booking(resident)
    resident.context.close()
    return address


def own_booking(page: Page) -> str:
    """The address of a booking that lies ahead; one is made where there is none."""
    page.goto("/me")
    ahead = page.locator('section[aria-labelledby="now-title"] a.booking')
    if ahead.count():
        return ahead.last.get_attribute("href") or ""
    page.goto(f"{ROOM}?use=乒乓球&day=2026-11-25")
    press(page.locator("a.slot").last)
    page.get_by_label("打算做什么").fill("和老同事打球")
    press(page.locator("form.form button"))
    return urlsplit(page.url).path


def book_up(page: Page, day: str, slot: str) -> None:
    """Take whatever is free of a slot, or of the whole day, for as long and as many as there are."""
    while True:
        page.goto(day)
        free = page.locator("a.slot", has=page.get_by_text(slot)) if slot else page.locator("a.slot")
        if not free.count():
            return
        press(free.first)
        for name in ("units",) if slot else ("units", "end"):
            if page.locator(f'input[name="{name}"]').count():
                page.locator(f'input[name="{name}"]').last.check()
        press(page.locator("form.form button"))


def close(page: Page, room: str, day: str, since: str, until: str) -> None:
    """Close a room on its page."""
    page.goto(f"{room}/close?day={day}")
    page.locator("#from_time").fill(since)
    page.locator("#to_time").fill(until)
    press(page.locator('button[value="look"]'))
    press(page.locator('button[value="close"]'))


def opened(
    browser: Browser, url: str, part: str | None, look: Look = ("zh-CN", 390, "light"), pixels: float = 1
) -> Page:
    """A page as somebody sees it, without scripts."""
    locale, width, scheme = look
    context = browser.new_context(
        base_url=url,
        java_script_enabled=False,
        viewport={"width": width, "height": 844},
        locale=locale,
        color_scheme=scheme,
        device_scale_factor=pixels,
    )
    page = context.new_page()
    if part:
        page.goto("/")
        press(page.locator(f'form:has(input[value="{part}"]) button'))
    return page


def press(what: Locator) -> None:
    """Press what leads to another page, and wait until that one is there."""
    with what.page.expect_navigation():
        what.click()


@contextmanager
def demo() -> Iterator[str]:
    """A demo that lives as long as the pictures take; its address."""
    with tempfile.TemporaryDirectory(prefix="linyue-") as data, socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
        free.close()
        settings = {**os.environ, "DATA": data, "PORT": port, "WORKERS": "1", "CLOCK": CLOCK, "SPEED": "1"}
        command = [sys.executable, "-m", "linyue.cli", "demo"]
        process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL)
        try:
            yield _ready(process, Path(data) / "demo.json")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _ready(process: "subprocess.Popen[bytes]", announced: Path) -> str:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        if announced.exists():
            return str(json.loads(announced.read_text(encoding="utf-8"))["url"])
        time.sleep(0.2)
    raise SystemExit("the demo did not start; what it said stands above")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""`linyue demo`, as who runs it sees it: two starts on one folder, a clock of its own, and Ctrl-C."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.processes.demos import running_demo
from tests.promises.served import eventually, free_port

from linyue.clock import SimulatedClock, clock_of

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


def test_a_second_start_goes_on_with_the_same_data(tmp_path: Path) -> None:
    """The same tokens open the same log, with what was booked in between; and Ctrl-C leaves nothing behind."""
    data, port = tmp_path / "data", free_port()
    with running_demo(data, port) as told:
        assert set(told["tokens"]) == {"resident", "resident2", "volunteer", "staff", "auditor", "admin"}
        first = _position(told)
        assert first > 500
    assert not (data / "demo.json").exists()
    assert not _in_use(data)
    with pytest.raises(httpx.ConnectError):
        httpx.get(told["url"])
    with running_demo(data, port) as again:
        assert again == told
        assert _position(again) >= first
        me = httpx.get(f"{again['url']}/api/v1/me/bookings", headers=_as(again["tokens"]["resident"]))
        assert me.status_code == httpx.codes.OK
        assert me.json()["items"]


def test_a_demo_on_a_clock_of_its_own_lives_a_day_in_seconds_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """From the opening on, whoever does not come is recorded; the next start needs no CLOCK, and no time is lost."""
    data, port = tmp_path / "data", free_port()
    with running_demo(data, port, CLOCK="2026-12-01T07:59:00+08:00", SPEED="3600") as told:
        # The fortnight ends where the clock starts; from then on only the scheduler acts.
        assert eventually(lambda: _recorded_after(told, "2026-12-01T14:00:00+08:00"), "an afternoon")
    said = (tmp_path / "demo.log").read_text(encoding="utf-8")
    assert re.search(r"Its clock shows 2026-12-0\d \d\d:\d\d\+08:00 and passes 3,600 seconds in one", said)
    stopped = clock_of(data)
    assert isinstance(stopped, SimulatedClock)
    assert stopped.now() == stopped.now() > datetime(2026, 12, 1, 6, tzinfo=UTC)
    with running_demo(data, port) as again:
        running = clock_of(data)
        assert isinstance(running, SimulatedClock)
        assert running.speed == 3600
        assert running.now() > stopped.now()
        every = _recorded_after(again, "2026-11-01T00:00:00+08:00")
        assert len({event["data"]["booking"] for event in every}) == len(every)


def _recorded_after(told: dict[str, Any], instant: str) -> list[dict[str, Any]]:
    """What the scheduler recorded after an instant."""
    since, after = datetime.fromisoformat(instant), 0
    found: list[dict[str, Any]] = []
    while True:
        asked = f"{told['url']}/api/v1/audit/events?limit=500&type=NoShowRecorded&after={after}"
        items = httpx.get(asked, headers=_as(told["tokens"]["auditor"])).json()["items"]
        if not items:
            return found
        after = items[-1]["position"]
        found += [item for item in items if datetime.fromisoformat(item["at"]) > since]


def _position(told: dict[str, Any]) -> int:
    events = httpx.get(f"{told['url']}/api/v1/audit/events?limit=1", headers=_as(told["tokens"]["auditor"]))
    position: int = events.json()["position"]
    return position


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _in_use(data: Path) -> list[str]:
    """Processes whose command names the folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(data) in words:
            found.append(words)
    return found

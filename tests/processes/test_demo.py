"""`linyue demo`, as who runs it sees it: two starts on one folder, and Ctrl-C."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.processes.demos import running_demo
from tests.promises.served import free_port

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

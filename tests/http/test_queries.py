"""Whoever mistypes a filter learns it, instead of taking all for what they asked for."""

import pytest
from tests.http.conftest import Served

from linyue.permissions import TABLE

pytestmark = pytest.mark.asyncio


async def test_a_parameter_that_is_not_known_is_told_with_those_that_are(served: Served) -> None:
    for path, name, listed in (
        ("rooms?statoin=wanyuan", "statoin", "station, use"),
        ("availability?date=2026-11-25", "date", "from, room, station, to, use"),
        ("me/bookings?status=confirmed", "status", "cursor, from, limit, state, to"),
        ("audit/events?from=1", "from", "after, booking, cursor, limit, person, room, type"),
    ):
        answer = await served.get("admin", path, headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.json()["field"]) == (400, name), answer.text
        assert answer.json()["detail"] == f"There is no query parameter `{name}` here, only: {listed}."
    none = await served.get(None, "stations?use=x")
    assert (none.status_code, none.json()["detail"]) == (400, "这里没有查询参数，请去掉 use。")


async def test_a_parameter_stands_there_once(served: Served) -> None:
    answer = await served.get(None, "rooms?use=书画&use=桌球")
    assert (answer.status_code, answer.json()["detail"]) == (400, "查询参数 use 只能写一次。")


async def test_no_call_ignores_what_it_does_not_know(served: Served) -> None:
    """Of every call in the table, writes too; who may not call at all learns that first."""
    for call in TABLE:
        method, path = call.split(" ", 1)
        path = path.replace("{booking}", "nothing").replace("{room}", "nothing").replace("{resource}", "nothing")
        answer = await served.call("admin", method, path + "?colour=red", body={})
        assert (answer.status_code, answer.json().get("field")) == (400, "colour"), (call, answer.text)
        assert (await served.call(None, method, path + "?colour=red")).status_code in (400, 401)

"""Closing a room over HTTP: listed first, then done."""

import pytest
from tests.http.conftest import Served, at, slot

pytestmark = pytest.mark.asyncio


async def test_a_closure_is_listed_first_and_then_cancels_what_lies_ahead(served: Served) -> None:
    made = await served.book("resident", slot("painting"))
    body = {"from": at(13), "to": at(16), "reason": "maintenance", "note": "更换灯管"}
    listed = await served.post("staff", "rooms/painting/close", {**body, "dry_run": True})
    assert (listed.status_code, listed.json()["cancelled"], listed.json()["id"]) == (200, [made["id"]], "painting")
    assert listed.json()["position"] == made["position"]
    assert (await served.get("resident", f"bookings/{made['id']}", made["position"])).json()["state"] == "confirmed"

    closed = (await served.post("staff", "rooms/painting/close", body)).json()
    assert closed["cancelled"] == [made["id"]]
    seen = (await served.get("resident", f"bookings/{made['id']}", closed["position"])).json()
    assert (seen["state"], seen["reason"]) == ("cancelled", "room_closed")
    history = (await served.get("resident", f"bookings/{made['id']}/history", closed["position"])).json()
    last = history["items"][-1]
    assert (last["text"], last["actor"]) == (
        "取消了预约。原因：活动室暂停开放。",
        {"role": "staff", "name": "工作人员"},
    )


async def test_until_further_notice_is_said_in_the_grid(served: Served) -> None:
    body = {"from": at(9), "reason": "safety"}
    closed = (await served.post("staff", "rooms/painting/close", body)).json()
    query = {"room": "painting", "from": "2026-11-25"}
    grid = (await served.get(None, "availability", closed["position"], query=query)).json()
    slots = grid["rooms"][0]["days"][0]["slots"]
    assert {slot["state"] for slot in slots} == {"closed"}
    assert slots[0]["reasons"][0]["message"] == "这段时间活动室暂停开放，恢复时间另行通知。"


async def test_a_room_of_another_station_is_not_theirs_to_close(served: Served) -> None:
    body = {"from": at(9), "reason": "safety"}
    assert (await served.post("staff", "rooms/ink/close", body)).status_code == 403
    assert (await served.post("staff", "rooms/nowhere/close", body)).status_code == 404
    assert (await served.post("admin", "rooms/ink/close", body)).status_code == 200


async def test_a_malformed_closure_is_told_which_field_to_mend(served: Served) -> None:
    body = {"from": at(13), "to": at(16), "reason": "maintenance"}
    for wrong, field in (
        ({"to": at(13)}, "to"),
        ({"from": "2026-11-25T13:00:00"}, "from"),
        ({"reason": "because"}, "reason"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"start": at(13)}, "start"),
        ({"from": "3000-01-01T00:00:00Z", "to": None}, "from"),
    ):
        answer = await served.post("staff", "rooms/painting/close", {**body, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


async def test_a_closure_is_done_once_under_its_key(served: Served) -> None:
    body, key = {"from": at(13), "to": at(16), "reason": "cleaning"}, {"Idempotency-Key": "k"}
    first = await served.post("staff", "rooms/painting/close", body, headers=key)
    again = await served.post("staff", "rooms/painting/close", body, headers=key, worker=1)
    assert again.json() == first.json()
    events = await served.get("auditor", "audit/events", first.json()["position"], query={"type": "RoomClosed"})
    assert len(events.json()["items"]) == 1

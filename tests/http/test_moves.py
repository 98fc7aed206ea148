"""Moving, extending and ending bookings over HTTP: all or nothing, with every reason and what could be had instead."""

from datetime import timedelta
from typing import Any

import pytest
from tests.http.conftest import NOW, Served, at, slot

pytestmark = pytest.mark.asyncio


def to(hour: int = 16, hours: int = 1, *, day: int = 25, **more: object) -> dict[str, Any]:
    """The body of a move."""
    return {"start": at(hour, day=day), "end": at(hour + hours, day=day), **more}


async def free(served: Served, room: str, position: int, day: int = 25) -> dict[str, int]:
    """The free units of each slot of a room's day, by its start."""
    query = {"room": room, "from": f"2026-11-{day}", "to": f"2026-11-{day}"}
    grid = (await served.get(None, "availability", position, query=query)).json()
    return {one["start"]: one["free"] for one in grid["rooms"][0]["days"][0]["slots"]}


async def test_a_booking_is_moved_and_keeps_its_code(served: Served) -> None:
    made = await served.book("resident")
    moved = await served.post("resident", f"bookings/{made['id']}/reschedule", to(16, 2))
    body = moved.json()
    assert moved.status_code == 200
    assert moved.headers["X-Log-Position"] == str(body["position"])
    assert body == {**made, "start": at(16), "end": at(18), "position": made["position"] + 1}
    grid = await free(served, "painting", body["position"])
    assert [grid[at(hour)] for hour in (14, 15, 16, 17, 18)] == [1, 1, 0, 0, 1]
    mine = (await served.get("resident", "me/bookings", body["position"])).json()["items"]
    assert [(one["id"], one["start"]) for one in mine] == [(made["id"], at(16))]
    told = (await served.get("resident", f"bookings/{made['id']}/history", body["position"])).json()["items"]
    assert told[-1]["text"] == "改为11月25日 16:00–18:00，书画，1 份，已确认。"


async def test_a_move_that_is_refused_leaves_the_old_slot_and_offers_others(served: Served) -> None:
    await served.book("resident2", slot("painting", 16))
    made = await served.book("resident", slot("painting", 14))
    refused = await served.post("resident", f"bookings/{made['id']}/reschedule", to(16, attendees=40))
    body = refused.json()
    assert (refused.status_code, [one["rule"] for one in body["reasons"]]) == (409, ["too_many_people", "slot_taken"])
    assert body["asked"] == {**to(16), "room": "painting", "use": "书画", "units": 1, "attendees": 40}
    seen = (await served.get("resident", f"bookings/{made['id']}", body["position"])).json()
    assert (seen["start"], seen["state"]) == (at(14), "confirmed")

    refused = await served.post("resident", f"bookings/{made['id']}/reschedule", to(16))
    offered = refused.json()["alternatives"]
    # Its own slot is no news; the one beside it is free because it would leave its own.
    assert [(one["room"], one["start"]) for one in offered[:4]] == [
        ("painting", at(15)), ("painting", at(17)), ("painting", at(18)), ("ink", at(16)),
    ]  # fmt: skip
    for one in (offered[0], offered[-1]):
        again = {name: one[name] for name in ("room", "use", "start", "end")}
        assert (await served.post("resident", f"bookings/{made['id']}/reschedule", again)).status_code == 200


async def test_a_booking_may_overlap_what_it_had(served: Served) -> None:
    made = await served.book("resident", slot("painting", 14, 2))
    refused = await served.post("resident2", "bookings", slot("painting", 15))
    assert refused.status_code == 409
    moved = await served.post("resident", f"bookings/{made['id']}/reschedule", to(15, 2))
    assert (moved.status_code, moved.json()["start"]) == (200, at(15))


async def test_room_use_and_units_change_likewise(served: Served) -> None:
    made = await served.book("resident", slot("tribe", use="乒乓球"))
    path = f"bookings/{made['id']}/reschedule"
    await served.level(made["position"])
    more = await served.post("resident", path, to(14, units=3))
    assert (more.json()["units"], more.json()["use"]) == (3, "乒乓球")
    # In the same room, which need not be named.
    other = await served.post("resident", path, to(14, use="桌球", units=1), headers=position_of(more.json()))
    assert (other.status_code, other.json()["use"], other.json()["units"]) == (200, "桌球", 1)
    there = await served.post("resident", path, to(14, room="ink", use="书画"))
    assert (there.json()["room"], there.json()["use"]) == ("ink", "书画")
    grid = await free(served, "tribe", there.json()["position"])
    assert grid[at(14)] == 3
    assert (await served.post("resident", path, to(14, room="nowhere"))).status_code == 404
    assert (await served.post("resident", path, to(14, room="ink", use="桌球"))).status_code == 404


def position_of(answer: dict[str, Any]) -> dict[str, str]:
    return {"X-Log-Position": str(answer["position"])}


async def test_what_moves_to_a_use_that_asks_for_approval_waits_for_it(served: Served) -> None:
    made = await served.book("resident", slot("ink"))
    path = f"bookings/{made['id']}"
    moved = await served.post("resident", f"{path}/reschedule", to(14, 2, room="hall", use="整场"))
    assert moved.json()["state"] == "awaiting_approval"
    await served.post("staff2", f"{path}/approve")
    shorter = await served.post("resident", f"{path}/reschedule", to(14))
    assert shorter.json()["state"] == "confirmed"
    longer = await served.post("resident", f"{path}/extend", {"end": at(16)})
    assert [one["rule"] for one in longer.json()["reasons"]] == ["approval_needed"]
    assert longer.json()["alternatives"] == []
    by_staff = await served.post("staff2", f"{path}/extend", {"end": at(16)})
    assert (by_staff.status_code, by_staff.json()["end"], by_staff.json()["state"]) == (200, at(16), "confirmed")


async def test_a_running_booking_is_extended_where_it_is_free_and_offered_what_is(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24))
    await served.book("resident2", slot("painting", 13, day=24))
    served.clock.move_to(NOW + timedelta(minutes=31))
    await served.post("resident", f"bookings/{made['id']}/check-in")
    path = f"bookings/{made['id']}/extend"
    # 10:01, and 11 is 59 minutes away: soon enough to ask for another room.
    refused = await served.post("resident", path, {"end": at(14, day=24)})
    body = refused.json()
    assert [one["rule"] for one in body["reasons"]] == ["too_long", "slot_taken"]
    assert [(one["room"], one["start"], one["end"]) for one in body["alternatives"]] == [
        ("painting", at(10, day=24), at(13, day=24)),
        ("painting", at(10, day=24), at(12, day=24)),
        ("ink", at(11, day=24), at(14, day=24)),
    ]
    first, _, elsewhere = body["alternatives"]
    asked = {name: elsewhere[name] for name in ("room", "use", "start", "end")}
    assert (await served.post("resident", "bookings/check", asked)).json()["allowed"] is True
    longer = await served.post("resident", path, {"end": first["end"]})
    assert (longer.status_code, longer.json()["end"], longer.json()["state"]) == (200, at(13, day=24), "checked_in")
    sooner = await served.post("resident", path, {"end": at(12, day=24)})
    assert (sooner.status_code, sooner.json()["field"]) == (400, "end")


async def test_who_leaves_early_frees_the_rest_at_once(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, 3, day=24))
    path = f"bookings/{made['id']}"
    early = await served.post("resident", f"{path}/end")
    assert [(one["rule"], one["actual"]) for one in early.json()["reasons"]] == [("wrong_state", "confirmed")]
    served.clock.move_to(NOW + timedelta(minutes=31))
    await served.post("resident", f"{path}/check-in")
    served.clock.move_to(NOW + timedelta(minutes=60))
    ended = await served.post("resident", f"{path}/end")
    assert (ended.status_code, ended.json()["state"]) == (200, "completed")
    assert ended.json()["end"] == at(10, 30, day=24)
    assert (await free(served, "painting", ended.json()["position"], 24))[at(11, day=24)] == 1
    again = await served.post("staff", f"{path}/end")
    assert [one["rule"] for one in again.json()["reasons"]] == ["wrong_state"]


async def test_a_move_under_a_key_is_made_once(served: Served) -> None:
    made = await served.book("resident")
    path, key = f"bookings/{made['id']}/reschedule", {"Idempotency-Key": "k"}
    first = await served.post("resident", path, to(16), headers=key)
    await served.post("resident", path, to(18))
    again = await served.post("resident", path, to(16), headers=key, worker=1)
    assert (again.status_code, again.text) == (200, first.text)
    assert (await served.post("resident", path, to(17), headers=key)).status_code == 422
    other = await served.post("resident", f"bookings/{made['id']}/extend", {"end": at(20)}, headers=key)
    assert other.status_code == 422


async def test_only_ones_own_is_moved_and_only_before_it_starts(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24))
    path = f"bookings/{made['id']}"
    for action, body in (("reschedule", to(16)), ("extend", {"end": at(12, day=24)}), ("end", None)):
        for who, status in ((None, 401), ("resident2", 404), ("staff2", 404), ("volunteer", 403), ("auditor", 403)):
            assert (await served.post(who, f"{path}/{action}", body)).status_code == status, (who, action)
    served.clock.move_to(NOW + timedelta(minutes=31))
    late = await served.post("resident", f"{path}/reschedule", to(16))
    assert ([one["rule"] for one in late.json()["reasons"]], late.json()["alternatives"]) == (["already_started"], [])
    by_staff = await served.post("staff", f"{path}/reschedule", to(16))
    assert (by_staff.status_code, by_staff.json()["start"]) == (200, at(16))
    elsewhere = await served.post("staff", f"{path}/reschedule", to(16, room="ink"))
    assert (elsewhere.status_code, elsewhere.json()["detail"]) == (403, "这个活动室不归您的站点管理。")


async def test_a_malformed_move_is_told_which_field_to_mend(served: Served) -> None:
    made = await served.book("resident")
    for action, body, field in (
        ("reschedule", {"end": at(15)}, "start"),
        ("reschedule", {**to(16), "end": at(15)}, "end"),
        ("reschedule", {**to(16), "end": at(1, day=30).replace("2026", "2027")}, "end"),
        ("reschedule", to(16, units=0), "units"),
        ("reschedule", to(16, person="me"), "person"),
        ("extend", {}, "end"),
        ("extend", {"end": "later"}, "end"),
        ("extend", {"end": "0001-01-01T00:00:00+23:59"}, "end"),
        ("end", {"now": True}, "now"),
    ):
        answer = await served.post("resident", f"bookings/{made['id']}/{action}", body)
        assert (answer.status_code, answer.json().get("field")) == (400, field), answer.text
    missing = await served.post("resident", "bookings/nothing/reschedule", to(16, use="书画"))
    assert missing.status_code == 404

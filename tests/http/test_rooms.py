"""Rooms and resources over HTTP: opened, changed in part, merged and split; what a dry run lists is what is done."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.http.conftest import NOW, STATION, Served, at, slot

pytestmark = pytest.mark.asyncio

PAINTING = {"use": "书画", "takes": [{"resource": "floor"}]}

STUDIO: dict[str, Any] = {"name": "新画室", "station": "wanyuan", "space": "create", "uses": [PAINTING]}
EFFECT = {"does_not_fit": [], "cancelled": [], "dry_run": False}


def effect(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    body = answer.json()
    return {name: body[name] for name in EFFECT}


async def patch(served: Served, who: str, path: str, body: object, *, worker: int = 0) -> httpx.Response:
    return await served.call(who, "PATCH", path, body=body, worker=worker)


async def head(served: Served) -> int:
    """The last position of the log: what is there already is no event."""
    return (await served.ask(STATION[0])).position


async def test_a_room_is_opened_and_can_be_booked_at_once(served: Served) -> None:
    opened = await served.post("staff", "rooms", {**STUDIO, "id": "studio", "seats": 8})
    assert opened.status_code == 201, opened.text
    assert effect(opened) == EFFECT
    room = opened.json()
    assert (room["id"], room["name"], room["seats"], room["station"]) == (
        "studio", "新画室", 8, {"id": "wanyuan", "name": "万源一居"},
    )  # fmt: skip
    listed = (await served.get(None, "rooms", room["position"], query={"use": "书画"})).json()["items"]
    told = {name: room[name] for name in listed[0]}
    assert next(one for one in listed if one["id"] == "studio") == told
    await served.book("resident", slot("studio"))


async def test_a_room_without_an_id_is_given_one(served: Served) -> None:
    first = (await served.post("staff", "rooms", STUDIO)).json()
    second = (await served.post("staff", "rooms", STUDIO)).json()
    assert first["id"] != second["id"]
    await served.book("resident", slot(first["id"]))


async def test_an_id_that_is_taken_is_refused_and_says_what_to_do(served: Served) -> None:
    answer = await served.post("staff", "rooms", {**STUDIO, "id": "painting"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 409
    (reason,) = answer.json()["reasons"]
    assert (reason["rule"], reason["actual"]) == ("already_open", "painting")
    assert (
        answer.json()["detail"] == "This id is in use for another: choose another id, or change the one that is there."
    )
    taken = await served.post("staff", "resources", {"id": "floor", "station": "wanyuan", "name": "地", "capacity": 2})
    assert (taken.status_code, taken.json()["reasons"][0]["rule"]) == (409, "already_open")


async def test_a_dry_run_opens_nothing(served: Served) -> None:
    before = await head(served)
    answer = await served.post("staff", "rooms", {**STUDIO, "id": "studio", "dry_run": True})
    assert (answer.status_code, answer.json()["id"], answer.json()["dry_run"]) == (200, "studio", True)
    assert await head(served) == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": "Painting 2"}, "id"),
        ({"id": "replace"}, "id"),
        ({"uses": []}, "uses"),
        ({"uses": [{**PAINTING, "price": 3}]}, "price"),
        ({"uses": [{**PAINTING, "takes": []}]}, "uses[0].takes"),
        ({"uses": [PAINTING, PAINTING]}, "uses"),
        ({"hours": [{"weekday": 8, "from": "09:00", "to": "12:00"}]}, "hours[0].weekday"),
        ({"hours": [{"weekday": 1, "from": "9:00", "to": "12:00"}]}, "hours[0].from"),
        ({"hours": [{"weekday": 1, "from": "12:00", "to": "09:00"}]}, "hours"),
        ({"extra_hours": [{"first_day": "2026-12-02", "last_day": "2026-12-01", "from": "09:00", "to": "10:00"}]},
         "extra_hours"),
        ({"extra_hours": [{"first_day": "2026-02-30", "last_day": "2026-12-01", "from": "09:00", "to": "10:00"}]},
         "extra_hours[0].first_day"),
        ({"extra_hours": [{"first_day": "1999-12-31", "last_day": "2026-12-01", "from": "09:00", "to": "10:00"}]},
         "first_day"),
        ({"space": "poem"}, "space"),
        ({"name": ""}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
async def test_a_malformed_room_is_told_which_field_to_mend(served: Served, wrong: dict[str, Any], field: str) -> None:
    answer = await served.post("staff", "rooms", {**STUDIO, **wrong})
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


async def test_what_a_room_names_must_be_there(served: Served) -> None:
    for wrong in ({"station": "nowhere"}, {"space": "nowhere"}, {"uses": [{"use": "u", "takes": [{"resource": "x"}]}]}):
        assert (await served.post("admin", "rooms", {**STUDIO, **wrong})).status_code == 404


async def test_rooms_of_another_station_are_not_theirs_to_change(served: Served) -> None:
    elsewhere = {
        **STUDIO,
        "station": "gulong",
        "space": "poem",
        "uses": [{"use": "书画", "takes": [{"resource": "ink"}]}],
    }
    resource = {"station": "gulong", "name": "墨", "capacity": 1}
    for who, status in (("staff", 403), ("staff2", 200), ("admin", 200)):
        assert (await served.post(who, "rooms", {**elsewhere, "dry_run": True})).status_code == status
        assert (await patch(served, who, "rooms/ink", {"seats": 4, "dry_run": True})).status_code == status
        assert (await served.post(who, "rooms/replace", {"retire": ["ink"], "dry_run": True})).status_code == status
        assert (await served.post(who, "rooms/ink/reopen", {"from": at(9), "dry_run": True})).status_code == status
        assert (await served.post(who, "resources", {**resource, "dry_run": True})).status_code == status
        assert (await patch(served, who, "resources/ink", {"capacity": 2, "dry_run": True})).status_code == status


async def test_a_place_that_is_not_there_is_not_found(served: Served) -> None:
    for path in ("rooms/nowhere", "rooms/No-Room", "resources/nowhere", "resources/No-Room"):
        assert (await patch(served, "admin", path, {"name": "新"})).status_code == 404
    for path in ("rooms/nowhere/reopen", "rooms/No-Room/reopen"):
        assert (await served.post("admin", path, {"from": at(9)})).status_code == 404


async def test_what_is_sent_becomes_another_and_the_rest_stays(served: Served) -> None:
    before = (await served.get(None, "rooms", 17, query={"station": "wanyuan"})).json()["items"]
    painting = next(room for room in before if room["id"] == "painting")
    changed = (await patch(served, "staff", "rooms/painting", {"name": "大画室", "seats": None})).json()
    assert {name: changed[name] for name in painting} == {**painting, "name": "大画室", "seats": None}
    nothing = await served.call("staff", "PATCH", "rooms/painting")
    assert (nothing.status_code, nothing.json()["name"], nothing.json()["position"]) == (
        200, "大画室", changed["position"],
    )  # fmt: skip


async def test_two_staff_who_change_different_things_at_once_both_have_their_way(served: Served) -> None:
    """Each at a worker of their own, over and over: neither undoes what the other did."""
    for n in range(5):
        answers = await asyncio.gather(
            patch(served, "staff", "rooms/painting", {"seats": 20 + n}, worker=0),
            patch(served, "admin", "rooms/painting", {"buffer_minutes": n}, worker=1),
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        last = max((answer.json() for answer in answers), key=lambda told: told["position"])
        assert (last["seats"], last["buffer_minutes"]) == (20 + n, n)


async def test_what_a_dry_run_lists_is_what_the_change_is_refused_for_and_then_cancels(served: Served) -> None:
    morning = await served.book("resident", slot("painting", 10))
    evening = await served.book("resident2", slot("painting", 16))
    short = {"hours": [{"weekday": day, "from": "09:00", "to": "12:00"} for day in range(1, 8)]}
    before = await head(served)

    listed = await patch(served, "staff", "rooms/painting", {**short, "dry_run": True})
    assert effect(listed) == {"does_not_fit": [evening["id"]], "cancelled": [], "dry_run": True}
    assert listed.json()["open"][0] == {"weekday": 1, "from": "09:00", "to": "12:00"}
    assert await head(served) == before

    refused = await patch(served, "staff", "rooms/painting", short)
    assert (refused.status_code, refused.json()["reasons"][0]["bookings"]) == (409, [evening["id"]])

    named = {**short, "cancels": [morning["id"], evening["id"]]}
    would = await patch(served, "staff", "rooms/painting", {**named, "dry_run": True})
    assert effect(would) == {"does_not_fit": [], "cancelled": [evening["id"]], "dry_run": True}
    done = await patch(served, "staff", "rooms/painting", named)
    assert effect(done) == {"does_not_fit": [], "cancelled": [evening["id"]], "dry_run": False}
    states = [
        (await served.get("admin", f"bookings/{made['id']}", done.json()["position"])).json()["state"]
        for made in (morning, evening)
    ]
    assert states == ["confirmed", "cancelled"]


async def test_a_dry_run_tells_of_now_what_was_refused_before(served: Served) -> None:
    first = await served.book("resident", slot("painting", 10))
    without = {"uses": [{**PAINTING, "use": "国画"}]}
    assert (await patch(served, "staff", "rooms/painting", without)).status_code == 409
    second = await served.book("resident2", slot("painting", 12))
    listed = await patch(served, "staff", "rooms/painting", {**without, "dry_run": True})
    assert effect(listed)["does_not_fit"] == [first["id"], second["id"]]


async def test_extra_hours_are_shown_drawn_and_booked_while_they_last(served: Served) -> None:
    evenings = {"first_day": "2026-11-25", "last_day": "2026-11-26", "weekdays": [], "from": "21:00", "to": "22:00"}
    changed = (await patch(served, "staff", "rooms/painting", {"extra_hours": [evenings]})).json()
    assert changed["extra_hours"] == [evenings]
    query = {"room": "painting", "from": "2026-11-24", "to": "2026-11-27"}
    grid = (await served.get(None, "availability", changed["position"], query=query)).json()["rooms"][0]["days"]
    assert [day["slots"][-1]["start"] for day in grid] == [at(20, day=24), at(21), at(21, day=26), at(20, day=27)]
    made = await served.book("resident", slot("painting", 20, 2))
    assert effect(await patch(served, "staff", "rooms/painting", {"extra_hours": [], "dry_run": True})) == {
        "does_not_fit": [made["id"]], "cancelled": [], "dry_run": True,
    }  # fmt: skip


async def test_a_room_is_opened_for_one_booking_in_a_closed_week(served: Served) -> None:
    week = {"from": at(0, day=25), "to": at(0, day=30), "reason": "holiday"}
    await served.post("staff", "rooms/painting/close", week)
    assert (await served.post("resident", "bookings", slot("painting"))).status_code == 409
    listed = await served.post("staff", "rooms/painting/reopen", {"from": at(14), "to": at(15), "dry_run": True})
    assert effect(listed) == {**EFFECT, "dry_run": True}
    assert (await served.post("resident", "bookings", slot("painting"))).status_code == 409
    reopened = await served.post("staff", "rooms/painting/reopen", {"from": at(14), "to": at(15)})
    assert (reopened.status_code, reopened.json()["id"]) == (200, "painting")
    await served.book("resident", slot("painting"))
    assert (await served.post("resident2", "bookings", slot("painting", 15))).status_code == 409


@pytest.mark.parametrize(("body", "field"), [({"from": at(15), "to": at(14)}, "to"), ({"to": at(14)}, "from")])
async def test_a_malformed_reopening_is_told_which_field_to_mend(
    served: Served, body: dict[str, Any], field: str
) -> None:
    answer = await served.post("staff", "rooms/painting/reopen", body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


async def test_a_smaller_capacity_lists_and_then_cancels_what_it_has_no_room_for(served: Served) -> None:
    first = await served.book("resident", slot("tribe", use="乒乓球", units=2))
    served.clock.move_to(NOW + timedelta(seconds=1))
    second = await served.book("resident2", slot("tribe", use="乒乓球"))
    listed = await patch(served, "staff", "resources/tables", {"capacity": 2, "dry_run": True})
    assert effect(listed) == {"does_not_fit": [second["id"]], "cancelled": [], "dry_run": True}
    assert (await patch(served, "staff", "resources/tables", {"capacity": 2})).status_code == 409
    done = await patch(served, "staff", "resources/tables", {"capacity": 2, "cancels": [second["id"]]})
    assert effect(done)["cancelled"] == [second["id"]]
    assert (done.json()["capacity"], done.json()["name"]) == (2, "乒乓球台")
    assert (await served.get("resident", f"bookings/{first['id']}")).json()["state"] == "confirmed"


async def test_resources_are_listed_to_staff_for_their_own_stations(served: Served) -> None:
    made = await served.post("staff", "resources", {"station": "wanyuan", "name": "新地", "capacity": 4})
    new = {name: made.json()[name] for name in ("id", "name", "station", "capacity")}
    assert (made.status_code, new["name"], new["capacity"]) == (201, "新地", 4)
    position = made.json()["position"]
    own = (await served.get("staff", "resources", position)).json()["items"]
    assert [one["id"] for one in own] == ["tables", "billiard", "floor", new["id"]]
    assert own[-1] == new
    everything = (await served.get("auditor", "resources", position)).json()["items"]
    assert {one["station"] for one in everything} == {"wanyuan", "gulong"}
    assert (await served.get("staff", "resources", query={"station": "gulong"})).json()["items"] == []
    assert (await served.get("admin", "resources", query={"station": "nowhere"})).status_code == 404


async def test_a_room_is_split_and_its_bookings_move_with_it(served: Served) -> None:
    """Three tables become two and one; what no room can serve is listed, named, and given up."""
    for name, capacity in (("left", 2), ("right", 1)):
        await served.post("staff", "resources", {"id": name, "station": "wanyuan", "name": name, "capacity": capacity})
    pair = await served.book("resident", slot("tribe", use="乒乓球", units=2))
    served.clock.move_to(NOW + timedelta(seconds=1))
    one = await served.book("resident2", slot("tribe", use="乒乓球"))
    cues = await served.book("resident", slot("tribe", 16, use="桌球"))
    halves = [
        {**STUDIO, "id": name, "name": name, "uses": [{"use": "乒乓球", "takes": [{"resource": name}], "units": units}]}
        for name, units in (("left", 2), ("right", 1))
    ]
    split = {"retire": ["tribe"], "open": halves}
    before = await head(served)
    listed = await served.post("staff", "rooms/replace", {**split, "dry_run": True})
    assert effect(listed) == {"does_not_fit": [cues["id"]], "cancelled": [], "dry_run": True}
    moves = [{"booking": pair["id"], "room": "left"}, {"booking": one["id"], "room": "right"}]
    assert listed.json()["moved"] == moves
    assert await head(served) == before
    assert (await served.post("staff", "rooms/replace", split)).status_code == 409

    done = await served.post("staff", "rooms/replace", {**split, "cancels": [cues["id"]]})
    assert effect(done) == {"does_not_fit": [], "cancelled": [cues["id"]], "dry_run": False}
    told, position = done.json(), done.json()["position"]
    assert (told["moved"], told["retired"], [room["id"] for room in told["rooms"]]) == (
        moves, ["tribe"], ["left", "right"],
    )  # fmt: skip
    rooms = (await served.get(None, "rooms", position, query={"station": "wanyuan"})).json()["items"]
    assert {room["id"] for room in rooms} == {"painting", "left", "right"}
    seen = (await served.get("resident2", f"bookings/{one['id']}", position)).json()
    assert (seen["room"], seen["state"], seen["code"], seen["start"]) == (
        "right",
        "confirmed",
        one["code"],
        one["start"],
    )
    gone = await served.post("resident", "bookings", slot("tribe", 18, use="乒乓球"))
    assert (gone.status_code, gone.json()["detail"]) == (404, "没有这个活动室。")


async def test_what_moved_is_told_in_its_history(served: Served) -> None:
    made = await served.book("resident", slot("painting"))
    body = {"retire": ["painting"], "open": [{**STUDIO, "id": "studio"}]}
    done = (await served.post("staff", "rooms/replace", body)).json()
    path = f"bookings/{made['id']}/history"
    last = (await served.get("resident", path, done["position"])).json()["items"][-1]
    assert last["text"] == "活动室有调整，预约换到新画室，时间不变。"
    english = await served.get("resident", path, done["position"], headers={"Accept-Language": "en"})
    assert english.json()["items"][-1]["text"] == "The rooms were rearranged: it moved to 新画室, at the same time."


async def test_the_bookings_of_a_retired_room_are_still_told_of(served: Served) -> None:
    made = await served.book("resident", slot("painting"))
    await served.post("resident", f"bookings/{made['id']}/cancel")
    done = (await served.post("staff", "rooms/replace", {"retire": ["painting"]})).json()
    seen = await served.get("resident", f"bookings/{made['id']}", done["position"])
    assert (seen.status_code, seen.json()["room"]) == (200, "painting")
    assert (await served.get(None, "availability", done["position"], query={"room": "painting"})).status_code == 404


async def test_two_who_replace_the_same_room_do_it_once(served: Served) -> None:
    body = {"retire": ["painting"], "open": [{**STUDIO, "id": "studio"}]}
    other = {"retire": ["painting"], "open": [{**STUDIO, "id": "atelier"}]}
    answers = await asyncio.gather(
        served.post("staff", "rooms/replace", body, worker=0), served.post("admin", "rooms/replace", other, worker=1)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 404]


async def test_a_malformed_replacement_is_told_what_to_mend(served: Served) -> None:
    room = {**STUDIO, "id": "studio"}
    for body, field in (
        ({"retire": []}, "retire"),
        ({"retire": ["painting", "painting"]}, "retire"),
        ({"retire": ["painting"], "open": [room, room]}, "open"),
        ({"retire": ["painting"], "open": [STUDIO]}, "id"),
        ({"retire": ["painting"], "keep": True}, "keep"),
        ({"open": [room]}, "retire"),
    ):
        answer = await served.post("staff", "rooms/replace", body)
        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


async def test_a_change_is_done_once_under_its_key(served: Served) -> None:
    """Also where the room has become another since: the first answer is given again, to the byte."""
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "rooms", STUDIO),
        ("PATCH", "rooms/painting", {"seats": 30}),
        ("PATCH", "resources/tables", {"capacity": 4}),
        ("POST", "resources", {"station": "wanyuan", "name": "新", "capacity": 1}),
        ("POST", "rooms/replace", {"retire": ["tribe"]}),
    ]
    for n, (method, path, body) in enumerate(calls):
        key = {"Idempotency-Key": f"k{n}"}
        first = await served.call("staff", method, path, body=body, headers=key)
        await patch(served, "admin", "rooms/painting", {"name": f"画室{n}"})
        again = await served.call("staff", method, path, body=body, headers=key, worker=1)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        reused = await served.call("staff", method, path, body={**body, "dry_run": True}, headers=key)
        assert reused.status_code == 422


async def test_a_room_opened_anew_under_its_id_begins_without_its_closures(served: Served) -> None:
    await served.post("staff", "rooms/painting/close", {"from": at(9), "reason": "maintenance"})
    await served.post("staff", "rooms/replace", {"retire": ["painting"]})
    again = await served.post("staff", "rooms", {**STUDIO, "id": "painting"})
    assert again.status_code == 201
    await served.book("resident", slot("painting"))


async def test_what_awaits_approval_stands_in_the_way_as_what_holds_does(served: Served) -> None:
    waiting = await served.book("resident", slot("hall"))
    assert waiting["state"] == "awaiting_approval"
    listed = await served.post("admin", "rooms/replace", {"retire": ["hall"], "dry_run": True})
    assert effect(listed)["does_not_fit"] == [waiting["id"]]

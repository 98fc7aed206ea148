"""What is free and when, as anybody may read it."""

from datetime import timedelta
from typing import Any

import pytest
from tests.http.conftest import NOW, Served, at, slot

pytestmark = pytest.mark.asyncio


async def slots_of(served: Served, room: str, day: str, position: int = 0) -> dict[str, Any]:
    """The slots of a room's day, by their starts."""
    answer = await served.get(None, "availability", position, query={"room": room, "from": day, "to": day})
    (found,) = answer.json()["rooms"]
    (drawn,) = found["days"]
    return {slot["start"]: slot for slot in drawn["slots"]}


async def test_a_slot_says_how_many_units_are_free_or_why_none_is(served: Served) -> None:
    made = await served.book("resident", slot("painting"))
    found = await slots_of(served, "painting", "2026-11-25", made["position"])
    assert len(found) == 12
    assert found[at(15)] == {"start": at(15), "end": at(16), "free": 1, "state": "free", "reasons": []}
    taken = found[at(14)]
    assert (taken["free"], taken["state"]) == (0, "full")
    assert taken["reasons"] == [
        {
            "rule": "slot_taken",
            "message": "已被预约：共 1 份，这段时间已约出 1 份。",
            "limit": 1,
            "actual": 1,
            "rules_version": 1,
        }
    ]


async def test_states_are_told_by_what_cannot_change_first(served: Served) -> None:
    served.clock.move_to(NOW + timedelta(minutes=45))
    closing = {"from": at(12, day=24), "to": at(14, day=24), "reason": "cleaning"}
    closed = (await served.post("staff", "rooms/painting/close", closing)).json()
    today = await slots_of(served, "painting", "2026-11-24", closed["position"])
    assert [today[at(hour, day=24)]["state"] for hour in (9, 10, 11, 12, 14)] == [
        "past", "past", "free", "closed", "free",
    ]  # fmt: skip
    ahead = await slots_of(served, "painting", "2026-12-09")
    (first, *_) = ahead.values()
    assert (first["state"], first["reasons"][0]["possible_from"]) == ("not_bookable", "2026-11-25T08:00:00+08:00")


async def test_without_days_it_is_today_and_at_most_31_are_told_at_once(served: Served) -> None:
    today = (await served.get(None, "availability")).json()
    assert {day["date"] for room in today["rooms"] for day in room["days"]} == {"2026-11-24"}
    assert {(room["room"], room["use"]) for room in today["rooms"]} == {
        ("tribe", "乒乓球"), ("tribe", "桌球"), ("painting", "书画"), ("ink", "书画"), ("hall", "整场"),
    }  # fmt: skip
    most = {"room": "ink", "from": "2026-12-01", "to": "2026-12-31"}
    (ink,) = (await served.get(None, "availability", query=most)).json()["rooms"]
    assert len(ink["days"]) == 31
    for wrong in ({"to": "2027-01-01"}, {"to": "2026-11-30"}, {"to": "0001-01-01"}, {"to": "soon"}):
        answer = await served.get(None, "availability", query={**most, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (400, "to"), answer.text
    for wrong in ({"from": "9999-12-31", "to": "9999-12-31"}, {"from": "yesterday"}):
        answer = await served.get(None, "availability", query={**most, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (400, "from"), answer.text
    turned = await served.get(None, "availability", query={**most, "to": "2026-11-30"})
    assert turned.json()["detail"] == "to 不能早于 from。", "one and the same day is allowed"


async def test_rooms_are_found_by_use_and_by_station(served: Served) -> None:
    painted = (await served.get(None, "availability", query={"use": "书画"})).json()["rooms"]
    assert [(room["room"], room["units"]) for room in painted] == [("painting", 1), ("ink", 1)]
    both = {"use": "书画", "station": "gulong"}
    assert [room["room"] for room in (await served.get(None, "availability", query=both)).json()["rooms"]] == ["ink"]


async def test_what_is_asked_for_by_name_and_is_not_there_is_not_found(served: Served) -> None:
    for query, detail in (
        ({"room": "nowhere"}, "没有这个活动室。"),
        ({"station": "nowhere"}, "没有这个站点。"),
        ({"room": "painting", "use": "潜水"}, "这个活动室没有这种用途。"),
    ):
        answer = await served.get(None, "availability", query=query)
        assert (answer.status_code, answer.json().get("detail")) == (404, detail)
    for fine in ({"use": "潜水"}, {"room": "painting", "station": "gulong"}):
        answer = await served.get(None, "availability", query=fine)
        assert (answer.status_code, answer.json()["rooms"]) == (200, [])


async def test_a_read_waits_for_the_position_that_it_asks_for_and_then_answers_with_what_there_is(
    served: Served,
) -> None:
    made = await served.book("resident", slot("painting"))
    waited = await served.get(None, "availability", made["position"])
    assert waited.json()["position"] >= made["position"]
    beyond = await served.get(None, "stations", 10**9)
    assert beyond.json()["position"] == made["position"]
    for wrong in ("-1", "soon", "1" * 40, "1.0"):
        answer = await served.get(None, "stations", headers={"X-Log-Position": wrong})
        assert answer.status_code == 400, wrong


WEDNESDAY = {"room": "painting", "from": "2026-11-25", "to": "2026-11-25"}


async def tag(served: Served, who: str | None = None, position: int = 0, *, held: str = "", **headers: str) -> str:
    """The tag of the painting room's Wednesday; empty where whoever `held` one was told that it is the same."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | (
        {"If-None-Match": held} if held else {}
    )
    answer = await served.get(who, "availability", position, query=WEDNESDAY, headers=sent)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Accept-Language, Authorization"
    assert int(answer.headers["X-Log-Position"]) >= position
    if answer.status_code == 304:
        assert answer.content == b""
        assert answer.headers["ETag"] in held or held == "*"
        return ""
    assert answer.json()["position"] == int(answer.headers["X-Log-Position"])
    return str(answer.headers["ETag"])


async def test_whoever_holds_the_answer_is_told_so_as_long_as_it_would_be_the_same(served: Served) -> None:
    first = await tag(served)
    assert await tag(served) == first, "the same bytes have the same tag"
    for held in (first, f"W/{first}", f'"other", {first}', "*"):
        assert await tag(served, held=held) == "", held
    assert await tag(served, held='"other"') == first
    assert await tag(served, "staff", held=first) == "", "others are told the very same"
    head = await served.call(None, "HEAD", "availability", query=WEDNESDAY, headers={"If-None-Match": first})
    assert (head.status_code, head.headers["ETag"]) == (304, first)


async def test_an_event_another_language_and_the_passing_time_are_another_answer(served: Served) -> None:
    free = await tag(served)
    made = await served.book("resident", slot("painting"))
    taken = await tag(served, position=made["position"], held=free)
    assert taken not in ("", free)
    assert await tag(served, held=taken, Accept_Language="en") not in ("", taken)
    # At 09:00 nothing more can be changed of the first slot, and half an hour before it is too late to book it.
    served.clock.move_to(NOW + timedelta(hours=23))
    assert await tag(served, held=taken) == "", "half an hour before its start it can still be had"
    tags = [taken]
    for later in (timedelta(microseconds=1), timedelta(minutes=1), timedelta(minutes=1, microseconds=1)):
        served.clock.move_to(NOW + timedelta(hours=23) + later)
        tags.append(await tag(served, held=tags[-1]))
    assert tags[2] == "", "29 minutes and a bit are 29 minutes"
    served.clock.move_to(NOW + timedelta(hours=23, minutes=30))
    assert await tag(served, held=tags[-1]) not in ("", *tags)
    assert "" not in (tags[1], tags[3])


async def test_a_resident_whose_quota_is_used_up_is_told_so_and_nobody_else(served: Served) -> None:
    for hour in (12, 13, 14):
        made = await served.book("resident", slot("painting", hour, day=27))
    others = [await tag(served, who, made["position"]) for who in (None, "resident2", "staff", "volunteer")]
    assert len(set(others)) == 1
    assert await tag(served, "resident", made["position"], held=others[0]) not in ("", others[0])
    answer = await served.get("resident", "availability", made["position"], query=WEDNESDAY)
    (slots,) = [day["slots"] for room in answer.json()["rooms"] for day in room["days"]]
    assert {reason["rule"] for slot in slots for reason in slot["reasons"]} == {"quota_reached"}


async def test_who_asks_for_a_position_is_not_told_that_an_older_answer_holds(served: Served) -> None:
    first = await tag(served)
    made = await served.book("resident", slot("painting"))
    assert await tag(served, position=made["position"], held=first) not in ("", first)


async def test_nobody_is_named(served: Served) -> None:
    made = await served.book("resident", slot("painting"))
    answer = await served.get(None, "availability", made["position"])
    assert made["id"] not in answer.text
    assert served.people["resident"] not in answer.text

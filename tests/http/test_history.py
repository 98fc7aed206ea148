"""What was done with a booking, by whom, in sentences that its reader may read."""

from datetime import timedelta

import pytest
from tests.http.conftest import NOW, Served, at, slot

from booking.subjects import EVENTS
from linyue.api.history import sentence
from linyue.words import events

pytestmark = pytest.mark.asyncio


async def test_a_bookings_life_is_told_oldest_first(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24, purpose="练字"))
    path = f"bookings/{made['id']}"
    await served.post("resident", f"{path}/check-in")
    served.clock.move_to(NOW + timedelta(minutes=20))
    await served.post("volunteer", f"{path}/check-in")
    served.clock.move_to(NOW + timedelta(hours=3))
    await served.close_out(made["id"])
    answer = (await served.get("resident", f"{path}/history", made["position"] + 3)).json()
    assert [(item["type"], item["actor"]["role"], item["text"]) for item in answer["items"]] == [
        ("BookingConfirmed", "resident", "预约 11月24日 10:00–11:00，书画，1 份，已确认。"),
        ("BookingChangeRefused", "resident", "“签到”未通过：开始前 15 分钟起可以签到，即 11月24日 09:45 起。"),
        ("BookingCheckedIn", "volunteer", "已签到。"),
        ("BookingCompleted", "system", "预约已完成。"),
    ]
    first, *_, last = answer["items"]
    assert first.keys() == {
        "position", "at", "due", "type", "actor", "channel", "text", "purpose", "note", "hash",
    }  # fmt: skip
    assert (first["at"], first["channel"], first["purpose"]) == (at(9, 30, day=24), "api", "练字")
    assert (last["at"], last["due"]) == (at(12, 30, day=24), at(11, day=24))
    assert answer["next"] is None


async def test_a_move_tells_where_to_and_a_refused_one_where_it_was_to_go(served: Served) -> None:
    made = await served.book("resident", slot("painting", 14))
    path = f"bookings/{made['id']}"
    await served.post("resident", f"{path}/reschedule", slot("painting", 15))
    await served.post("resident", f"{path}/reschedule", slot("hall", 16, use="整场"))
    refused = await served.post("resident", f"{path}/reschedule", slot("painting", 3))
    last = await served.post("staff2", f"{path}/approve")
    assert (refused.status_code, last.status_code) == (409, 200)
    names = {room["id"]: room["name"] for room in (await served.get("resident", "rooms")).json()["items"]}
    outside = "Outside opening hours: open 09:00-21:00 that day."
    for language, texts in {
        "zh": [
            "改为11月25日 15:00–16:00，书画，1 份，已确认。",
            f"改为{names['hall']}，11月25日 16:00–17:00，整场，1 份，等待审核。",
            f"“改约”（{names['painting']}，11月25日 03:00–04:00）未通过：不在开放时间内：当天开放 09:00-21:00。",
        ],
        "en": [
            "Moved to 25 Nov 15:00–16:00, 书画, 1 unit(s); confirmed.",
            f"Moved to {names['hall']}, 25 Nov 16:00–17:00, 整场, 1 unit(s); awaiting approval.",
            f"To reschedule ({names['painting']}, 25 Nov 03:00–04:00) was refused: {outside}",
        ],
    }.items():
        headers = {"Accept-Language": language}
        answer = await served.get("resident", f"{path}/history", last.json()["position"], headers=headers)
        assert [item["text"] for item in answer.json()["items"]][1:4] == texts


async def test_a_resident_sees_of_others_no_more_than_is_theirs_to_see(served: Served) -> None:
    made = await served.book("resident", slot("hall", 10, day=24))
    path = f"bookings/{made['id']}"
    await served.post("staff2", f"{path}/approve", {"note": "请早到"})
    served.clock.move_to(NOW + timedelta(minutes=20))
    last = await served.post("volunteer", f"{path}/check-in")

    async def told(who: str, language: str = "zh") -> list[tuple[str, str | None]]:
        headers = {"Accept-Language": language}
        answer = await served.get(who, f"{path}/history", last.json()["position"], headers=headers)
        return [(item["actor"]["name"], item["note"]) for item in answer.json()["items"]]

    assert await told("resident") == [("王秀英", None), ("工作人员", "请早到"), ("陈**", None)]
    assert await told("resident", "en") == [("王秀英", None), ("staff", "请早到"), ("陈**", None)]
    assert await told("staff2") == [("王秀英", None), ("刘洋", "请早到"), ("陈美华", None)]
    assert await told("volunteer") == [("王秀英", None), ("刘洋", None), ("陈美华", None)]


async def test_whoever_was_erased_has_no_name_any_more(served: Served) -> None:
    made = await served.book("resident")
    parts = served.parts[0]
    async with parts.pool.acquire() as connection:
        await parts.vault.erase(connection, served.people["resident"])  # type: ignore[arg-type]
    for language, name in (("zh", "已注销"), ("en", "erased")):
        headers = {"Accept-Language": language}
        answer = await served.get("staff", f"bookings/{made['id']}/history", made["position"], headers=headers)
        assert answer.json()["items"][0]["actor"] == {"role": "resident", "name": name}


async def test_a_list_goes_on_from_its_cursor(served: Served) -> None:
    made = await served.book("resident")
    path = f"bookings/{made['id']}/history"
    rest = await served.get("resident", path, made["position"], query={"cursor": str(made["position"])})
    assert rest.json()["items"] == []
    assert (await served.get("resident", path, query={"cursor": "-1"})).status_code == 400


async def test_every_event_of_the_golden_file_has_its_sentence() -> None:
    """No figure of a sentence is missing in any event ever shipped, in either language."""
    import json
    from pathlib import Path
    from zoneinfo import ZoneInfo

    lines = (Path(__file__).parent.parent / "log/golden/events.ndjson").read_text(encoding="utf-8").splitlines()
    golden = [json.loads(line) for line in lines]
    assert {line["type"] for line in golden} >= {type_.__name__ for type_ in EVENTS}
    for line in golden:
        for language in ("zh", "en"):
            said = sentence(line["type"], line["data"], language, ZoneInfo("Asia/Shanghai"))
            assert said
            assert "{" not in said
            assert "None" not in said, said
    assert len(events.EVENTS) == len(EVENTS)

"""The log as auditors read it: what stands there, to be proved with nothing but SHA-256."""

import hashlib
import json
from itertools import pairwise

import pytest
from tests.http.conftest import Served, slot

pytestmark = pytest.mark.asyncio


async def test_the_chain_can_be_proved_from_what_is_answered(served: Served) -> None:
    made = await served.book("resident")
    body = (await served.get("auditor", "audit/events", made["position"])).json()
    items = body["items"]
    assert [item["position"] for item in items] == list(range(1, made["position"] + 1))
    assert items[0]["prev_hash"] == hashlib.sha256(b"linyuegumei").hexdigest()
    for item in items:
        chained = hashlib.sha256(bytes.fromhex(item["prev_hash"]) + item["stored"].encode()).hexdigest()
        assert item["hash"] == chained
        envelope = json.loads(item["stored"])
        assert (envelope["type"], envelope["data"], envelope["actor"]) == (item["type"], item["data"], item["actor"])
    assert all(later["prev_hash"] == earlier["hash"] for earlier, later in pairwise(items))


async def test_an_event_is_told_with_its_tags(served: Served) -> None:
    made = await served.book("resident", slot("painting", purpose="私事"))
    query = {"booking": made["id"]}
    (item,) = (await served.get("auditor", "audit/events", made["position"], query=query)).json()["items"]
    assert item.keys() == {
        "position", "at", "type", "version", "actor", "role", "channel", "tags", "data", "prev_hash", "hash", "stored",
    }  # fmt: skip
    assert item["tags"] == [
        f"booking:{made['id']}",
        "resource:floor:2026-11-25",
        f"person:{served.people['resident']}:2026-11",
    ]
    assert item["at"].endswith("+08:00")
    assert "私事" not in item["stored"]


async def test_events_are_found_by_room_person_booking_and_type_page_by_page(served: Served) -> None:
    first = await served.book("resident", slot("painting", 10))
    second = await served.book("resident2", slot("painting", 11))
    last = await served.post("resident", f"bookings/{first['id']}/cancel")
    position = last.json()["position"]

    async def found(**query: str | int) -> list[int]:
        answer = await served.get("admin", "audit/events", position, query=query)
        return [item["position"] for item in answer.json()["items"]]

    assert await found(person=served.people["resident"]) == [first["position"], position]
    assert await found(booking=second["id"]) == [second["position"]]
    assert await found(type="BookingCancelled") == [position]
    assert await found(room="painting", type="BookingConfirmed") == [first["position"], second["position"]]

    page = (await served.get("admin", "audit/events", position, query={"limit": 5})).json()
    assert (len(page["items"]), page["next"]) == (5, "5")
    rest = (await served.get("admin", "audit/events", position, query={"after": page["next"]})).json()
    assert (rest["items"][0]["position"], rest["next"]) == (6, None)
    followed = (await served.get("admin", "audit/events", position, query={"cursor": page["next"]})).json()
    assert followed["items"] == rest["items"], "whoever follows `next` as everywhere else never ends"


async def test_a_page_that_cannot_be_is_malformed(served: Served) -> None:
    for query in (
        {"limit": 0},
        {"limit": 501},
        {"after": -1},
        {"after": "x"},
        {"after": 10**30},
        {"cursor": "x"},
        {"room": "a\0b"},
    ):
        answer = await served.get("auditor", "audit/events", query=query)
        assert answer.status_code == 400, query

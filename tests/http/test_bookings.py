"""Asking for a booking over HTTP, and what becomes of it."""

import pytest
from tests.http.conftest import Served, at, slot

pytestmark = pytest.mark.asyncio


async def test_a_booking_is_made_and_leaves_the_grid(served: Served) -> None:
    made = await served.post("resident", "bookings", slot("tribe", use="乒乓球"))
    assert made.status_code == 201
    body = made.json()
    assert list(body) == [
        "id", "code", "room", "use", "start", "end", "units", "state", "person", "booked_by", "position",
    ]  # fmt: skip
    assert body["start"] == at(14)
    assert body["state"] == "confirmed"
    assert made.headers["X-Log-Position"] == str(body["position"])
    assert made.headers["Location"] == f"/api/v1/bookings/{body['id']}"

    query = {"room": "tribe", "use": "乒乓球", "from_": "2026-11-25", "to": "2026-11-25"}
    grid = (await served.get(None, "availability", body["position"], **query)).json()
    free = {s["start"]: s["free"] for s in grid["rooms"][0]["days"][0]["slots"]}
    assert free[at(14)] == 2
    assert free[at(15)] == 3

    seen = (await served.get("resident", f"bookings/{body['id']}", body["position"])).json()
    assert {**seen, **body} == {**seen, "position": body["position"]}
    assert seen["actions"] == ["cancel"]

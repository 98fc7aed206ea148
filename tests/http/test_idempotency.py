"""The same key with the same body gives the first answer again, status and all, from whichever worker."""

import asyncio

import pytest
from tests.http.conftest import Served, slot

pytestmark = pytest.mark.asyncio


async def test_a_retry_gets_the_first_answer_again_from_either_worker(served: Served) -> None:
    key = {"Idempotency-Key": "a key with spaces"}
    first = await served.post("resident", "bookings", slot(), headers=key)
    again = [await served.post("resident", "bookings", slot(), headers=key, worker=n) for n in (0, 1)]
    assert first.status_code == 201
    assert {(a.status_code, a.text, a.headers["X-Log-Position"]) for a in again} == {
        (201, first.text, first.headers["X-Log-Position"])
    }


async def test_both_copies_at_once_make_one_booking(served: Served) -> None:
    key = {"Idempotency-Key": "k"}
    copies = [
        served.post("resident", "bookings", slot("tribe", use="乒乓球"), headers=key, worker=n % 2) for n in range(8)
    ]
    answers = await asyncio.gather(*copies)
    assert {(a.status_code, a.text) for a in answers} == {(201, answers[0].text)}
    mine = (await served.get("resident", "me/bookings", answers[0].json()["position"])).json()
    assert len(mine["items"]) == 1


async def test_a_refusal_is_given_again_field_for_field(served: Served) -> None:
    """Alternatives are advice and may be fresh."""
    made = await served.book("resident2", slot())
    key = {"Idempotency-Key": "k"}
    first = await served.post("resident", "bookings", slot(), headers=key)
    await served.post("resident2", f"bookings/{made['id']}/cancel")
    again = await served.post("resident", "bookings", slot(), headers=key, worker=1)
    assert (again.status_code, first.status_code) == (409, 409)
    assert {**again.json(), "alternatives": []} == {**first.json(), "alternatives": []}


async def test_the_key_with_another_body_or_for_another_call_is_refused(served: Served) -> None:
    key = {"Idempotency-Key": "k"}
    made = (await served.post("resident", "bookings", slot(), headers=key)).json()
    other_body = await served.post("resident", "bookings", slot(hour=16), headers=key)
    other_call = await served.post("resident", f"bookings/{made['id']}/cancel", {}, headers=key)
    assert [a.status_code for a in (other_body, other_call)] == [422, 422]
    assert other_body.headers["content-type"] == "application/problem+json"


async def test_the_same_body_written_otherwise_is_the_same(served: Served) -> None:
    key = {"Idempotency-Key": "k"}
    body = slot()
    first = await served.post("resident", "bookings", body, headers=key)
    again = await served.post("resident", "bookings", {**dict(reversed(body.items())), "units": 1}, headers=key)
    assert again.text == first.text


async def test_a_key_belongs_to_who_sends_it(served: Served) -> None:
    key = {"Idempotency-Key": "k"}
    await served.post("resident", "bookings", slot(), headers=key)
    other = await served.post("resident2", "bookings", slot(hour=16), headers=key)
    assert other.status_code == 201


async def test_a_key_has_at_most_200_bytes(served: Served) -> None:
    longest = await served.post("resident", "bookings", slot(), headers={"Idempotency-Key": "k" * 200})
    longer = await served.post("resident", "bookings", slot(hour=16), headers={"Idempotency-Key": "k" * 201})
    assert (longest.status_code, longer.status_code) == (201, 400)
    none = await served.post("resident", "bookings", slot(hour=16), headers={"Idempotency-Key": ""})
    assert none.json()["detail"] == "Idempotency-Key 要有 1 到 200 个字节。"


async def test_a_cancellation_is_answered_again_as_it_was(served: Served) -> None:
    made = await served.book("resident")
    path, key = f"bookings/{made['id']}/cancel", {"Idempotency-Key": "c"}
    first = await served.post("resident", path, {"reason": "ill"}, headers=key)
    again = await served.post("resident", path, {"reason": "ill"}, headers=key, worker=1)
    without = await served.post("resident", path, {"reason": "ill"})
    assert (first.status_code, again.text, without.status_code) == (200, first.text, 409)

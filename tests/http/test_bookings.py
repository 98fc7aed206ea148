"""Asking for a booking over HTTP, and what becomes of it."""

from datetime import timedelta

import asyncpg
import pytest
from tests.http.conftest import NOW, Served, at, slot

from linyue.identity import BUDGETS

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

    query = {"room": "tribe", "use": "乒乓球", "from": "2026-11-25", "to": "2026-11-25"}
    grid = (await served.get(None, "availability", body["position"], query=query)).json()
    free = {s["start"]: s["free"] for s in grid["rooms"][0]["days"][0]["slots"]}
    assert free[at(14)] == 2
    assert free[at(15)] == 3


async def test_a_taken_slot_is_refused_with_figures_and_what_is_free_instead(served: Served) -> None:
    await served.book("resident", slot("painting"))
    refused = await served.post("resident2", "bookings", slot("painting"))
    body = refused.json()
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    (reason,) = body["reasons"]
    assert {**reason, "message": ""} == {
        "rule": "slot_taken", "message": "", "limit": 1, "actual": 1, "rules_version": 1,
    }  # fmt: skip
    assert body["detail"] == reason["message"] == "已被预约：共 1 份，这段时间已约出 1 份。"
    first, *others = body["alternatives"]
    assert first.keys() == {"room", "use", "start", "end", "free"}
    assert {(a["room"], a["start"]) for a in (first, *others[:1])} == {("painting", at(13)), ("painting", at(15))}
    assert any(a["room"] == "ink" and a["start"] == at(14) for a in others)


async def test_every_alternative_can_be_had_for_as_long_and_as_many(served: Served) -> None:
    """A refusal's advice is held to its word: each of them is booked."""
    await served.book("staff", slot("tribe", hours=2, use="乒乓球", units=2))
    refused = await served.post("staff", "bookings", slot("tribe", hours=2, use="乒乓球", units=2))
    alternatives = refused.json()["alternatives"]
    assert len(alternatives) == 5
    for a in alternatives[:1] + alternatives[-1:]:
        await served.book("staff", {**{k: a[k] for k in ("room", "use", "start", "end")}, "units": 2})


async def test_a_refusal_says_what_was_asked_for_as_it_was_understood(served: Served) -> None:
    await served.book("resident", slot("painting"))
    wanted = {"room": "painting", "start": "2026-11-25T06:00:00Z", "end": "2026-11-25T07:00:00Z", "attendees": 4}
    for who, start in (("resident2", 14), ("resident", 14)):
        body = (await served.post(who, "bookings", wanted)).json()
        assert body["asked"] == {
            "room": "painting", "use": "书画", "start": at(start), "end": at(15), "units": 1, "attendees": 4,
        }  # fmt: skip


async def test_staff_are_offered_rooms_of_their_own_stations_alone(served: Served) -> None:
    await served.book("staff", slot("painting", 9, 3))
    for hour in (12, 15, 18):
        await served.book("staff", slot("painting", hour, 3))
    offered = {}
    for who in ("staff", "admin", "resident"):
        refused = (await served.post(who, "bookings", slot("painting"))).json()
        offered[who] = {one["room"] for one in refused["alternatives"]}
    assert offered == {"staff": {"painting"}, "admin": {"ink"}, "resident": {"ink"}}


async def test_a_check_writes_nothing_anywhere_but_counts_as_a_request(served: Served) -> None:
    made = await served.book("resident2", slot("painting"))
    await served.level(made["position"])
    before = await everything(served)
    bodies = (slot("painting", 16, purpose="练字"), slot("painting", purpose="练字"), slot("nowhere"), {"room": "x"})
    for status, body in zip((200, 200, 404, 400), bodies, strict=True):
        answer = await served.post("resident", "bookings/check", body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == status, answer.text
    assert await everything(served) == before
    # The key was not used up either.
    kept = await served.post("resident", "bookings", slot("painting", 16), headers={"Idempotency-Key": "k"})
    assert kept.status_code == 201
    for parts in served.parts:
        parts.identity.allow(BUDGETS)
    # The booking was the first of twenty.
    answers = [await served.post("resident2", "bookings/check", slot("nowhere")) for _ in range(20)]
    assert [a.status_code for a in answers] == [404] * 19 + [429]


async def everything(served: Served) -> dict[str, str]:
    """What stands in every table of the log, the vault and the read models."""
    connection = await asyncpg.connect(served.database.superuser)
    try:
        tables = await connection.fetch(
            "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN "
            "('booking', 'availability', 'agenda', 'due', 'history') ORDER BY 1"
        )
        digest = "SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {} t"
        return {name: await connection.fetchval(digest.format(name)) for (name,) in tables}
    finally:
        await connection.close()


async def test_whoever_has_no_bookings_left_is_offered_none(served: Served) -> None:
    for hour in (10, 12, 16):
        await served.book("resident", slot("painting", hour))
    refused = (await served.post("resident", "bookings", slot("painting", 18))).json()
    assert [reason["rule"] for reason in refused["reasons"]] == ["quota_reached"]
    assert refused["alternatives"] == []


async def test_a_refusal_names_every_rule_broken(served: Served) -> None:
    wanted = {"room": "painting", "start": at(8, 10, day=24), "end": at(12, 20, day=24), "attendees": 40}
    body = (await served.post("resident", "bookings", wanted)).json()
    rules = [reason["rule"] for reason in body["reasons"]]
    assert rules == ["in_the_past", "outside_hours", "too_long", "too_many_people"]


async def test_instants_of_any_offset_are_taken_and_answered_in_the_subdistricts(served: Served) -> None:
    made = await served.book(
        "resident", {"room": "painting", "start": "2026-11-25T06:00:00Z", "end": "2026-11-25T08:00:00+01:00"}
    )
    assert (made["start"], made["end"]) == (at(14), at(15))


MALFORMED: tuple[tuple[dict[str, object], str], ...] = (
    ({"start": "2026-11-25T14:00:00"}, "start"),
    ({"start": "tomorrow"}, "start"),
    ({"start": 1764050400}, "start"),
    ({"end": at(13)}, "end"),
    ({"end": at(14)}, "end"),
    ({"end": "2027-11-25T14:00:00+08:00"}, "end"),
    ({"start": "0001-01-01T00:00:00+23:59", "end": at(15)}, "start"),
    ({"end": "9999-12-31T23:59:59-12:00"}, "end"),
    ({"units": 0}, "units"),
    ({"units": "2"}, "units"),
    ({"units": 1.5}, "units"),
    ({"units": 10**30}, "units"),
    ({"room": "x" * 65}, "room"),
    ({"room": ""}, "room"),
    ({"room": "paint\0ing"}, "room"),
    ({"room": None}, "room"),
    ({"purpose": "长" * 501}, "purpose"),
    ({"colour": "red"}, "colour"),
    ({"attendees": -1}, "attendees"),
)


async def test_a_malformed_request_is_told_which_field_to_mend(served: Served) -> None:
    for wrong, field in MALFORMED:
        answer = await served.post("resident", "bookings", {**slot(), **wrong}, headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.json().get("field")) == (400, field), answer.text
        assert f"`{field}`" in answer.json()["detail"]


async def test_a_body_that_is_none_is_malformed_or_too_large(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.tokens['resident']}", "Content-Type": "application/json"}
    bodies = (b"", b"{", b"[]", b"nonsense", b'{"room": "\xff"}', b'{"room": "\\ud800"}', b" " * 70_000)
    for body in bodies:
        answer = await served.clients[0].post("/api/v1/bookings", content=body, headers=headers)
        assert answer.status_code == (413 if len(body) > 65_536 else 400), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_was_not_sent_is_what_is_missing(served: Served) -> None:
    answer = await served.post("resident", "bookings", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "The request needs a JSON body.")
    assert "field" not in answer.json()


async def test_a_use_may_be_left_out_only_where_there_is_one(served: Served) -> None:
    assert (await served.book("resident", slot("painting")))["use"] == "书画"
    answer = await served.post("resident", "bookings", slot("tribe"))
    assert (answer.status_code, answer.json()["field"]) == (400, "use")
    assert (await served.post("resident", "bookings", slot("tribe", use="潜水"))).status_code == 404
    assert (await served.post("resident", "bookings", slot("nowhere"))).status_code == 404


async def test_staff_book_in_their_stations_name_without_a_quota(served: Served) -> None:
    for hour in range(10, 18):
        made = await served.book("staff", slot("painting", hour))
        assert (made["person"], made["booked_by"]) == ("station:wanyuan", served.people["staff"])


async def test_staff_book_for_a_resident_whose_quota_counts(served: Served) -> None:
    person = served.people["resident"]
    for hour in (10, 11, 12):
        made = await served.book("staff", slot("painting", hour, person=person))
        assert (made["person"], made["booked_by"]) == (person, served.people["staff"])
    refused = await served.post("staff", "bookings", slot("painting", 13, person=person))
    assert [reason["rule"] for reason in refused.json()["reasons"]] == ["quota_reached"]


async def test_nobody_books_for_whom_they_may_not(served: Served) -> None:
    """No text that a caller makes up enters the log as a person."""
    other = served.people["resident2"]
    assert (await served.post("resident", "bookings", slot(person=other))).status_code == 403
    assert (await served.post("resident", "bookings", slot(person="station:wanyuan"))).status_code == 403
    assert (await served.post("staff", "bookings", slot(person="王秀英"))).status_code == 404
    assert (await served.post("staff", "bookings", slot(person="station:gulong"))).status_code == 403
    elsewhere = await served.post("staff", "bookings", slot("ink"))
    assert (elsewhere.status_code, elsewhere.json()["detail"]) == (403, "这个活动室不归您的站点管理。")
    assert (await served.post("staff", "bookings", slot("nowhere"))).status_code == 404


async def test_a_booking_is_checked_in_within_its_window_and_completed_at_its_end(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24))
    path = f"bookings/{made['id']}"
    early = (await served.post("resident", f"{path}/check-in")).json()
    assert [(r["rule"], r["limit"], r["actual"], r["possible_from"]) for r in early["reasons"]] == [
        ("too_early", 15, 30, at(9, 45, day=24))
    ]
    served.clock.move_to(NOW + timedelta(minutes=20))
    checked_in = await served.post("resident", f"{path}/check-in")
    assert (checked_in.status_code, checked_in.json()["state"]) == (200, "checked_in")
    served.clock.move_to(NOW + timedelta(hours=2))
    assert (await served.get("resident", path, checked_in.json()["position"])).json()["state"] == "completed"


async def test_what_a_change_does_not_know_is_refused_and_nothing_is_as_good_as_an_empty_body(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24))
    served.clock.move_to(NOW + timedelta(minutes=20))
    path, key = f"bookings/{made['id']}/check-in", {"Idempotency-Key": "k"}
    unknown = await served.post("resident", path, {"people": 3})
    assert (unknown.status_code, unknown.json()["field"]) == (400, "people")
    none, empty = [await served.post("resident", path, body, headers=key) for body in (None, dict[str, object]())]
    assert (none.status_code, empty.text) == (200, none.text)


async def test_whoever_holds_a_booking_gives_it_up_before_it_starts(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24))
    path = f"bookings/{made['id']}/cancel"
    served.clock.move_to(NOW + timedelta(minutes=31))
    late = await served.post("resident", path, {"reason": "ill"})
    assert [reason["rule"] for reason in late.json()["reasons"]] == ["already_started"]
    by_staff = await served.post("staff", path, {"reason": "staff_decision", "note": "电路检修"})
    assert (by_staff.status_code, by_staff.json()["state"]) == (200, "cancelled")
    again = await served.post("staff", path)
    assert [(r["rule"], r["actual"]) for r in again.json()["reasons"]] == [("wrong_state", "cancelled")]


async def test_a_reason_is_one_of_those_that_the_caller_can_have(served: Served) -> None:
    made = await served.book("resident")
    path = f"bookings/{made['id']}/cancel"
    for reason in ("staff_decision", "room_closed", "because", ""):
        answer = await served.post("resident", path, {"reason": reason})
        assert (answer.status_code, answer.json()["field"]) == (400, "reason")
        assert "changed_plans, ill" in answer.json()["detail"]
    assert (await served.post("resident", path)).json()["state"] == "cancelled"


async def test_nobody_is_said_to_have_given_a_reason_that_they_did_not(served: Served) -> None:
    """The log keeps for ever what it says of people."""
    for who, reason in (("resident", "other"), ("staff", "staff_decision")):
        made = await served.book("resident")
        ended = await served.post(who, f"bookings/{made['id']}/cancel")
        told = await served.get("resident", f"bookings/{made['id']}", ended.json()["position"])
        assert told.json()["reason"] == reason


async def test_what_awaits_approval_is_approved_or_rejected_by_staff(served: Served) -> None:
    first = await served.book("resident", slot("hall", 10))
    second = await served.book("resident", slot("hall", 12))
    assert first["state"] == second["state"] == "awaiting_approval"
    approved = await served.post("staff2", f"bookings/{first['id']}/approve", {"note": "请带好画具"})
    assert (approved.status_code, approved.json()["state"]) == (200, "confirmed")
    assert (await served.post("staff2", f"bookings/{second['id']}/reject", {})).json()["field"] == "reason"
    rejected = await served.post("staff2", f"bookings/{second['id']}/reject", {"reason": "needed_by_station"})
    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")


async def test_past_the_budget_the_first_answer_is_told_again(served: Served) -> None:
    """A phone that asks again because it heard nothing is told what was decided, however often it asks."""
    for parts in served.parts:
        parts.identity.allow(BUDGETS)
    body = slot("nowhere")
    answers = [await served.post("resident", "bookings", body, headers={"Idempotency-Key": "again"}) for _ in range(23)]
    assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}
    assert (await served.post("resident", "bookings", body, headers={"Idempotency-Key": "new"})).status_code == 429


async def test_past_the_budget_a_resident_is_told_when_to_come_back(served: Served) -> None:
    """Counted over both workers; what is throttled never reaches the log."""
    for parts in served.parts:
        parts.identity.allow(BUDGETS)
    answers = [await served.post("resident", "bookings", slot("nowhere"), worker=n % 2) for n in range(21)]
    assert [a.status_code for a in answers] == [404] * 20 + [429]
    # 09:30:00, a window of 60 s has just begun.
    assert answers[-1].headers["Retry-After"] == "61"
    assert (await served.post("resident2", "bookings", slot("nowhere"))).status_code == 404

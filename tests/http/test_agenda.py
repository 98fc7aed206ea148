"""Bookings as they stand, to those who may see them, and what each may do with them."""

import base64
import json
from datetime import datetime, timedelta

import pytest
from tests.http.conftest import NOW, Served, at, slot

from booking.desk import new_command_id
from booking.messages import Ask, Command, Outcome
from booking.reservations.checks import CHECKS
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    EndBooking,
    ExtendBooking,
    RejectBooking,
    RescheduleBooking,
)
from linyue.api.asking import reasons_of
from linyue.permissions import ACTIONS, scope_of

pytestmark = pytest.mark.asyncio

OF_SLOTS = {check.__name__ for check in CHECKS}
ROLES = ("resident", "volunteer", "staff2", "auditor", "admin")


async def test_a_booking_is_told_with_its_station_its_purpose_and_what_becomes_of_it(served: Served) -> None:
    made = await served.book("resident", slot("painting", 10, day=24, purpose="和邻居练字", attendees=2))
    seen = (await served.get("resident", f"bookings/{made['id']}", made["position"])).json()
    assert seen == {
        **made,
        "position": seen["position"],
        "station": "wanyuan",
        "attendees": 2,
        "made_at": at(9, 30, day=24),
        "checked_in_at": None,
        "ended_at": None,
        "due_at": at(10, 15, day=24),
        "becomes": "no_show",
        "reason": None,
        "purpose": "和邻居练字",
        "note": None,
        "actions": ["cancel", "reschedule", "extend"],
        "not_now": [
            {
                "action": "end",
                "reason": {
                    "rule": "wrong_state",
                    "message": "这个预约现在是“已确认”，不能这样做。",
                    "limit": "checked_in",
                    "actual": "confirmed",
                    "rules_version": 1,
                },
            },
            {
                "action": "check_in",
                "reason": {
                    "rule": "too_early",
                    "message": "开始前 15 分钟起可以签到，即 11月24日 09:45 起。",
                    "limit": 15,
                    "actual": 30,
                    "rules_version": 1,
                    "possible_from": at(9, 45, day=24),
                },
            },
        ],
    }
    served.clock.move_to(NOW + timedelta(minutes=45))
    missed = (await served.get("resident", f"bookings/{made['id']}")).json()
    assert (missed["state"], missed["actions"]) == ("no_show", [])


async def test_purpose_and_note_are_not_for_whoever_only_marks_who_came(served: Served) -> None:
    made = await served.book("resident", slot("painting", purpose="私事"))
    path = f"bookings/{made['id']}"
    cancelled = await served.post("resident", f"{path}/cancel", {"note": "家里有事"})
    told = {
        who: (await served.get(who, path, cancelled.json()["position"])).json()
        for who in ("resident", "volunteer", "staff", "auditor", "admin")
    }
    assert {who: (t["purpose"], t["note"]) for who, t in told.items()} == {
        "resident": ("私事", "家里有事"),
        "volunteer": (None, None),
        "staff": ("私事", "家里有事"),
        "auditor": ("私事", "家里有事"),
        "admin": ("私事", "家里有事"),
    }


async def test_what_was_erased_from_the_vault_is_told_no_more(served: Served) -> None:
    made = await served.book("resident", slot("painting", purpose="私事"))
    parts = served.parts[0]
    async with parts.pool.acquire() as connection:
        await parts.vault.erase(connection, served.people["resident"])  # type: ignore[arg-type]
    seen = (await served.get("resident", f"bookings/{made['id']}", made["position"])).json()
    assert seen["purpose"] is None


async def test_actions_are_what_the_desk_would_do(served: Served) -> None:
    """Told for each role, of bookings in every state, and held against decisions that write nothing."""
    confirmed = await served.book("resident", slot("hall", 10, day=24))
    await served.post("staff2", f"bookings/{confirmed['id']}/approve")
    waiting = await served.book("resident", slot("hall", 11, day=24))
    later = await served.book("resident", slot("ink", 11, day=24))
    ids = [confirmed["id"], waiting["id"], later["id"]]
    await served.level(later["position"])
    for minutes in (0, 14, 15, 30, 44, 45, 95):
        served.clock.move_to(NOW + timedelta(minutes=minutes))
        if minutes == 44:
            last = await served.post("resident", f"bookings/{confirmed['id']}/check-in")
            assert last.json()["state"] == "checked_in"
            await served.level(last.json()["position"])
        for who in ROLES:
            for booking in ids:
                told, decided = await told_of(served, who, booking), await decided_of(served, who, booking)
                assert told == decided, (minutes, who, booking)


async def told_of(served: Served, who: str, booking: str) -> dict[str, str | None]:
    """What a caller is told to be able to do, and what not for which reason."""
    body = (await served.get(who, f"bookings/{booking}")).json()
    if "actions" not in body:
        return {}
    return dict.fromkeys(body["actions"]) | {one["action"]: one["reason"]["rule"] for one in body["not_now"]}


async def decided_of(served: Served, who: str, booking: str) -> dict[str, str | None]:
    """The same by the desk; of a new slot it may still say no for the slot's sake."""
    parts = served.parts[0]
    actor = await parts.identity.account(served.people[who])
    assert actor is not None
    start, end = (datetime.fromisoformat(at(hour, day=26)) for hour in (10, 11))
    commands: dict[str, Command] = {
        "cancel": CancelBooking(booking=booking, reason="other"),
        "check_in": CheckIn(booking=booking),
        "approve": ApproveBooking(booking=booking),
        "reject": RejectBooking(booking=booking, reason="other"),
        "reschedule": RescheduleBooking(booking=booking, start=start, end=end),
        "extend": ExtendBooking(booking=booking, end=datetime.fromisoformat(at(13, day=24))),
        "end": EndBooking(booking=booking),
    }
    decided: dict[str, str | None] = {}
    for action, call in ACTIONS.items():
        scope = scope_of(call, actor.role)
        if scope is None:
            continue
        asked = Ask(id=new_command_id(), command=commands[action], asker=actor.asker(scope, "api"), dry_run=True)
        answer = await parts.desk.ask(asked)
        if answer.outcome is not Outcome.DENIED:
            reasons = reasons_of(answer) if answer.outcome is Outcome.REFUSED else ()
            decided[action] = next((reason.rule for reason in reasons if reason.rule not in OF_SLOTS), None)
    return decided


async def test_ones_own_bookings_are_listed_by_state_and_day_and_page_by_page(served: Served) -> None:
    first = await served.book("resident", slot("painting", 10, day=25))
    second = await served.book("resident", slot("painting", 10, day=26))
    third = await served.book("resident", slot("hall", 10, day=27))
    await served.book("resident2", slot("painting", 12, day=25))
    await served.post("resident", f"bookings/{first['id']}/cancel")
    last = await served.post("resident", f"bookings/{second['id']}/cancel", {"reason": "ill"})
    position = last.json()["position"]

    async def mine(**query: str | int) -> list[str]:
        answer = await served.get("resident", "me/bookings", position, query=query)
        return [item["id"] for item in answer.json()["items"]]

    assert await mine() == [first["id"], second["id"], third["id"]]
    assert await mine(state="cancelled") == [first["id"], second["id"]]
    assert await mine(state="cancelled,awaiting_approval", **{"from": "2026-11-26"}) == [second["id"], third["id"]]
    assert await mine(to="2026-11-25") == [first["id"]]

    page = (await served.get("resident", "me/bookings", position, query={"limit": 2})).json()
    rest = (await served.get("resident", "me/bookings", position, query={"limit": 2, "cursor": page["next"]})).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [first["id"], second["id"], third["id"]]
    assert rest["next"] is None


async def test_a_list_that_is_asked_for_wrongly_says_what_is_wrong(served: Served) -> None:
    for query, field in (
        ({"state": "gone"}, "state"),
        ({"cursor": "gone"}, "cursor"),
        ({"cursor": "x" * 400}, "cursor"),
        ({"cursor": cursor(["2026-11-25T00:00:00", "b"])}, "cursor"),
        ({"cursor": cursor(["2026-11-25T00:00:00Z", "a\0b"])}, "cursor"),
        ({"cursor": cursor(["9999-12-31T23:59:59-12:00", "b"])}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"from": "3000-01-01"}, "from"),
        ({"to": "soon"}, "to"),
    ):
        answer = await served.get("resident", "me/bookings", query=query)
        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


def cursor(values: list[str]) -> str:
    """One that nobody gave out."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


async def test_a_booking_that_is_not_there_and_one_of_another_look_the_same(served: Served) -> None:
    made = await served.book("resident")
    for path in ("", "/history"):
        other = await served.get("resident2", f"bookings/{made['id']}{path}", made["position"])
        none = await served.get("resident2", f"bookings/0123456789abcdefghjk{path}")
        assert (other.status_code, other.text) == (404, none.text)
    assert (await served.get("resident", f"bookings/{'x' * 65}")).status_code == 400
    assert (await served.get("resident", "bookings/a%00b")).status_code == 400

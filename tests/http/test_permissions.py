"""Who may call what: the table says what was promised, the docs say the table, and every call is held to it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from litestar import Litestar, get
from tests.http.conftest import Served, at, slot

from booking.messages import Role
from linyue import permissions
from linyue.permissions import TABLE, WHO, NoEntry, Who, as_markdown, scope_of

DOCS = Path(__file__).parent.parent.parent / "docs/permissions.md"
READING = {"GET stations", "GET rooms", "GET availability"}
# Who asks, as each role: by name, so that some ask about what is another's.
CALLERS: dict[Who, tuple[str | None, ...]] = {
    "nobody": (None,),
    "resident": ("resident", "resident2"),
    "volunteer": ("volunteer",),
    "staff": ("staff", "staff2"),
    "auditor": ("auditor",),
    "admin": ("admin",),
}
ROOM = {
    "name": "画室",
    "station": "wanyuan",
    "space": "create",
    "uses": [{"use": "书画", "takes": [{"resource": "floor"}]}],
}
# What these are about is said in the body, which is of wanyuan.
SAID_IN_THE_BODY = {"POST bookings", "POST bookings/check", "POST rooms", "POST rooms/replace", "POST resources"}
BODIES: dict[str, dict[str, Any]] = {
    "POST bookings": slot("painting", 20),
    "POST bookings/check": slot("painting", 20),
    "POST bookings/{booking}/reschedule": {"start": at(18), "end": at(19)},
    "POST bookings/{booking}/extend": {"end": at(20)},
    "POST bookings/{booking}/reject": {"reason": "other"},
    "POST rooms": {**ROOM, "dry_run": True},
    "PATCH rooms/{room}": {"seats": 3, "dry_run": True},
    "POST rooms/replace": {"retire": ["tribe"], "open": [{**ROOM, "id": "new"}], "dry_run": True},
    "POST rooms/{room}/reopen": {"from": at(6), "to": at(7), "dry_run": True},
    "POST resources": {"station": "wanyuan", "name": "地", "capacity": 1, "dry_run": True},
    "PATCH resources/{resource}": {"capacity": 2, "dry_run": True},
    "POST rooms/{room}/close": {"from": at(6), "to": at(7), "reason": "cleaning", "dry_run": True},
}


def allowed(who: Who) -> dict[str, str]:
    return {call: scopes[who] for call, scopes in TABLE.items() if who in scopes}


def test_nobody_reads_the_catalogue_and_availability_and_nothing_else() -> None:
    assert allowed("nobody").keys() == READING


def test_a_resident_has_their_own_bookings() -> None:
    own = {call: scope for call, scope in allowed("resident").items() if call not in READING}
    assert set(own.values()) == {"own"}
    assert own.keys() == {
        "POST bookings",
        "POST bookings/check",
        "GET bookings/{booking}",
        "GET bookings/{booking}/history",
        "POST bookings/{booking}/cancel",
        "POST bookings/{booking}/check-in",
        "POST bookings/{booking}/reschedule",
        "POST bookings/{booking}/extend",
        "POST bookings/{booking}/end",
        "GET me/bookings",
    }


def test_a_volunteer_sees_and_checks_in_any_booking_and_writes_nothing_else() -> None:
    writes = {call: scope for call, scope in allowed("volunteer").items() if not call.startswith("GET")}
    assert writes == {"POST bookings/{booking}/check-in": "all"}
    assert allowed("volunteer")["GET bookings/{booking}"] == "all"
    assert "GET audit/events" not in allowed("volunteer")


def test_staff_have_all_of_their_stations() -> None:
    more = {
        call: scope for call, scope in allowed("staff").items() if call not in READING and call != "GET me/bookings"
    }
    assert set(more.values()) == {"stations"}
    assert TABLE.keys() - allowed("staff").keys() == {"GET audit/events"}


def test_an_auditor_reads_all_and_changes_nothing() -> None:
    assert allowed("auditor").keys() == {call for call in TABLE if call.startswith("GET")}


def test_an_admin_has_all() -> None:
    assert allowed("admin").keys() == TABLE.keys()


def test_every_role_that_people_have_is_in_the_table() -> None:
    assert set(WHO) == {"nobody", *get_args(Role)} - {"system"}
    assert scope_of("GET stations", "system") is None


def test_the_docs_show_the_table() -> None:
    """Write it anew: python -c 'from linyue import permissions; print(permissions.as_markdown())'."""
    assert as_markdown() in DOCS.read_text(encoding="utf-8")


def test_an_app_with_a_handler_outside_the_table_does_not_start() -> None:
    @get("/api/v1/secrets", opt={"call": "GET stations"})
    async def hidden() -> str:
        return "…"

    @get("/page")
    async def page() -> str:
        return "…"

    @get("/other", opt={"call": "GET secrets"})
    async def other() -> str:
        return "…"

    for handler in (hidden, page, other):
        with pytest.raises(NoEntry):
            permissions.check(Litestar([handler], openapi_config=None))


@pytest.mark.asyncio
async def test_each_role_calls_each_call_about_its_own_and_about_others(served: Served) -> None:
    """Each against a booking of a resident at each of two stations: who asks about one, asks about another's too."""
    bookings = {
        "wanyuan": await served.book("resident", slot("painting")),
        "gulong": await served.book("resident", slot("ink", 16)),
    }
    await served.level(bookings["gulong"]["position"])
    asked = list(calls({station: made["id"] for station, made in bookings.items()}))
    for who in WHO:
        for caller, (call, station, path) in itertools.product(CALLERS[who], asked):
            method, _ = call.split(" ", 1)
            answer = await served.call(caller, method, path, body=BODIES.get(call))
            assert answer.status_code in expected(who, caller, call, station), (caller, call, station, answer.text)


def calls(bookings: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every call of the table, at each station; what changes a booking's state comes last, and approves nothing."""
    rooms = {"wanyuan": "painting", "gulong": "ink"}
    resources = {"wanyuan": "floor", "gulong": "ink"}
    for call in sorted(TABLE, key=lambda call: ("cancel" in call, call)):
        for station, booking in bookings.items():
            path = call.split(" ", 1)[1].replace("{booking}", booking).replace("{room}", rooms[station])
            path = path.replace("{resource}", resources[station])
            yield call, station, path


def expected(who: Who, caller: str | None, call: str, station: str) -> set[int]:
    """What a caller is answered: by the table, and by whose booking and which station's room it is."""
    scope = TABLE[call].get(who)
    if scope is None:
        return {401} if who == "nobody" else {403}
    fine = {200, 201, 409}
    if call in SAID_IN_THE_BODY:
        return fine if scope != "stations" or caller == "staff" else {403}
    if "{" not in call:
        return fine
    mine = {"all": True, "own": caller == "resident", "stations": (caller == "staff") == (station == "wanyuan")}
    return fine if mine[scope] else {403} if "{room}" in call or "{resource}" in call else {404}

"""Who asks: tokens, accounts and budgets."""

import asyncio
import hashlib
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text
from tests.http.conftest import NOW, Served

from linyue.identity import _ACCOUNTS, _HOLDERS, BUDGETS, Budget, Identity
from linyue.postgres import engine

pytestmark = pytest.mark.asyncio


async def test_a_token_is_kept_as_its_hash_alone(served: Served) -> None:
    token = served.tokens["resident"]
    assert len(token) == 43
    connection = await asyncpg.connect(served.database.superuser)
    try:
        kept = await connection.fetchval(
            "SELECT hash FROM identity.tokens WHERE person = $1", served.people["resident"]
        )
        everything = str(await connection.fetch("SELECT * FROM identity.tokens"))
    finally:
        await connection.close()
    assert kept == hashlib.sha256(token.encode()).digest()
    assert token not in everything


async def test_whoever_sends_no_good_token_is_told_so(served: Served) -> None:
    assert (await served.get(None, "me/bookings")).status_code == 401
    for header in ("Bearer nonsense", "Bearer ", "Basic abc", "nonsense", f"Token {served.tokens['resident']}"):
        answer = await served.get(None, "stations", headers={"Authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_token_opens_nothing_from_then_on_in_any_process(served: Served) -> None:
    here, there = served.parts[0].identity, served.parts[1].identity
    token = served.tokens["resident"]
    assert await there.actor_of_token(token) is not None
    await here.revoke_token(token)
    assert await here.actor_of_token(token) is None
    assert await there.actor_of_token(token) is None
    assert (await served.get("resident", "me/bookings")).status_code == 401


async def test_each_of_many_who_come_at_once_is_known_by_their_own_token(served: Served) -> None:
    identity = served.parts[0].identity
    tokens = [*served.tokens.values(), "nonsense"] * 20
    known = await asyncio.gather(*map(identity.actor_of_token, tokens))
    expected = [*served.people.values(), None] * 20
    assert [actor.person if actor else None for actor in known] == expected
    named = await asyncio.gather(*(identity.account(person or "nobody") for person in expected))
    assert named == known


async def test_each_of_many_commands_that_come_at_once_counts(served: Served) -> None:
    """Over both processes: never fewer go through than the budget says, and never more."""
    budget = (Budget(seconds=60, commands=30), Budget(seconds=3600, commands=1_000))
    both = [parts.identity for parts in served.parts]
    for identity in both:
        identity.allow({"resident": budget})
    actors = [await both[0].account(served.people[who]) for who in ("resident", "resident2")]
    spent = await asyncio.gather(*(both[n % 2].spend(actor) for n in range(50) for actor in actors if actor))
    assert [spent[0::2].count(None), spent[1::2].count(None)] == [30, 30]
    assert set(spent) == {None, 61}


async def test_a_token_expires_and_another_role_counts(served: Served) -> None:
    identity, person = served.parts[0].identity, served.people["resident"]
    token = await identity.issue_token(person, "for an hour", NOW + timedelta(hours=1))
    assert (await identity.actor_of_token(token)) == await identity.account(person)
    await identity.open_account(person, "staff", ["wanyuan"])
    actor = await identity.actor_of_token(token)
    assert actor is not None
    assert (actor.role, actor.stations) == ("staff", frozenset({"wanyuan"}))
    served.clock.move_to(NOW + timedelta(hours=2))
    assert await identity.actor_of_token(token) is None


async def test_staff_without_a_station_have_none(served: Served) -> None:
    identity = served.parts[0].identity
    await identity.open_account(served.people["staff2"], "staff", [])
    actor = await identity.account(served.people["staff2"])
    assert actor is not None
    assert not actor.asker("stations", "api").may_touch(person=None, station="wanyuan")


async def test_tokens_belong_to_one_subdistrict(served: Served) -> None:
    accounts = engine(served.database.app)
    try:
        elsewhere = Identity(accounts, "elsewhere", served.clock.now)
        assert await elsewhere.actor_of_token(served.tokens["admin"]) is None
        assert await elsewhere.account(served.people["admin"]) is None
    finally:
        await accounts.dispose()


async def test_a_budget_is_counted_over_both_processes_and_begins_anew(served: Served) -> None:
    few = (Budget(seconds=60, commands=3), Budget(seconds=3600, commands=5))
    both = [parts.identity for parts in served.parts]
    for identity in both:
        identity.allow({"resident": few})
    actor = await both[0].account(served.people["resident"])
    assert actor is not None
    assert [await both[n % 2].spend(actor) for n in range(4)] == [None, None, None, 61]
    served.clock.move_to(NOW + timedelta(seconds=61))
    assert await both[0].spend(actor) is None
    assert await both[1].spend(actor) == 30 * 60 - 61 + 1
    assert await both[0].spend(actor) is not None
    served.clock.move_to(NOW + timedelta(hours=1))
    assert await both[0].spend(actor) is None


async def test_the_budgets_are_those_that_were_promised() -> None:
    assert {role: [(b.seconds, b.commands) for b in budgets] for role, budgets in BUDGETS.items()} == {
        "resident": [(60, 20), (86_400, 200)],
        "volunteer": [(60, 1_200)],
        "staff": [(60, 1_200)],
        "auditor": [(60, 1_200)],
        "admin": [(60, 1_200)],
    }


async def test_what_is_over_is_forgotten(served: Served) -> None:
    identity = served.parts[0].identity
    actor = await identity.account(served.people["resident"])
    assert actor is not None
    await identity.spend(actor)
    await identity.keep_session("s", b"{}", 60)
    served.clock.move_to(NOW + timedelta(days=2))
    await identity.forget()
    connection = await asyncpg.connect(served.database.superuser)
    try:
        left = [await connection.fetchval(f"SELECT count(*) FROM identity.{t}") for t in ("budgets", "sessions")]
    finally:
        await connection.close()
    assert left == [0, 0]


async def test_who_holds_a_token_is_read_by_primary_key_also_while_there_are_no_statistics(served: Served) -> None:
    many = """
        INSERT INTO identity.tokens (subdistrict, hash, person, label, created_at)
        SELECT 'gumei', sha256(n::text::bytea), 'p' || n, 'x', now() FROM generate_series(1, 20000) n
    """
    values = {"subdistrict": "gumei", "hashes": [b"x"] * 64, "persons": ["p1"] * 64, "now": NOW}
    accounts = engine(served.database.superuser)
    try:
        async with accounts.begin() as connection:
            await connection.execute(text(many))
            for statement in (_HOLDERS, _ACCOUNTS):
                used = {name: value for name, value in values.items() if f":{name}" in statement.text}
                plan = "\n".join(await connection.scalars(text(f"EXPLAIN {statement.text}"), used))
                assert "accounts_pkey" in plan
                assert "Seq Scan" not in plan
    finally:
        await accounts.dispose()

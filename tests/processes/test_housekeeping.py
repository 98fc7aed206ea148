"""What is kept for a time only is thrown away after it, and not before."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from tests.conftest import TestDatabase

from booking import answers
from booking.answers import Kept, KnownRefusal
from booking.messages import Answer, Outcome
from linyue.housekeeping import Housekeeper
from linyue.identity import Identity
from linyue.postgres import engine

NOW = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
OLD = NOW - timedelta(days=31)
YOUNG = NOW - timedelta(days=29)


@pytest.mark.asyncio
async def test_a_round_forgets_what_is_older_than_thirty_days_alone(database: TestDatabase) -> None:
    """Answers and counts of refusals; more than one step's worth of them."""
    done = Answer(outcome=Outcome.DONE, body=b"{}", position=1)
    accounts = engine(database.app)
    async with asyncpg.create_pool(database.app, min_size=1, max_size=2) as pool:
        async with pool.acquire() as connection:
            await answers.keep(connection, "gumei", OLD, [Kept("anna", f"k{n}", b"", done) for n in range(1_200)])
            await answers.keep(connection, "gumei", YOUNG, [Kept("anna", "young", b"", done)])
            for digest, at in ((b"old", OLD), (b"young", YOUNG)):
                await answers.keep_refusals(connection, "gumei", {digest: KnownRefusal(1, at, b"{}")})
        keeper = Housekeeper("gumei", pool.acquire, Identity(accounts, "gumei", lambda: NOW), lambda: NOW)
        assert await keeper.one_round() == 1_201
        assert await keeper.one_round() == 0
        async with pool.acquire() as connection:
            assert [kept.key for kept in await answers.known(connection, "gumei", [("anna", "young")])] == ["young"]
            assert set(await answers.known_refusals(connection, "gumei", [b"old", b"young"])) == {b"young"}
    await accounts.dispose()

"""Of several schedulers one ticks at a time for a subdistrict, and none that hangs keeps the others from it."""

import asyncpg
import pytest

from linyue.postgres import Databases, ticks
from linyue.postgres.ticks import tick_lock


@pytest.mark.asyncio
async def test_the_lock_is_one_holders_and_one_subdistricts(database: Databases) -> None:
    async with tick_lock(database.app, "gumei") as one, tick_lock(database.app, "gumei") as two:
        assert (one, two) == (True, False)
        async with tick_lock(database.app, "qibao") as other:
            assert other
    async with tick_lock(database.app, "gumei") as again:
        assert again


@pytest.mark.asyncio
async def test_who_is_frozen_in_a_tick_loses_the_lock(database: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends a transaction in which nothing happens; here after 200 ms."""
    monkeypatch.setattr(ticks, "_IDLE_MILLISECONDS_MAX", 200)

    async def freeze_until_another_ticks() -> None:
        async with tick_lock(database.app, "gumei") as frozen:
            assert frozen
            assert await another_ticks(database)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await freeze_until_another_ticks()


async def another_ticks(database: Databases) -> bool:
    """Whether somebody else gets the lock within a while."""
    for _ in range(100):
        async with tick_lock(database.app, "gumei") as held:
            if held:
                return True
    return False

"""Whoever starts while the database is away waits for it, and says so in a line."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from structlog.testing import capture_logs

from linyue.postgres import EmbeddedServer
from linyue.postgres.pools import opened_pool

pytestmark = pytest.mark.asyncio

SECONDS_MAX = 60.0


async def test_a_database_that_is_away_is_waited_for(own_server: Callable[..., EmbeddedServer]) -> None:
    server = own_server()
    address = server.databases.app
    await asyncio.to_thread(server.stop)
    with capture_logs() as lines:
        waiting = asyncio.create_task(opened_pool(address, 2, "linyue waits"))
        await asyncio.sleep(1.2)
        assert not waiting.done()
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(SECONDS_MAX):
            pool = await waiting
    try:
        assert await pool.fetchval("SELECT current_setting('application_name')") == "linyue waits"
    finally:
        await pool.close()
    assert {line["event"] for line in lines} == {"waiting for the database"}
    assert not any("exc_info" in line for line in lines)


async def test_what_will_not_get_better_is_not_waited_for(own_server: Callable[..., EmbeddedServer]) -> None:
    address = own_server().databases.app.replace("/linyue?", "/elsewhere?")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await opened_pool(address, 2, "linyue waits")

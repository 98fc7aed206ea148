"""A pool of connections to a database that may just be away: whoever starts meanwhile waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import structlog

AGAIN_SECONDS = 0.5
# It is not there, it is starting or stopping, or has no room at the moment. A wrong password will not get better.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)

log = structlog.get_logger()


async def opened_pool(address: str, size_max: int, name: str) -> asyncpg.Pool[Any]:
    """A pool in which at least one session, called `name`, is open; waits for as long as the database is away."""
    while True:
        try:
            return await asyncpg.create_pool(
                address, min_size=1, max_size=size_max, server_settings={"application_name": name}
            )
        except _AWAY as error:
            log.warning("waiting for the database", error=repr(error))
            await asyncio.sleep(AGAIN_SECONDS)

"""The lock by which one of several schedulers ticks for a subdistrict."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

# A key of its own, beside those of the logs. Held until the transaction ends, however it ends.
_TRY = "SELECT pg_try_advisory_xact_lock(hashtextextended('linyue tick ' || $1, 0))"
_CONNECT_SECONDS_MAX = 5.0
_COMMAND_SECONDS_MAX = 5.0
# A scheduler that is frozen in a tick loses the lock; a little more than a tick may last.
_IDLE_MILLISECONDS_MAX = 65_000


@asynccontextmanager
async def tick_lock(address: str, subdistrict: str) -> AsyncIterator[bool]:
    """Whether we hold the lock for as long as this lasts. A connection for each tick: none to go stale in between."""
    connection = await asyncpg.connect(
        address,
        timeout=_CONNECT_SECONDS_MAX,
        command_timeout=_COMMAND_SECONDS_MAX,
        server_settings={
            "application_name": "linyue tick",
            "idle_in_transaction_session_timeout": str(_IDLE_MILLISECONDS_MAX),
        },
    )
    try:
        async with connection.transaction():
            yield bool(await connection.fetchval(_TRY, subdistrict))
    finally:
        await connection.close(timeout=_COMMAND_SECONDS_MAX)

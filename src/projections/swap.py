"""Puts a read model that was filled in the place of the live one, and drops that: no reader waits for it, or sees both.

A reader's names mean what they mean when each statement begins. So its transaction may begin on the live one and go on
on the one that takes its place, and must find the same there, as of the same snapshot. Therefore: the live one stands
still, the other is brought to the very same position and committed, whoever has begun to read before that leaves, and
only then the names change.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.read_model import Place, ReadModel, driver
from projections.reading import checkpoints

# How long the live one's follower stands still for readers to leave; then it goes on, and it is tried again.
STILL_SECONDS = 0.25
LOOK_AGAIN_SECONDS = 0.005
# An old one that somebody reads on and on is left; the next rebuild drops it.
DROP_SECONDS = 30.0
DROP_AGAIN_SECONDS = 0.05

logger = structlog.get_logger()

FillUp = Callable[[Mapping[str, Place]], Awaitable[bool]]


class NotNow(Exception):
    """The live one is being read, or moved on: nothing was swapped, and the next try may find it free."""


# Transactions that may have a snapshot from before: those that have read the live one, and those that have begun to
# and touched no table yet. Others (a desk's, autovacuum's) never read it.
_READERS = """
WITH held AS MATERIALIZED (SELECT pid, locktype, virtualtransaction, relation, mode, granted FROM pg_locks)
SELECT held.virtualtransaction, held.pid
FROM held JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'virtualxid' AND held.granted AND held.pid <> ALL (:ours)
AND session.datname = current_database()
AND (
    session.backend_xmin IS NOT NULL
    AND NOT EXISTS (SELECT FROM held AS its WHERE its.pid = held.pid AND its.locktype = 'relation')
    OR EXISTS (
        SELECT FROM held AS its JOIN pg_class ON pg_class.oid = its.relation
        WHERE its.pid = held.pid AND its.locktype = 'relation' AND its.granted AND its.mode = 'AccessShareLock'
        AND pg_class.relnamespace = to_regnamespace(:live)
    )
)
"""
_STILL_THERE = """
SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND granted AND virtualtransaction = ANY (:readers)
"""


def old_schema(name: str) -> str:
    """Where one that was swapped out awaits its last reader."""
    return f"{name}_old"


async def swap(
    live: ReadModel, coming: ReadModel, connection: AsyncConnection, fill_up: FillUp, *, level: bool
) -> None:
    """Put `coming` in the place of `live` and leave that under the name `old_schema`, in one transaction.

    `connection` is one of `coming`'s; a second is taken for the time of the swap. `fill_up` brings `coming` to where
    the live one stands, and says whether it could. Without `level` the two are not at the same position: readers are
    then shut out for a moment. Raises `NotNow`, and what a lost database raises.
    """
    async with live.on(connection.engine).connect() as own, own.begin():
        if await live.is_there(own):
            await _stand_still(own, live, "EXCLUSIVE" if level else "ACCESS EXCLUSIVE")
            if level and not await fill_up(await live.places(own)):
                raise NotNow("it moved on too far")
            if level:
                await _await_readers(connection, own, live)
            # Whoever waits for the live one's checkpoint finds none, looks again, and goes on from the other's.
            await own.execute(checkpoints.delete())
        await _rename(own, live.schema, old_schema(live.schema))
        await _rename(own, coming.schema, live.schema)


async def _stand_still(own: AsyncConnection, live: ReadModel, mode: str) -> None:
    """Let no follower move the live one on until the transaction ends; `EXCLUSIVE` lets readers pass."""
    await own.execute(text(f"SET LOCAL lock_timeout = {round(STILL_SECONDS * 1000)}"))
    try:
        await own.execute(text(f"LOCK TABLE {live.schema}.checkpoints IN {mode} MODE"))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise NotNow(f"it is in use: {type(error.orig).__name__}") from error


async def _await_readers(connection: AsyncConnection, own: AsyncConnection, live: ReadModel) -> None:
    """Until all who may have begun to read before now have left. Raises `NotNow`, which names a server process."""
    ours = [await pid(connection), await pid(own)]
    async with connection.begin():
        found = await connection.execute(text(_READERS), {"ours": ours, "live": live.schema})
        readers = [reader for reader, _ in found]
    until = asyncio.get_running_loop().time() + STILL_SECONDS
    while readers:
        async with connection.begin():
            left = list(await connection.scalars(text(_STILL_THERE), {"readers": readers}))
        if not left:
            return
        if asyncio.get_running_loop().time() >= until:
            raise NotNow(f"the server's process {left[0]} has been reading it in one transaction for too long")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def pid(connection: AsyncConnection) -> int:
    """The server's process behind a connection."""
    return (await driver(connection)).get_server_pid()


async def _rename(own: AsyncConnection, schema: str, name: str) -> None:
    if await own.scalar(select(func.to_regnamespace(schema).is_not(None))):
        await own.execute(text(f"ALTER SCHEMA {schema} RENAME TO {name}"))


async def drop(connection: AsyncConnection, schema: str) -> bool:
    """Drop a schema that nobody reads by its name; False where somebody who had begun before does not leave.

    Never waits for a lock: whoever waits for one makes all who come later wait behind.
    """
    until = asyncio.get_running_loop().time() + DROP_SECONDS
    while True:
        try:
            async with connection.begin():
                await _drop(connection, schema)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if asyncio.get_running_loop().time() >= until:
                logger.warning("schema_is_still_read", schema=schema, error=type(error.orig).__name__)
                return False
            await asyncio.sleep(DROP_AGAIN_SECONDS)
        else:
            return True


async def _drop(connection: AsyncConnection, schema: str) -> None:
    tables = await connection.scalars(
        text(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = to_regnamespace(:schema) AND relkind = 'r'"
        ),
        {"schema": schema},
    )
    if names := ", ".join(tables):
        await connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE NOWAIT"))
    await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))

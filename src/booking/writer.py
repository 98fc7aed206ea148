"""The one connection with which a process appends to a log, and the truth about a COMMIT that got no answer."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import structlog

from booking import log

Connection: TypeAlias = "asyncpg.Connection[Any]"
Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]

RETRY_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0)
"""How long to wait after the first, the second … failure in a row."""
WAKE_SECONDS = 0.05
"""While commands keep coming, followers are woken no more often than this."""

# What goes wrong with a statement for what it says: the same would go wrong again, whoever sends it.
_REJECTED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.SyntaxOrAccessError,
)
# What a connection raises that was lost, that the server ended in the middle of something, or that found no server.
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

logger = structlog.get_logger()


def is_passing(error: Exception) -> bool:
    """Whether the same commands may well be carried out on another connection, after a while."""
    return isinstance(error, log.LogForked) or (isinstance(error, _LOST) and not isinstance(error, _REJECTED))


class NotConnected(ConnectionError):
    """No connection to the database could be opened, or it did not last; it is tried again."""


# The same as the server has by the log's WRITER_SETTINGS: a peer that is gone for 25 s is given up.
_KEEPALIVES = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    # In milliseconds: for what was sent and never acknowledged.
    "TCP_USER_TIMEOUT": 25_000,
}


def watch_over(connection: Connection) -> None:
    """Have the system notice when the server's machine is gone, so that nobody waits for an answer of it for ever.

    No time-out: a server that is there and slow acknowledges each probe. asyncpg has no setting for it.
    """
    transport: asyncio.Transport | None = getattr(connection, "_transport", None)
    line = transport.get_extra_info("socket") if transport else None
    if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVES.items():
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Writer:
    """Opens its connection when it is needed, and drops it with its transaction whenever anything is in doubt."""

    def __init__(self, subdistrict: str, connect: Connect) -> None:
        self.subdistrict = subdistrict
        self._connect = connect
        self._connection: Connection | None = None
        self._to_wake = False
        self._woken_at = 0.0

    async def begin(self) -> Connection:
        """The connection, in a transaction that holds the log's lock."""
        if self._connection is None:
            try:
                self._connection = await self._connect()
                watch_over(self._connection)
            except Exception as error:
                # Whatever it was, no command is to blame for it.
                raise NotConnected(repr(error)) from error
        await log.begin_and_lock(self._connection, self.subdistrict)
        return self._connection

    def drop(self) -> None:
        """Close the connection at once. What was not committed never happened."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def commit(self, connection: Connection, after: log.Head | None) -> bool:
        """Whether the transaction is in the log for good; `after` is its last event, None where it has none.

        No time-out and no cancel is ever put on COMMIT.
        """
        try:
            committed = await log.commit(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server may have committed
            logger.warning("commit_without_answer", error=repr(error))
            self.drop()
            # Without an event there is nothing to look for, and deciding it anew tells the same.
            committed = after is not None and await self._learn_the_truth(after)
        if not committed:
            logger.error("commit_undone")
        self._to_wake = self._to_wake or (committed and after is not None)
        return committed

    async def _learn_the_truth(self, after: log.Head) -> bool:
        """Under the lock, taken anew, no writer is under way: what was sent is there with its hash or never will be."""
        failures = 0
        while True:
            try:
                return await self._is_there(after)
            except Exception as error:  # noqa: BLE001 - there is no other way to the truth than to ask again
                logger.warning("truth_not_learnt_yet", error=repr(error))
                self.drop()
                await pause(failures)
                failures += 1

    async def _is_there(self, head: log.Head) -> bool:
        connection = await self.begin()
        there = await log.hash_at(connection, self.subdistrict, head.position) == head.hash
        # What is there may not be on disk yet. A later commit of our own that has returned proves that it is.
        await log.prove_durable(connection)
        if not await log.commit(connection):
            raise NotConnected("the proof was rolled back")
        return there

    async def wake_followers(self, *, more_to_come: bool) -> None:
        """Tell followers of what was committed: at once, or where more is to come, now and then."""
        now = asyncio.get_running_loop().time()
        if not self._to_wake or self._connection is None or (more_to_come and now - self._woken_at < WAKE_SECONDS):
            return
        try:
            await log.wake_followers(self._connection, self.subdistrict)
        except Exception as error:  # noqa: BLE001 - they poll as well, and the next batch connects anew
            logger.warning("followers_not_woken", error=repr(error))
            self.drop()
        else:
            self._to_wake, self._woken_at = False, now


async def pause(failures: int) -> None:
    """Wait before another try, longer after each of so many failures in a row."""
    await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])

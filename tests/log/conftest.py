"""One migrated database for the tests of the log in this process, emptied before each, where a clone takes longer."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from tests.conftest import TestDatabase, cloned, in_a_thread
from tests.log.history import lived, opened, station
from tests.log.tampering import Connection, past_the_triggers

_SEND_AWAY = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"
# The triggers that refuse this are not asked: they stop accidents, and this is none.
_EMPTY = """
SET session_replication_role = replica;
TRUNCATE booking.events, booking.event_tags, booking.answers, booking.refusals, booking.vault
"""


@pytest.fixture(scope="session")
def shared_database(postgres_socket: Path) -> Iterator[TestDatabase]:
    with cloned(postgres_socket) as found:
        yield found


@pytest.fixture
def log_database(shared_database: TestDatabase) -> TestDatabase:
    """Empty tables of the log, for tests that change no more of a database than its rows."""
    in_a_thread(_emptied(shared_database.superuser))
    return shared_database


@pytest_asyncio.fixture
async def tampered(log_database: TestDatabase) -> AsyncIterator[Connection]:
    """A day's log, on a connection that nothing stops from changing it."""
    async with station(log_database.app) as there:
        await opened(there)
        await lived(there)
    async with past_the_triggers(log_database.superuser) as connection:
        yield connection


async def _emptied(address: str) -> None:
    connection: asyncpg.Connection = await asyncpg.connect(address)
    try:
        await connection.execute("SET lock_timeout = '20s'")
        await connection.fetch(_SEND_AWAY, connection.get_server_pid())
        await connection.execute(_EMPTY)
    finally:
        await connection.close()

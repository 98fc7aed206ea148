"""Who may do what to the log: each role tries."""

import asyncpg
import pytest

pytestmark = pytest.mark.asyncio

APPEND = "INSERT INTO booking.events VALUES ('gumei', 1, '\\x00', sha256('\\x00'))"


async def test_the_app_appends_and_reads(database):
    connection = await asyncpg.connect(database.app)
    await connection.execute(APPEND)
    assert await connection.fetchval("SELECT count(*) FROM booking.events") == 1
    await connection.close()


@pytest.mark.parametrize(
    "change",
    ["UPDATE booking.events SET data = ''", "DELETE FROM booking.events", "TRUNCATE booking.events"],
)
@pytest.mark.parametrize("role", ["owner", "superuser"])
async def test_a_trigger_stops_everyone_and_says_why(database, role, change):
    connection = await asyncpg.connect(getattr(database, role))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="The log is never changed"):
        await connection.execute(change)
    await connection.close()

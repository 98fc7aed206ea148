"""Nothing in the log is ever changed: each role tries, by each way that SQL has. What slips by, the chain shows."""

import asyncpg
import pytest
from tests.conftest import TestDatabase
from tests.log.desks import SUBDISTRICT, writer

from booking import log

pytestmark = pytest.mark.asyncio

WAYS = {
    "update": "UPDATE booking.events SET data = 'x'",
    "update of nothing": "UPDATE booking.events SET data = 'x' WHERE position = 99",
    "delete": "DELETE FROM booking.events",
    "truncate": "TRUNCATE booking.events",
    "truncate both": "TRUNCATE booking.events, booking.event_tags",
    "overwrite": """
        INSERT INTO booking.events SELECT * FROM booking.events
        ON CONFLICT (subdistrict, position) DO UPDATE SET data = 'x'
    """,
    "merge": """
        MERGE INTO booking.events e USING (SELECT 1 AS position) s ON e.position = s.position
        WHEN MATCHED THEN DELETE
    """,
    "a delete within a query": "WITH gone AS (DELETE FROM booking.events RETURNING 1) SELECT count(*) FROM gone",
    "update of a tag": "UPDATE booking.event_tags SET tag = 'x'",
    "delete of a tag": "DELETE FROM booking.event_tags",
    "truncate of the tags": "TRUNCATE booking.event_tags",
}


async def one_event(database: TestDatabase) -> None:
    connection = await writer(database)
    await log.begin_and_lock(connection, SUBDISTRICT)
    head = await log.head(connection, SUBDISTRICT)
    await log.append(connection, SUBDISTRICT, head, [log.Entry(1, b"event 1", ("rules",))])
    await log.commit(connection)
    await connection.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", ["app", "projector", "owner", "superuser"])
async def test_no_role_changes_the_log_in_any_way(database: TestDatabase, role: str, way: str) -> None:
    await one_event(database)
    connection = await asyncpg.connect(getattr(database, role))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(WAYS[way])
    rows = await connection.fetch("SELECT data, tag FROM booking.events JOIN booking.event_tags USING (position)")
    assert [tuple(row) for row in rows] == [(b"event 1", "rules")]
    await connection.close()


@pytest.mark.parametrize("way", ["DISABLE TRIGGER USER", "DISABLE TRIGGER events_never_change"])
@pytest.mark.parametrize("role", ["app", "projector"])
async def test_the_program_s_roles_cannot_take_the_triggers_away(database: TestDatabase, role: str, way: str) -> None:
    connection = await asyncpg.connect(getattr(database, role))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"ALTER TABLE booking.events {way}")
    await connection.close()


async def test_what_an_owner_changes_all_the_same_the_chain_shows(database: TestDatabase) -> None:
    await one_event(database)
    assert database.owner is not None
    connection = await asyncpg.connect(database.owner)
    await connection.execute("ALTER TABLE booking.events DISABLE TRIGGER USER")
    await connection.execute("UPDATE booking.events SET data = 'event 2'")
    (row,) = await log.follow(connection, SUBDISTRICT, 0, 10)
    assert row.hash != log.next_hash(log.first_hash(SUBDISTRICT), row.data)
    await connection.close()

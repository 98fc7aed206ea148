"""Who may do what to the log, the vault and the read models: each role tries."""

import asyncpg
import pytest
from tests.conftest import TestDatabase

pytestmark = pytest.mark.asyncio

APPEND = "INSERT INTO booking.events VALUES ('gumei', 1, '\\x00', sha256('\\x00'))"
CHANGES = [
    f"{change} booking.{table}{rest}"
    for table in ("events", "event_tags")
    for change, rest in (("UPDATE", " SET position = 2"), ("DELETE FROM", ""), ("TRUNCATE", ""))
]


async def run(address: str, *statements: str) -> object:
    """Runs statements on one connection; the last one's first value."""
    connection = await asyncpg.connect(address)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


async def test_the_app_appends_and_reads(database: TestDatabase) -> None:
    assert await run(database.app, APPEND, "SELECT count(*) FROM booking.events") == 1


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["app", "projector"])
async def test_the_programs_roles_may_not_change_the_log(database: TestDatabase, role: str, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await run(getattr(database, role), change)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["owner", "superuser"])
async def test_a_trigger_stops_everyone_else_and_says_why(database: TestDatabase, role: str, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="The log is never changed") as caught:
        await run(getattr(database, role), change)
    assert "Append an event that corrects what was wrong" in str(caught.value.hint)


async def test_a_trigger_stops_a_change_that_would_touch_no_row(database: TestDatabase) -> None:
    """What is wrong is the wish, not what it finds."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="The log is never changed"):
        await run(database.owner or "", "DELETE FROM booking.events WHERE false")


async def test_a_position_is_taken_once(database: TestDatabase) -> None:
    """The fence: a writer that lost its lock fails here instead of forking the log."""
    with pytest.raises(asyncpg.UniqueViolationError):
        await run(database.app, APPEND, APPEND)


@pytest.mark.parametrize(
    "row", ["('gumei', 0, '', sha256(''))", "('gumei', 1, '', '\\x00')"], ids=["position 0", "short hash"]
)
async def test_what_can_be_no_event_is_refused(database: TestDatabase, row: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await run(database.app, f"INSERT INTO booking.events VALUES {row}")


async def test_the_projector_sees_neither_vault_nor_answers_nor_identity(database: TestDatabase) -> None:
    for table in ("booking.vault", "booking.answers", "booking.refusals", "identity.tokens", "identity.accounts"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(database.projector, f"SELECT count(*) FROM {table}")


async def test_the_app_reads_whatever_the_projector_makes_and_writes_none_of_it(database: TestDatabase) -> None:
    made = ("CREATE SCHEMA agenda_next", "CREATE TABLE agenda_next.rows AS SELECT 1 AS one")
    await run(database.projector, *made, "SELECT 1")
    await run(database.projector, "ALTER SCHEMA agenda_next RENAME TO agenda", "SELECT 1")
    assert await run(database.app, "SELECT one FROM agenda.rows") == 1
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(database.app, "DELETE FROM agenda.rows")


async def test_the_app_makes_nothing_of_its_own(database: TestDatabase) -> None:
    for statement in ("CREATE SCHEMA mine", "CREATE TABLE public.mine ()", "CREATE TABLE booking.mine ()"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(database.app, statement)

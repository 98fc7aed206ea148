"""Rows and position agree, and a reader sees what it has been told about."""

import asyncio

import asyncpg
import pytest
from tests.conftest import TestDatabase
from tests.projections.conftest import Town, at

from projections import due, reading
from projections.questions import NAMES
from projections.reading import NotBuilt, Status

pytestmark = pytest.mark.asyncio


async def test_a_reader_waits_until_the_read_model_reflects_its_position(town: Town) -> None:
    position = await town.follow()
    booking = await town.book(at(10))
    waiting = asyncio.create_task(due_bookings(town, position + 1))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await town.follow()
    assert await waiting == (position + 1, [booking])


async def due_bookings(town: Town, reflecting: int | None) -> tuple[int, list[str]]:
    async with town.reader.of("due", reflecting) as snapshot:
        return snapshot.position, [found.booking for found in await due.by(snapshot, at(24), 10)]


async def test_after_two_seconds_it_is_answered_with_what_there_is(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0.1)
    position = await town.follow()
    async with town.reader.of("due", position + 1) as snapshot:
        assert snapshot.position == position


async def test_what_is_taken_in_meanwhile_does_not_show_in_a_snapshot(town: Town) -> None:
    before = await town.follow()
    async with town.reader.of("due") as snapshot:
        await town.book(at(10))
        assert await town.follow() == before + 1
        assert snapshot.position == before
        assert await due.by(snapshot, at(24), 10) == []
    assert (await due_bookings(town, None))[0] == before + 1


async def test_a_read_model_that_nobody_has_made_is_waited_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.create_task(due_bookings(town, None))
    await asyncio.sleep(0.05)
    await town.follow()
    assert (await waiting)[1] == []
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0.05)
    with pytest.raises(NotBuilt):
        async with town.reader.of("nonesuch"):
            pass


async def test_a_reader_whose_connections_were_cut_off_takes_others(town: Town, database: TestDatabase) -> None:
    """As after a restart of the database."""
    await town.follow()
    before = await due_bookings(town, None)
    superuser = await asyncpg.connect(database.superuser)
    app = f"datname = '{database.name}' AND usename = 'linyue_app' AND application_name <> 'linyue desk'"
    assert await superuser.fetchval(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {app}") > 0
    await superuser.close()
    assert await due_bookings(town, None) == before


async def test_time_does_not_run_backwards_for_a_reader(town: Town) -> None:
    """A decision would be made at the last event's instant, where the clock is behind it."""
    await town.follow()
    async with town.reader.of("due") as snapshot:
        assert snapshot.at == town.now
        assert snapshot.not_before(at(9)) == town.now
        assert snapshot.not_before(at(12)) == at(12)


async def test_a_reader_changes_nothing(town: Town) -> None:
    await town.follow()
    async with town.reader.of("due") as snapshot:
        read_only = await snapshot.connection.exec_driver_sql("SHOW transaction_read_only")
        level = await snapshot.connection.exec_driver_sql("SHOW transaction_isolation")
        assert (read_only.scalar(), level.scalar()) == ("on", "repeatable read")


async def test_readiness_is_told_how_far_each_read_model_is(town: Town) -> None:
    assert await town.reader.status(["due"]) == [Status("due", 0, "not built")]
    position = await town.follow()
    assert await town.reader.status(NAMES) == [Status(name, position, None) for name in NAMES]


async def test_whoever_gets_a_readers_connection_next_may_write_with_it(town: Town) -> None:
    """A pool is shared with others: what a snapshot needs is not left on its connection."""
    await town.follow()
    async with town.reader.of("due") as snapshot:
        backend = (await snapshot.connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar()
    async with town.reading.connect() as connection:
        same = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar()
        read_only = (await connection.exec_driver_sql("SHOW transaction_read_only")).scalar()
        level = (await connection.exec_driver_sql("SHOW transaction_isolation")).scalar()
    assert (same, read_only, level) == (backend, "off", "read committed")

"""A real `linyue rebuild` that is killed leaves the live read model as it was, lets go of its lock, and begins anew."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from tests.conftest import TestDatabase
from tests.projections.conftest import NOW, Town, at, wanted
from tests.projections.test_projector import running, until
from tests.projections.test_rebuild import schemas
from tests.rows import rows_of

from booking import log
from booking.messages import Reason, Recorded, unique
from booking.reservations.events import BookingRefused
from projections import history
from projections.reading import Status

pytestmark = [pytest.mark.serial, pytest.mark.asyncio]

# Enough to be found half-way.
REFUSALS = 4_000
# What ends the process: a statement of somebody else stands in the way of each stage, so that it is met there.
STAGES = {
    "filling": "SELECT",
    "before the swap": "LOCK TABLE history.events IN ACCESS SHARE MODE",
    "before the drop": "LOCK TABLE history.events IN ROW SHARE MODE",
}
TIMES_LONG = 10


@pytest_asyncio.fixture
async def town(database: TestDatabase) -> AsyncIterator[Town]:
    async with Town(database) as town:
        yield town


async def refused(town: Town, database: TestDatabase) -> int:
    """A history that takes a second to fill: what was refused, one event after the other; the last position."""
    connection = await asyncpg.connect(database.app)
    head = await log.head(connection, "gumei")
    for first in range(head.position + 1, head.position + REFUSALS, 1_000):
        entries = [entry(town, position) for position in range(first, first + 1_000)]
        head = await log.append(connection, "gumei", head, entries)
    await connection.close()
    return head.position


def entry(town: Town, position: int) -> log.Entry:
    event = BookingRefused(
        room="tribe", use="乒乓球", units=1, start=at(10), end=at(11), person=f"person-{position % 997}",
        day="2026-11-24", reasons=(Reason(rule="slot_taken", limit=3, actual=3),),
    )  # fmt: skip
    recorded = Recorded(
        position=position, at=NOW, command=f"{position:032x}", n=0, actor="desk", role="staff", channel="desk",
        rules=0, event=event,
    )  # fmt: skip
    return log.Entry(position, town.codec.encode(recorded), unique(event.tags()))


def rebuild_of(database: TestDatabase, *names: str) -> "subprocess.Popen[bytes]":
    environment = {"LINYUE_DATABASE_URL": database.app, "LINYUE_PROJECTOR_URL": database.projector}
    return subprocess.Popen(
        [sys.executable, "-m", "linyue.cli", "rebuild", "--json", *names],
        env={**os.environ, **environment, "LINYUE_VAULT_KEYS": "A" * 43 + "="},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@asynccontextmanager
async def in_the_way(database: TestDatabase, stage: str) -> AsyncIterator[None]:
    """Somebody's open transaction, at which a rebuild stops and waits."""
    connection = await asyncpg.connect(database.superuser)
    async with connection.transaction():
        await connection.execute(STAGES[stage])
        yield
    await connection.close()


async def is_met(town: Town, stage: str, last: int) -> bool:
    """Whether the rebuild is at this stage."""
    if stage == "before the drop":
        return "history_old" in await schemas(town)
    (status,) = await town.reader.status(["history"])
    if status.building is None:
        return False
    return 0 < status.building < last if stage == "filling" else status.building >= last


async def killed(town: Town, database: TestDatabase, stage: str, last: int) -> None:
    """Rebuild the history and kill the process at the stage, with everything that it has in hand."""
    async with in_the_way(database, stage):
        process = rebuild_of(database, "history")
        await until(lambda: is_met(town, stage, last), seconds=60)
        process.send_signal(signal.SIGKILL)
        assert await asyncio.to_thread(process.wait, 30) == -signal.SIGKILL
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()


async def rebuilt(database: TestDatabase, *names: str) -> tuple[int, bytes, bytes]:
    process = rebuild_of(database, *names)
    said, told = await asyncio.to_thread(process.communicate, timeout=60)
    return process.returncode, said, told


async def kill_and_start_again(town: Town, database: TestDatabase, stage: str, times: int) -> None:
    await refused(town, database)
    last = await town.follow()
    live = await rows_of(town.projecting, history.TABLES, "history")
    async with running(*town.followers):
        for n in range(times):
            await killed(town, database, stage, last)
            assert await town.reader.status(["history"]) == [Status("history", last, None, *await building(town))]
            assert await rows_of(town.projecting, history.TABLES, "history") == live
            # What is written and followed does not mind.
            await town.ask(wanted(at(10 + n), person=f"person-{n}"))
            last = await town.follow()
            live = await rows_of(town.projecting, history.TABLES, "history")
        code, said, told = await rebuilt(database, "history")
    assert (code, said.startswith(b'[{"name":"history"')) == (0, True), told
    assert await rows_of(town.projecting, history.TABLES, "history") == live
    assert await schemas(town) == {"availability", "agenda", "due", "history"}


async def building(town: Town) -> list[int | None]:
    """What a killed one has left is still to be seen: nobody but the next one drops it."""
    (status,) = await town.reader.status(["history"])
    return [status.building]


@pytest.mark.parametrize("stage", STAGES)
async def test_a_rebuild_that_is_killed_leaves_the_live_one_and_begins_anew(
    town: Town, database: TestDatabase, stage: str
) -> None:
    await kill_and_start_again(town, database, stage, times=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stage", STAGES)
async def test_ten_that_are_killed_one_after_the_other_leave_nothing_behind(
    town: Town, database: TestDatabase, stage: str
) -> None:
    await kill_and_start_again(town, database, stage, times=TIMES_LONG)


async def test_a_second_rebuild_at_once_is_one_sentence(town: Town, database: TestDatabase) -> None:
    await refused(town, database)
    last = await town.follow()
    async with in_the_way(database, "before the swap"):
        first = rebuild_of(database, "history")
        await until(lambda: is_met(town, "before the swap", last), seconds=60)
        code, said, told = await rebuilt(database, "history")
        assert (code, said) == (1, b"")
        assert b"linyue: history is being rebuilt already, by another process." in told
    said, _ = await asyncio.to_thread(first.communicate, timeout=60)
    assert (first.returncode, said.startswith(b'[{"name":"history"')) == (0, True)

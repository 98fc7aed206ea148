"""Rebuilt equals live; what is read and written meanwhile does not notice; what ends half-way changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.conftest import TestDatabase
from tests.projections.conftest import Town, at, wanted
from tests.projections.test_projector import (
    COUNTED,
    at_position,
    count,
    counted,
    counts,
    head,
    lived_in,
    question,
    running,
    told,
    until,
)
from tests.rows import rows_of

from linyue.postgres import engine
from projections import projector
from projections import rebuild as rebuilding
from projections import swap as swapping
from projections.projector import OtherVersion
from projections.questions import QUESTIONS
from projections.read_model import Followed, Memory, Question
from projections.reading import NOT_BUILT, NotBuilt, Reader, Status
from projections.rebuild import BeingRebuilt, CannotRebuild, HeldUp, Progress, rebuild

pytestmark = pytest.mark.asyncio

SWAPS = 20


async def rebuilt(town: Town, question_: Question) -> list[Progress]:
    """Rebuild a read model; what was told meanwhile."""
    told_: list[Progress] = []
    await rebuild(town.projecting, town.codec, question_, question_.name, told_.append)
    return told_


async def schemas(town: Town) -> set[str]:
    async with town.projecting.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT nspname FROM pg_namespace WHERE nspowner = 'linyue_projector'::regrole"
        )
        return set(found.scalars())


async def test_rebuilt_equals_live(town: Town) -> None:
    await town.follow()
    await lived_in(town)
    last = await town.follow()
    for each in QUESTIONS:
        live = await rows_of(town.projecting, each.tables, each.name)
        (*_, progress) = await rebuilt(town, each)
        assert progress == Progress(last, last)
        assert await rows_of(town.projecting, each.tables, each.name) == live
        assert await town.reader.status([each.name]) == [Status(each.name, last, None)]
    assert await schemas(town) == {each.name for each in QUESTIONS}


async def test_readers_and_writers_do_not_notice_twenty_swaps(town: Town, database: TestDatabase) -> None:
    """Each reader's rows are those of its position, in connections that stay open; each event counts once."""
    follower = town.follower(question())
    await follower.catch_up()
    reads: list[int] = []
    async with running(follower), reading(town, database, reads), writing(town):
        for _ in range(SWAPS):
            await rebuilt(town, question())
    last = await head(town, database)
    async with running(follower):
        await until(lambda: at_position(follower, last))
    assert len(reads) > SWAPS
    assert await counted(town) == [1] * last
    assert await schemas(town) == {"counted"}


@asynccontextmanager
async def reading(town: Town, database: TestDatabase, reads: list[int]) -> AsyncIterator[None]:
    """Some who read all the while, each in connections of their own."""
    readers = [engine(database.app, pool_size=1, max_overflow=0) for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        works = [tasks.create_task(read_on(Reader(each, town.codec.subdistrict), reads)) for each in readers]
        yield
        for work in works:
            work.cancel()
    for each in readers:
        await each.dispose()


async def read_on(reader: Reader, reads: list[int]) -> None:
    """Two statements, between which a swap may come, have the same rows to tell of: those of the position."""
    seen = 0
    while True:
        async with reader.of("counted") as snapshot:
            asked = select(func.count(), func.coalesce(func.max(counts.c.position), 0), func.sum(counts.c.times))
            first = (await snapshot.connection.execute(asked)).one()
            await asyncio.sleep(0.002)
            second = (await snapshot.connection.execute(asked)).one()
            assert tuple(first) == tuple(second) == (snapshot.position,) * 3
            assert snapshot.position >= seen, "time runs backwards for a reader"
            seen = snapshot.position
            reads.append(seen)


@asynccontextmanager
async def writing(town: Town) -> AsyncIterator[None]:
    """Somebody books all the while."""

    async def book_on() -> None:
        for n in range(10_000):
            day, hour = 25 + n // 12 % 6, 9 + n % 12
            await town.ask(wanted(at(hour, day), person=f"person-{n}"))

    task = asyncio.create_task(book_on())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reader_that_began_before_the_swap_finds_the_same_after_it(town: Town, database: TestDatabase) -> None:
    """The swap waits for it; the follower, readers that come meanwhile and writers wait for nobody."""
    follower = town.follower(question())
    position = await follower.catch_up()
    async with running(follower), town.reader.of("counted") as snapshot:
        swap = asyncio.create_task(rebuilt(town, question()))
        await until(lambda: is_there(town, "counted_next"))
        for n in range(3):
            await town.book(at(10 + n))
            last = await head(town, database)
            await until(lambda last=last: told(town, "counted", last, None))  # type: ignore[misc]
        assert not swap.done()
        assert await snapshot.connection.scalar(select(func.count()).select_from(counts)) == position
    await swap
    assert await counted(town) == [1] * last


async def is_there(town: Town, schema: str) -> bool:
    return schema in await schemas(town)


async def test_a_reader_who_never_leaves_is_told_of(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "HELD_UP_SECONDS", 0.1)
    await town.follower(question()).catch_up()
    async with town.reader.of("counted") as snapshot:
        pid = await snapshot.connection.scalar(select(func.pg_backend_pid()))
        with pytest.raises(HeldUp, match=f"process {pid} "):
            await rebuilt(town, question())
    assert await schemas(town) == {"counted"}
    await rebuilt(town, question())


async def test_who_reads_the_old_one_on_and_on_keeps_it_and_nobody_else_waits(
    town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a copy of it that is being made: what is left is dropped by the next rebuild."""
    monkeypatch.setattr(swapping, "DROP_SECONDS", 0.1)
    position = await town.follower(question()).catch_up()
    superuser = await asyncpg.connect(database.superuser)
    async with superuser.transaction():
        await superuser.execute("LOCK TABLE counted.counts IN ROW SHARE MODE")
        await rebuilt(town, question())
        assert await schemas(town) == {"counted", "counted_old"}
        assert await counted(town) == [1] * position
        with pytest.raises(HeldUp, match="counted_old"):
            await rebuilt(town, question())
    await superuser.close()
    await rebuilt(town, question())
    assert await schemas(town) == {"counted"}


def waiting(go_on: asyncio.Event, *, version: str = "1", tables: MetaData = COUNTED) -> Question:
    """A question that takes in nothing until it may."""

    async def wait(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
        await go_on.wait()
        await count(connection, subdistrict, events, {})

    return Question(name="counted", version=version, tables=tables, apply=wait)


async def test_a_second_rebuild_at_once_is_refused(town: Town) -> None:
    go_on = asyncio.Event()
    await town.follower(question()).catch_up()
    first = asyncio.create_task(rebuilt(town, waiting(go_on)))
    await until(lambda: is_there(town, "counted_next"))
    with pytest.raises(BeingRebuilt, match="counted is being rebuilt already"):
        await rebuilt(town, question())
    go_on.set()
    await first
    await rebuilt(town, question())


async def test_an_event_that_fails_ends_a_rebuild_and_the_live_one_stands(town: Town) -> None:
    async def stumble(
        connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], memory: Memory
    ) -> None:
        await count(connection, subdistrict, events, memory)
        if any(event.recorded.position == 7 for event in events):
            raise ValueError("a person's id must not be told to everybody")

    position = await town.follower(question()).catch_up()
    with pytest.raises(CannotRebuild, match=r"fails on the event at 7 of gumei \(ValueError\)"):
        await rebuilt(town, question(stumble))
    assert await town.reader.status(["counted"]) == [Status("counted", position, None)]
    assert await schemas(town) == {"counted"}
    assert await counted(town) == [1] * position
    await rebuilt(town, question())


@pytest.mark.parametrize("stage", ["filling", "before the swap", "before the drop"])
async def test_one_that_is_cut_off_leaves_the_live_one_and_can_be_started_again(
    town: Town, database: TestDatabase, stage: str
) -> None:
    """It begins anew. The same by SIGKILL is in tests/processes."""
    go_on = asyncio.Event()
    position = await town.follower(question()).catch_up()
    superuser, holding = await asyncpg.connect(database.superuser), await asyncpg.connect(database.superuser)
    hold = holding.transaction()
    await hold.start()
    if stage == "before the swap":
        await holding.fetch("SELECT FROM counted.counts")
    elif stage == "before the drop":
        await holding.execute("LOCK TABLE counted.counts IN ROW SHARE MODE")
    task = asyncio.create_task(rebuilt(town, waiting(go_on)))
    if stage != "filling":
        go_on.set()
    building = {"filling": 0, "before the swap": position, "before the drop": None}[stage]
    await until(lambda: is_at(town, stage, building))
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'linyue_projector'"
        f" AND datname = '{database.name}'"
    )
    go_on.set()
    with pytest.raises(DBAPIError):
        await task
    await hold.rollback()
    await holding.close()
    await superuser.close()
    await town.projecting.dispose()
    assert await town.reader.status(["counted"]) == [Status("counted", position, None, building)]
    assert await counted(town) == [1] * position
    await rebuilt(town, question())
    assert await schemas(town) == {"counted"}
    assert await town.follower(question()).catch_up() == position


async def is_at(town: Town, stage: str, building: int | None) -> bool:
    (status,) = await town.reader.status(["counted"])
    return status.building == building and await is_there(
        town, "counted_old" if stage == "before the drop" else "counted_next"
    )


async def test_a_live_one_that_does_not_get_on_is_not_waited_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that stands before an event that failed, until the program was repaired."""
    monkeypatch.setattr(rebuilding, "BEHIND_MAX", 2)
    before = await town.follower(question()).catch_up()
    for hour in (10, 11, 12):
        await town.book(at(hour), person=f"person-{hour}")
    await rebuilt(town, question())
    assert await counted(town) == [1] * (before + 3)


async def test_all_subdistricts_are_rebuilt_together(town: Town, database: TestDatabase) -> None:
    async with Town(database, "pujin") as other:
        for each in (town, other):
            await each.follower(question()).catch_up()
        await other.book(at(10))
        await rebuilt(town, question())
        assert len(await counted(other)) == len(await counted(town))
        assert await other.follower(question()).catch_up() == len(await counted(other))
        assert set(await counted(other)) == {1}


# --- another version


async def test_another_version_of_the_same_shape_is_filled_beside_the_one_that_is_read(town: Town) -> None:
    go_on = asyncio.Event()
    older = town.follower(question())
    position = await older.catch_up()
    newer = asyncio.create_task(town.follower(waiting(go_on, version="2")).catch_up())
    await until(lambda: is_there(town, "counted_next"))
    await town.book(at(10))
    assert await older.catch_up() == position + 1
    assert await town.reader.status(["counted"]) == [Status("counted", position + 1, None, 0)]
    go_on.set()
    assert await newer == position + 1
    assert await counted(town) == [1] * (position + 1)
    await town.book(at(12))
    with pytest.raises(OtherVersion):
        await older.catch_up()


OTHERWISE = MetaData(schema="counted")
counts.to_metadata(OTHERWISE).append_column(Column("more", Integer))


async def test_one_of_another_shape_is_not_read_while_it_is_filled_anew(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.reading.WAIT_SECONDS", 0.05)
    go_on = asyncio.Event()
    position = await town.follower(question()).catch_up()
    newer = waiting(go_on, tables=OTHERWISE)
    reader = Reader(town.reading, "gumei", {"counted": newer.shape})
    task = asyncio.create_task(town.follower(newer).catch_up())
    await until(lambda: is_there(town, "counted_next"))
    assert await reader.status(["counted"]) == [Status("counted", 0, NOT_BUILT, 0)]
    with pytest.raises(NotBuilt):
        async with reader.of("counted"):
            pass
    # Whoever knows the old shape reads it on.
    async with town.reader.of("counted") as snapshot:
        assert snapshot.position == position
    go_on.set()
    assert await task == position
    assert await reader.status(["counted"]) == [Status("counted", position, None)]


async def test_a_new_version_that_fails_says_so_at_the_one_that_is_read(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "FAILED_SECONDS", (0.02,))
    position = await town.follower(question()).catch_up()

    async def fail(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
        raise ValueError

    newer = Question(name="counted", version="2", tables=COUNTED, apply=fail)
    async with running(town.follower(newer)):
        await until(
            lambda: told(
                town, "counted", position,
                "counted cannot be rebuilt: it fails on the event at 1 of gumei (ValueError).",
            )
        )  # fmt: skip


# --- another log


async def restored(database: TestDatabase, to: int) -> None:
    """The log as it was at a position: as when a copy from then is put in its place."""
    superuser = await asyncpg.connect(database.superuser)
    await superuser.execute("SET session_replication_role = replica")
    for table in ("event_tags", "events"):
        await superuser.execute(f"DELETE FROM booking.{table} WHERE position > {to}")
    await superuser.close()


async def test_a_log_that_was_restored_is_noticed_at_the_start(town: Town, database: TestDatabase) -> None:
    await town.book(at(10))
    last = await town.follower(question()).catch_up()
    await restored(database, last - 1)
    assert await town.follower(question()).catch_up() == last - 1
    assert await counted(town) == [1] * (last - 1)


async def test_a_log_that_was_restored_and_has_gone_on_is_noticed_too(town: Town, database: TestDatabase) -> None:
    """It is as long as before, and no event of it follows from what was taken in."""
    await town.follow()
    await town.book(at(10), person="li")
    last = await town.follow()
    await restored(database, last - 1)
    await town.book(at(12), person="wang")
    await town.book(at(13), person="wang")
    assert await town.follow() == last + 1
    for each in QUESTIONS:
        live = await rows_of(town.projecting, each.tables, each.name)
        await rebuilt(town, each)
        assert await rows_of(town.projecting, each.tables, each.name) == live


async def test_nobody_reads_what_never_happened(
    town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From when it is noticed until it is filled anew."""
    monkeypatch.setattr(projector, "POLL_SECONDS", 0.02)
    go_on = asyncio.Event()
    go_on.set()
    await town.book(at(10))
    follower = town.follower(waiting(go_on))
    last = await follower.catch_up()
    async with running(follower):
        go_on.clear()
        await restored(database, last - 1)
        await until(lambda: is_there(town, "counted_next"))
        assert await town.reader.status(["counted"]) == [Status("counted", 0, NOT_BUILT, 0)]
        go_on.set()
        await until(lambda: told(town, "counted", last - 1, None))

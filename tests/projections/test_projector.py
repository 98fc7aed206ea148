"""Each event counts exactly once, whatever dies; what fails, fails alone."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.conftest import TestDatabase
from tests.projections.conftest import Town, at, wanted
from tests.rows import rows_of

from booking import log, subjects
from booking.codec import Codec
from booking.places.decide import CloseRoom
from booking.reservations.decide import CancelBooking, CheckIn
from booking.reservations.events import BookingConfirmed
from projections import bulk, due, projector
from projections.projector import Follower, OtherVersion, follow_all
from projections.questions import QUESTIONS
from projections.read_model import Followed, Memory, Question
from projections.rebuild import rebuild

pytestmark = pytest.mark.asyncio

COUNTED = MetaData(schema="counted")
counts = Table(
    "counts",
    COUNTED,
    Column("subdistrict", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("times", Integer, nullable=False),
)
CRASHES = select(func.pg_terminate_backend(func.pg_backend_pid()))


async def count(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
    """How often each event was applied."""
    more = insert(counts).values(
        [{"subdistrict": subdistrict, "position": event.recorded.position, "times": 1} for event in events]
    )
    key = [counts.c.subdistrict, counts.c.position]
    await connection.execute(more.on_conflict_do_update(index_elements=key, set_={"times": counts.c.times + 1}))


def question(apply: Callable[[AsyncConnection, str, Sequence[Followed], Memory], Awaitable[None]] = count) -> Question:
    """Counts how often each event is applied."""
    return Question(name="counted", version="1", tables=COUNTED, apply=apply)


async def counted(town: Town) -> list[int]:
    """How often each of the town's events was applied, in their order."""
    rows = (await rows_of(town.projecting, COUNTED, "counted"))["counts"]
    mine = [(position, times) for subdistrict, position, times in rows if subdistrict == town.codec.subdistrict]
    assert [position for position, _ in mine] == list(range(1, len(mine) + 1))
    return [times for _, times in mine]


async def head(town: Town, database: TestDatabase) -> int:
    connection = await asyncpg.connect(database.app)
    try:
        return (await log.head(connection, town.codec.subdistrict)).position
    finally:
        await connection.close()


async def lived_in(town: Town) -> None:
    """Some of everything that can happen to bookings."""
    booking, other = await town.book(at(10)), await town.book(at(12), person="wang")
    await town.book(at(12), at(13.5), room="hall", use="整场", person="wang")
    await town.refused(wanted(at(12), at(13.5), room="hall", use="整场"))
    town.now = at(9.9)
    await town.do(CheckIn(booking=booking))
    await town.do(CancelBooking(booking=other, reason="ill"))
    await town.do(CloseRoom(room="hall", start=at(9), end=at(18), reason="cleaning"))


@asynccontextmanager
async def running(*followers: Follower) -> AsyncIterator[None]:
    """Followers that run until the block is left."""
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is another connection that knows
            await asyncio.sleep(0.01)


async def test_what_is_filled_from_nothing_equals_what_was_followed(town: Town) -> None:
    """One follower took each event as it came, the other all of them at once."""
    followed = [town.follower(each) for each in QUESTIONS]
    for follower in followed:
        follower._limit = 1
        await follower.step()
    await lived_in(town)
    for each, follower in zip(QUESTIONS, followed, strict=True):
        await follower.catch_up()
        await town.follower(each, f"{each.name}_beside").catch_up()
        rows = await rows_of(town.projecting, each.tables, each.name)
        assert rows == await rows_of(town.projecting, each.tables, f"{each.name}_beside")
        assert all(rows.values())


async def test_a_crash_between_rows_and_checkpoint_leaves_no_trace(
    town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "LOST_SECONDS", (0.0,))
    crashes = [2, 5, 6]
    applied = 0

    async def crash(connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], _memory: Memory) -> None:
        nonlocal applied
        applied += 1
        await count(connection, subdistrict, events, {})
        if applied in crashes:
            await connection.execute(CRASHES)

    follower = await at_the_head(town, question(crash))
    follower._limit = 1
    await lived_in(town)
    applied = 0
    last = await head(town, database)
    async with running(follower):
        await until(lambda: at_position(follower, last))
    assert applied > len(crashes)
    assert await counted(town) == [1] * last


async def at_the_head(town: Town, question_: Question) -> Follower:
    """A follower that has taken in all that there is: its read model is built, and it goes on event by event."""
    follower = town.follower(question_)
    await follower.catch_up()
    return follower


async def at_position(follower: Follower, position: int) -> bool:
    return follower.position == position


async def test_connections_killed_at_random_count_each_event_once(
    town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "LOST_SECONDS", (0.0,))
    chance = random.Random(20261124)
    superuser = await asyncpg.connect(database.superuser)
    kill = f"""
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE usename = 'linyue_projector' AND datname = '{database.name}'
    """
    slots = ((day, hour, unit) for day in range(25, 31) for hour in range(9, 21) for unit in range(2))
    follower, killed = town.follower(question()), 0
    async with running(follower):
        while killed < 12:
            day, hour, unit = next(slots)
            await town.book(at(hour, day), person=f"person-{day}-{hour}-{unit}")
            await asyncio.sleep(chance.uniform(0, 0.02))
            # On a busy machine the follower may not have connected anew yet.
            for _ in range(2_000):
                if gone := await superuser.fetchval(kill):
                    killed += gone
                    break
                await asyncio.sleep(0.005)
        last = await head(town, database)
        await until(lambda: at_position(follower, last))
    await superuser.close()
    # What is left in the pool was killed too.
    await town.projecting.dispose()
    assert await counted(town) == [1] * last


async def test_two_followers_of_a_question_count_each_event_once(town: Town, database: TestDatabase) -> None:
    """As in two installations on one database."""
    first, second = await at_the_head(town, question()), await at_the_head(town, question())
    first._limit = second._limit = 1
    await lived_in(town)
    await asyncio.gather(first.catch_up(), second.catch_up())
    last = await head(town, database)
    assert (first.position, second.position) == (last, last)
    assert await counted(town) == [1] * last


async def test_a_follower_that_fails_on_an_event_stops_alone_and_goes_on_when_repaired(
    town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "FAILED_SECONDS", (0.02,))
    broken = True

    async def stumble(
        connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], memory: Memory
    ) -> None:
        await count(connection, subdistrict, events, memory)
        if broken and any(event.recorded.position == 7 for event in events):
            raise ValueError("a person's id must not be told to everybody")

    last = await head(town, database)
    async with running(town.follower(question(stumble)), town.follower(due.QUESTION)):
        await until(lambda: told(town, "counted", 6, "ValueError"))
        await until(lambda: told(town, "due", last, None))
        # What is asked meanwhile is answered with the position.
        async with town.reader.of("counted") as snapshot:
            assert snapshot.position == 6
        broken = False
        await until(lambda: told(town, "counted", last, None))
    assert await counted(town) == [1] * last


async def told(town: Town, question_: str, position: int, error: str | None) -> bool:
    """Whether readiness says so."""
    (status,) = await town.reader.status([question_])
    return (status.position, status.error) == (position, error)


async def test_an_event_that_a_newer_program_wrote_is_named_in_the_status(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "FAILED_SECONDS", (0.02,))
    known = [type_ for type_ in subjects.EVENTS if type_ is not BookingConfirmed]
    before = await town.follow()
    await town.book(at(10))
    older = Follower(town.projecting, Codec("gumei", known, subjects.UPCASTERS), due.QUESTION)
    async with running(older):
        await until(lambda: told(town, "due", before, "UnknownEvent: BookingConfirmed version 1"))


async def test_another_version_is_filled_anew_and_stops_the_older_program(town: Town) -> None:
    older = town.follower(question())
    await older.catch_up()
    newer = town.follower(Question(name="counted", version="2", tables=COUNTED, apply=count))
    assert await newer.catch_up() == older.position
    assert set(await counted(town)) == {1}
    await town.book(at(10))
    with pytest.raises(OtherVersion):
        await older.catch_up()
    assert await newer.catch_up() == older.position + 1


async def test_the_same_version_goes_on_where_it_was(town: Town) -> None:
    position = await town.follower(question()).catch_up()
    again = town.follower(question())
    assert await again.step() is False
    assert again.position == position


async def test_two_subdistricts_do_not_mix(town: Town, database: TestDatabase) -> None:
    async with Town(database, "pujin") as other:
        for each in (town, other):
            await each.follower(question()).catch_up()
            await each.follow()
        mine, theirs = await town.book(at(10)), await other.book(at(10))
        await town.follow()
        assert mine != theirs
        assert await counted(town) == await counted(other) == [1] * (await head(town, database) - 1)
        async with town.reader.of("due") as here, other.reader.of("due") as there:
            assert [found.booking for found in await due.by(here, at(11), 10)] == [mine]
            assert await due.by(there, at(11), 10) == []
            assert here.position == there.position + 1


async def test_a_commit_of_the_desk_wakes_the_followers_also_after_listening_was_cut_off(
    town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Followers that hardly ever poll are there at once."""
    monkeypatch.setattr(projector, "POLL_SECONDS", 60.0)
    monkeypatch.setattr(projector, "LISTEN_AGAIN_SECONDS", 0.01)
    superuser = await asyncpg.connect(database.superuser)
    listening = f"datname = '{database.name}' AND query ILIKE 'LISTEN%'"
    task = asyncio.create_task(follow_all(town.projecting, town.codec, [due.QUESTION]))
    for _ in range(2):
        await until(lambda: listens(superuser, listening))
        await town.book(at(10), person=f"person-{_}")
        last = await head(town, database)
        await until(lambda last=last: told(town, "due", last, None), seconds=10)  # type: ignore[misc]
        await superuser.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listening}")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await superuser.close()


async def listens(superuser: "asyncpg.Connection[asyncpg.Record]", listening: str) -> bool:
    return bool(await superuser.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {listening}"))


async def test_polling_alone_is_enough(town: Town, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "POLL_SECONDS", 0.02)
    async with running(town.follower(due.QUESTION)):
        await town.book(at(10))
        last = await head(town, database)
        await until(lambda: told(town, "due", last, None))


async def test_the_app_may_read_the_read_models_and_nothing_else(town: Town) -> None:
    await town.follow()
    async with town.reading.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(due.bookings.delete())


async def test_tags_of_any_letters_are_kept_as_they_are(town: Town) -> None:
    """Rows go to the database in arrays, in which a list of tags is a text that the database reads."""
    tags = ["plain", "", 'a "quoted", one', "back\\slash", "NULL", "{braces}", "党群 服务站", " edge "]
    async with town.reading.connect() as connection:
        read = await connection.scalar(select(cast(literal(bulk.text_array(tags), Text), ARRAY(Text))))
    assert read == tags


async def test_what_a_follower_remembers_is_forgotten_when_it_did_not_last(town: Town) -> None:
    """Whose transaction came to nothing, or whose table was swapped for another, remembers nothing of it."""
    seen: list[dict[str, Any]] = []
    fails = False

    async def remember(
        connection: AsyncConnection, subdistrict: str, events: Sequence[Followed], memory: Memory
    ) -> None:
        seen.append(dict(memory))
        memory["last"] = events[-1].recorded.position
        if fails:
            raise ConnectionResetError
        await count(connection, subdistrict, events, memory)

    follower = town.follower(question(remember))
    position = await follower.catch_up()
    for failing in (False, False, True, False):
        fails = failing
        await town.book(at(10 + len(seen)), person=f"person-{len(seen)}")
        with contextlib.suppress(ConnectionResetError):
            await follower.step()
    await rebuild(town.projecting, town.codec, question(), "counted")
    await town.book(at(20))
    await follower.catch_up()
    assert [each.get("last") for each in seen[-5:]] == [None, position + 1, position + 2, None, None]

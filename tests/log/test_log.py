"""The log in Postgres: gapless, chained, one writer at a time, read by tag in the order of bytes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from tests.conftest import TestDatabase
from tests.log.desks import Connection, writer

from booking import log
from booking.log import Entry, Head, LogForked, Row, Tagged

pytestmark = pytest.mark.asyncio

GUMEI = "gumei"


@pytest_asyncio.fixture
async def connection(log_database: TestDatabase) -> AsyncIterator[Connection]:
    opened = await writer(log_database)
    yield opened
    await opened.close()


def entries(after: int, *tags: tuple[str, ...]) -> list[Entry]:
    """One entry for each group of tags."""
    return [Entry(position, f"event {position}".encode(), group) for position, group in enumerate(tags, after + 1)]


async def append(connection: Connection, *tags: tuple[str, ...], subdistrict: str = GUMEI) -> Head:
    """Append as a writer does, in a transaction under the lock."""
    await log.begin_and_lock(connection, subdistrict)
    head = await log.head(connection, subdistrict)
    after = await log.append(connection, subdistrict, head, entries(head.position, *tags))
    assert await log.commit(connection)
    return after


async def test_an_empty_log_has_a_head_before_the_first_event(connection: Connection) -> None:
    assert await log.head(connection, GUMEI) == Head(0, hashlib.sha256(b"linyuegumei").digest(), None)


async def test_positions_follow_one_another_without_gaps(connection: Connection) -> None:
    await append(connection, (), (), ())
    await append(connection, (), ())
    assert [row.position for row in await log.follow(connection, GUMEI, 0, 10)] == [1, 2, 3, 4, 5]


async def test_each_hash_covers_the_one_before_and_the_bytes(connection: Connection) -> None:
    await append(connection, (), (), ())
    before = hashlib.sha256(b"linyue" + b"gumei").digest()
    for row in await log.follow(connection, GUMEI, 0, 10):
        before = hashlib.sha256(before + row.data).digest()
        assert row.hash == before


async def test_the_head_is_the_last_event(connection: Connection) -> None:
    after = await append(connection, (), ())
    assert await log.head(connection, GUMEI) == after
    assert (after.position, after.data) == (2, b"event 2")


async def test_entries_that_leave_a_gap_are_not_taken(connection: Connection) -> None:
    head = await log.head(connection, GUMEI)
    with pytest.raises(ValueError, match="from 1 without gaps"):
        await log.append(connection, GUMEI, head, entries(1, ()))


async def test_nothing_to_append_leaves_the_head(connection: Connection) -> None:
    head = await log.head(connection, GUMEI)
    assert await log.append(connection, GUMEI, head, []) == head


async def test_the_logs_of_two_subdistricts_know_nothing_of_each_other(connection: Connection) -> None:
    await append(connection, ("rules",))
    await append(connection, ("rules",), subdistrict="hongmei")
    assert (await log.head(connection, "hongmei")).position == 1
    assert await log.read(connection, "hongmei", ["rules"], []) == [Tagged("rules", 1, b"event 1")]
    assert log.first_hash("hongmei") != log.first_hash(GUMEI)


async def test_the_lock_is_held_until_the_transaction_ends(connection: Connection, log_database: TestDatabase) -> None:
    other = await writer(log_database)
    await log.begin_and_lock(connection, GUMEI)
    waiting = asyncio.create_task(log.begin_and_lock(other, GUMEI))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await connection.execute("COMMIT")
    await waiting
    await other.close()


async def test_the_lock_of_one_subdistrict_holds_up_no_other(
    connection: Connection, log_database: TestDatabase
) -> None:
    other = await writer(log_database)
    await log.begin_and_lock(connection, GUMEI)
    async with asyncio.timeout(5):
        await log.begin_and_lock(other, "hongmei")
    await other.close()


async def test_the_lock_is_released_when_its_holder_dies(connection: Connection, log_database: TestDatabase) -> None:
    dying = await writer(log_database)
    await log.begin_and_lock(dying, GUMEI)
    await append_without_commit(dying)
    dying.terminate()
    async with asyncio.timeout(5):
        await log.begin_and_lock(connection, GUMEI)
    assert (await log.head(connection, GUMEI)).position == 0


async def append_without_commit(connection: Connection) -> None:
    head = await log.head(connection, GUMEI)
    await log.append(connection, GUMEI, head, entries(head.position, ("rules",)))


async def test_a_lock_is_not_waited_for_for_ever(log_database: TestDatabase, connection: Connection) -> None:
    hurried = await writer(log_database, lock_timeout="100ms")
    await log.begin_and_lock(connection, GUMEI)
    with pytest.raises(asyncpg.LockNotAvailableError):
        await log.begin_and_lock(hurried, GUMEI)
    await hurried.close()


async def test_who_gets_the_lock_sees_what_its_last_holder_committed(
    connection: Connection, log_database: TestDatabase
) -> None:
    """Though its transaction was begun before that: each statement has a snapshot of its own."""
    other = await writer(log_database)
    await log.begin_and_lock(connection, GUMEI)
    waiting = asyncio.create_task(log.begin_and_lock(other, GUMEI))
    await asyncio.sleep(0.05)
    await append_without_commit(connection)
    await connection.execute("COMMIT")
    await waiting
    assert (await log.head(other, GUMEI)).position == 1
    await other.close()


async def test_a_writer_that_lost_the_lock_cannot_fork_the_log(
    connection: Connection, log_database: TestDatabase
) -> None:
    """The fence: it read a head that is no longer the last."""
    head = await log.head(connection, GUMEI)
    other = await writer(log_database)
    await append(other, ("rules",))
    await other.close()
    with pytest.raises(LogForked, match="position 1 of gumei"):
        await log.append(connection, GUMEI, head, entries(0, ("mine",)))
    assert await log.read(connection, GUMEI, ["mine"], []) == []


async def test_of_two_writers_without_the_lock_one_is_stopped(
    connection: Connection, log_database: TestDatabase
) -> None:
    """Both have appended, neither has committed: the second waits for the first, and then fails."""
    other = await writer(log_database)
    for one in (connection, other):
        await one.execute("BEGIN")
    await append_without_commit(connection)
    second = asyncio.create_task(append_without_commit(other))
    await asyncio.sleep(0.05)
    await connection.execute("COMMIT")
    with pytest.raises(LogForked):
        await second
    assert [row.position for row in await log.follow(connection, GUMEI, 0, 10)] == [1]
    await other.close()


async def test_a_tag_named_twice_is_a_fault_and_no_fork(connection: Connection) -> None:
    head = await log.head(connection, GUMEI)
    with pytest.raises(ValueError, match="named once"):
        await log.append(connection, GUMEI, head, entries(0, ("rules", "rules")))


async def test_racing_writers_leave_no_gap_and_no_fork(log_database: TestDatabase) -> None:
    writers = [await writer(log_database) for _ in range(4)]

    async def keep_appending(one: Connection) -> None:
        for _ in range(10):
            await append(one, ("rules",), ())

    await asyncio.gather(*map(keep_appending, writers))
    rows = await log.follow(writers[0], GUMEI, 0, 1_000)
    assert [row.position for row in rows] == list(range(1, 81))
    before = log.first_hash(GUMEI)
    for row in rows:
        before = log.next_hash(before, row.data)
        assert row.hash == before
    for one in writers:
        await one.close()


async def test_events_are_read_by_tag_oldest_first(connection: Connection) -> None:
    await append(connection, ("room:a",), ("room:b", "room:a"), ("room:c",))
    assert await log.read(connection, GUMEI, ["room:a", "room:b"], []) == [
        Tagged("room:a", 1, b"event 1"),
        Tagged("room:a", 2, b"event 2"),
        Tagged("room:b", 2, b"event 2"),
    ]


async def test_a_tag_without_events_is_not_found(connection: Connection) -> None:
    await append(connection, ("room:a",))
    assert await log.read(connection, GUMEI, ["room:x"], []) == []


async def test_a_range_of_tags_is_read_from_the_first_up_to_the_last(connection: Connection) -> None:
    await append(connection, ("d:01",), ("d:02",), ("d:03",), ("d:02",))
    found = await log.read(connection, GUMEI, [], [("d:01", "d:03")])
    assert [(tag, position) for tag, position, _ in found] == [("d:01", 1), ("d:02", 2), ("d:02", 4)]


async def test_tags_and_ranges_are_read_at_once(connection: Connection) -> None:
    await append(connection, ("d:01",), ("rules",), ("d:02",))
    found = await log.read(connection, GUMEI, ["rules"], [("d:01", "d:02"), ("d:02", "d:03")])
    assert [(tag, position) for tag, position, _ in found] == [("rules", 2), ("d:01", 1), ("d:02", 3)]


async def test_tags_stand_in_the_order_of_their_bytes(connection: Connection) -> None:
    """No language's sorting: a capital before a small letter, punctuation where its byte is, Chinese after them."""
    tags = ["a", "B", "a:", "a-b", "ab", "a:2026", "á", "书", "😀"]
    await append(connection, *((tag,) for tag in tags))
    found = await log.read(connection, GUMEI, [], [("", "\U0010ffff")])
    in_order = [tag for tag, _, _ in found]
    assert in_order == sorted(tags, key=str.encode) == sorted(tags)


async def test_follow_goes_on_after_a_position_and_no_further_than_asked(connection: Connection) -> None:
    await append(connection, (), (), (), ())
    assert [row.position for row in await log.follow(connection, GUMEI, 1, 2)] == [2, 3]


async def test_events_at_positions_are_told_in_their_order(connection: Connection) -> None:
    await append(connection, (), (), ())
    found = await log.at_positions(connection, GUMEI, [3, 1, 9])
    assert [(row.position, row.data) for row in found] == [(1, b"event 1"), (3, b"event 3")]
    assert all(isinstance(row, Row) for row in found)


async def test_the_hash_at_a_position_is_none_beyond_the_head(connection: Connection) -> None:
    head = await append(connection, ())
    assert await log.hash_at(connection, GUMEI, 1) == head.hash
    assert await log.hash_at(connection, GUMEI, 2) is None


async def test_the_index_of_tags_is_read_in_steps(connection: Connection) -> None:
    await append(connection, ("b", "a"), ("a",))
    first = await log.tags_after(connection, GUMEI, ("", 0), 2)
    assert first == [("a", 1), ("a", 2)]
    assert await log.tags_after(connection, GUMEI, first[-1], 2) == [("b", 1)]


async def test_a_writer_s_connection_is_set_up_as_the_design_says(connection: Connection) -> None:
    await log.bound_transactions(connection)
    # Keepalives are TCP's: on a socket in a folder they are nought.
    expected = {name: value for name, value in log.WRITER_SETTINGS.items() if not name.startswith("tcp_")}
    expected |= {"transaction_timeout": "15s"}
    assert {name: await connection.fetchval("SELECT current_setting($1)", name) for name in expected} == expected


async def test_followers_are_woken_and_the_next_commit_waits_for_the_disk_again(
    connection: Connection, log_database: TestDatabase
) -> None:
    listener = await writer(log_database)
    woken: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener(log.CHANNEL, lambda *told: woken.put_nowait(str(told[-1])))
    await log.wake_followers(connection, GUMEI)
    async with asyncio.timeout(5):
        assert await woken.get() == GUMEI
    assert await connection.fetchval("SELECT current_setting('synchronous_commit')") == "on"
    await listener.close()


async def test_a_committed_transaction_says_so_and_a_failed_one_does_not(connection: Connection) -> None:
    await log.begin_and_lock(connection, GUMEI)
    assert await log.commit(connection)
    await log.begin_and_lock(connection, GUMEI)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("SELECT 1/0")
    assert not await log.commit(connection)

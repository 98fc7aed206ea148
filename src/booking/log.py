"""The log in Postgres: lock it, read it by tag, append to it, follow it. It knows bytes, tags and positions.

One log per subdistrict. Positions begin at 1 and have no gaps; each hash covers the hash before it and the row's bytes.
All SQL of the log is here. The order of a writer is: BEGIN, lock, head, read, append, COMMIT.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[Any]"

CHANNEL = "linyue_log"
"""The channel on which followers are woken; the payload is the subdistrict."""

WRITER_SETTINGS = {
    # With the statistics of a young log the planner would scan events and not look them up by tag: 1 ms becomes 150.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
    # A frozen writer loses the lock after this long, and its connection with it.
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "default_transaction_isolation": "read committed",
}
"""Settings of a connection that appends, beside `bound_transactions`."""


class Head(NamedTuple):
    """The last event of a log: position 0 and the first hash for an empty one."""

    position: int
    hash: bytes
    data: bytes | None


class Row(NamedTuple):
    """An event as it is kept."""

    position: int
    data: bytes
    hash: bytes


class Tagged(NamedTuple):
    """An event found under a tag."""

    tag: str
    position: int
    data: bytes


class Entry(NamedTuple):
    """An event to be appended."""

    position: int
    data: bytes
    tags: tuple[str, ...]


class LogForked(RuntimeError):
    """The append did not continue from the head that was read: another writer held the log. Nothing was written."""


def first_hash(subdistrict: str) -> bytes:
    """The hash before the first event: SHA-256 of "linyue" and the subdistrict."""
    return hashlib.sha256(b"linyue" + subdistrict.encode()).digest()


def next_hash(previous: bytes, data: bytes) -> bytes:
    """The hash of an event: SHA-256 of the one before and the row's bytes."""
    return hashlib.sha256(previous + data).digest()


def lock_key(subdistrict: str) -> int:
    """The advisory lock of a subdistrict's log, as a signed 64-bit number."""
    return int.from_bytes(hashlib.sha256(b"linyue log " + subdistrict.encode()).digest()[:8], "big", signed=True)


# Two statements in one round trip. Each sees its own snapshot under READ COMMITTED, which is named in BEGIN: only what
# starts after the lock is held sees what its last holder committed.
_BEGIN_AND_LOCK = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({key})"


# A bound on the whole transaction, which came with PostgreSQL 17.
_BOUND_TRANSACTIONS = "SET transaction_timeout = '15s'"
_BOUND_SINCE = 17


async def bound_transactions(connection: Connection) -> None:
    """Have the server end a transaction of this connection that goes on too long, where it can."""
    if connection.get_server_version().major >= _BOUND_SINCE:
        await connection.execute(_BOUND_TRANSACTIONS)


async def begin_and_lock(connection: Connection, subdistrict: str) -> None:
    """Open a transaction that holds the log until it ends. Waits at most the connection's lock_timeout."""
    await connection.execute(_BEGIN_AND_LOCK.format(key=lock_key(subdistrict)))


async def commit(connection: Connection) -> bool:
    """End the transaction. False where the server rolled it back: a statement of it had failed."""
    return await connection.execute("COMMIT") == "COMMIT"


# The last event, by primary key.
_HEAD = "SELECT position, hash, data FROM booking.events WHERE subdistrict = $1 ORDER BY position DESC LIMIT 1"


async def head(connection: Connection, subdistrict: str) -> Head:
    """The last event. To be asked after the lock is held, by a writer."""
    row = await connection.fetchrow(_HEAD, subdistrict)
    return Head(*row) if row else Head(0, first_hash(subdistrict), None)


# The events of each tag asked for, from the tags to the events by primary key. LATERAL keeps that order of joining
# whatever the statistics say; OFFSET 0 keeps the inner query from being pulled up.
_READ = """
SELECT asked.tag, found.position, found.data
FROM unnest($2::text[]) AS asked(tag)
CROSS JOIN LATERAL (
    SELECT t.position, e.data
    FROM booking.event_tags t
    CROSS JOIN LATERAL (
        SELECT data FROM booking.events e WHERE e.subdistrict = $1 AND e.position = t.position OFFSET 0
    ) e
    WHERE t.subdistrict = $1 AND t.tag = asked.tag
    ORDER BY t.position
) found
"""

# The same for ranges of tags: a scan of the tags' primary key from the first up to the last.
_READ_RANGES = """
SELECT found.tag, found.position, found.data
FROM unnest($2::text[], $3::text[]) AS asked(first, last)
CROSS JOIN LATERAL (
    SELECT t.tag, t.position, e.data
    FROM booking.event_tags t
    CROSS JOIN LATERAL (
        SELECT data FROM booking.events e WHERE e.subdistrict = $1 AND e.position = t.position OFFSET 0
    ) e
    WHERE t.subdistrict = $1 AND t.tag >= asked.first AND t.tag < asked.last
    ORDER BY t.tag, t.position
) found
"""


async def read(
    connection: Connection, subdistrict: str, tags: Sequence[str], ranges: Sequence[tuple[str, str]]
) -> list[Tagged]:
    """The events of these tags and half-open ranges of tags, each tag's oldest first."""
    rows = await connection.fetch(_READ, subdistrict, tags) if tags else []
    if ranges:
        firsts, lasts = zip(*ranges, strict=True)
        rows = rows + await connection.fetch(_READ_RANGES, subdistrict, list(firsts), list(lasts))
    return [Tagged(*row) for row in rows]


# Events and tags in one statement. The primary key (subdistrict, position) is the fence: a writer that lost the lock
# fails here.
_APPEND = """
WITH appended AS (
    INSERT INTO booking.events (subdistrict, position, data, hash)
    SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bytea[])
)
INSERT INTO booking.event_tags (subdistrict, tag, position)
SELECT $1, * FROM unnest($5::text[], $6::bigint[])
"""


async def append(connection: Connection, subdistrict: str, after: Head, entries: Sequence[Entry]) -> Head:
    """Write the entries behind `after`, under the lock. Returns the new head.

    Raises `LogForked` where the log has gone on without this writer.
    """
    if not entries:
        return after
    if [entry.position for entry in entries] != list(range(after.position + 1, after.position + 1 + len(entries))):
        raise ValueError(f"entries must be numbered from {after.position + 1} without gaps")
    # So that a row which is there already can only be another writer's.
    if any(len(set(entry.tags)) < len(entry.tags) for entry in entries):
        raise ValueError("a tag must be named once in an entry")
    hashes: list[bytes] = []
    last = after.hash
    for entry in entries:
        last = next_hash(last, entry.data)
        hashes.append(last)
    tags = [(tag, entry.position) for entry in entries for tag in entry.tags]
    try:
        await connection.execute(
            _APPEND,
            subdistrict,
            [entry.position for entry in entries],
            [entry.data for entry in entries],
            hashes,
            [tag for tag, _ in tags],
            [position for _, position in tags],
        )
    except asyncpg.UniqueViolationError as error:
        raise LogForked(f"position {after.position + 1} of {subdistrict} was taken") from error
    return Head(entries[-1].position, last, entries[-1].data)


# One event's hash, by primary key: whether what was sent with a lost COMMIT is there.
_HASH_AT = "SELECT hash FROM booking.events WHERE subdistrict = $1 AND position = $2"


async def hash_at(connection: Connection, subdistrict: str, position: int) -> bytes | None:
    """The hash at a position; None beyond the head."""
    found: bytes | None = await connection.fetchval(_HASH_AT, subdistrict, position)
    return found


# A write that touches no table: its commit returns only when all that was committed before is on disk too.
_PROVE_DURABLE = "SELECT pg_logical_emit_message(true, 'linyue', 'durable')"


async def prove_durable(connection: Connection) -> None:
    """Make the commit of this transaction flush the write-ahead log, and so everything committed before it."""
    await connection.execute(_PROVE_DURABLE)


# A range with two ends, as there are no gaps: with LIMIT alone a planner without statistics reads and sorts the rest.
_FOLLOW = """
SELECT position, data, hash FROM booking.events
WHERE subdistrict = $1 AND position > $2 AND position <= $2::bigint + $3 ORDER BY position
"""


async def follow(connection: Connection, subdistrict: str, after: int, limit: int) -> list[Row]:
    """The next events after a position, oldest first. Gapless: no reader sees n + 1 before n."""
    return [Row(*row) for row in await connection.fetch(_FOLLOW, subdistrict, after, limit)]


_AT = "SELECT position, data, hash FROM booking.events WHERE subdistrict = $1 AND position = ANY($2::bigint[])"


async def at_positions(connection: Connection, subdistrict: str, positions: Iterable[int]) -> list[Row]:
    """The events at these positions, oldest first; positions beyond the head are left out."""
    rows = await connection.fetch(_AT, subdistrict, list(positions))
    return sorted(Row(*row) for row in rows)


# The tag index in its own order, for whoever holds it against the events.
_TAGS_AFTER = """
SELECT tag, position FROM booking.event_tags
WHERE subdistrict = $1 AND (tag, position) > ($2, $3) ORDER BY tag, position LIMIT $4
"""


async def tags_after(
    connection: Connection, subdistrict: str, after: tuple[str, int], limit: int
) -> list[tuple[str, int]]:
    """The next rows of the tag index after a (tag, position), in the index's own order; begin with ("", 0)."""
    return [(tag, position) for tag, position in await connection.fetch(_TAGS_AFTER, subdistrict, *after, limit)]


# Nobody waits for this transaction to reach the disk: what it tells of is there already.
_WAKE = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"


async def wake_followers(connection: Connection, subdistrict: str) -> None:
    """Tell followers that there is something new. Outside the desk's transaction: NOTIFY would hold up its commit."""
    await connection.execute(_WAKE, CHANNEL, subdistrict)

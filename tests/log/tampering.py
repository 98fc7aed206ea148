"""What somebody with all rights could do to a log: change rows past the triggers, or write all of it anew."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from tests.log.history import CODEC, SUBDISTRICT

from booking import log
from booking.verify import Checkpoint, Report, verify

Connection: TypeAlias = "asyncpg.Connection[Any]"
Envelope = dict[str, Any]


@asynccontextmanager
async def past_the_triggers(superuser: str) -> AsyncIterator[Connection]:
    """A connection that nothing stops."""
    connection = await asyncpg.connect(superuser)
    try:
        await connection.execute("SET session_replication_role = replica")
        yield connection
    finally:
        await connection.close()


async def rows_of(connection: Connection) -> list[log.Row]:
    return await log.follow(connection, SUBDISTRICT, 0, 100_000)


async def envelopes_of(connection: Connection) -> list[Envelope]:
    return [json.loads(row.data) for row in await rows_of(connection)]


async def position_of(connection: Connection, type_: str, nth: int = 0) -> int:
    """Where the log has an event of this type, for the n-th time."""
    found: list[int] = [
        envelope["position"] for envelope in await envelopes_of(connection) if envelope["type"] == type_
    ]
    return found[nth]


async def rewrite(connection: Connection, change: Callable[[list[Envelope]], None]) -> list[Envelope]:
    """Write the whole log anew after a change: positions, bytes, chain and tags are as a desk would have made them."""
    envelopes = await envelopes_of(connection)
    change(envelopes)
    for position, envelope in enumerate(envelopes, 1):
        envelope["position"] = position
    await write(connection, [canonical(envelope) for envelope in envelopes])
    return envelopes


def canonical(envelope: Envelope) -> bytes:
    return json.dumps(envelope, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


async def write(connection: Connection, datas: list[bytes]) -> None:
    """These bytes and no others, with a fresh chain; tags for what the program can read."""
    await connection.execute("DELETE FROM booking.events; DELETE FROM booking.event_tags")
    last = hashlib.sha256(b"linyue" + SUBDISTRICT.encode()).digest()
    rows: list[tuple[str, int, bytes, bytes]] = []
    for position, data in enumerate(datas, 1):
        last = hashlib.sha256(last + data).digest()
        rows.append((SUBDISTRICT, position, data, last))
    await connection.executemany("INSERT INTO booking.events VALUES ($1, $2, $3, $4)", rows)
    tags = [(SUBDISTRICT, tag, row[1]) for row in rows for tag in _tags(row[2])]
    await connection.executemany("INSERT INTO booking.event_tags VALUES ($1, $2, $3)", tags)


def _tags(data: bytes) -> set[str]:
    try:
        return set(CODEC.decode(data).tags())
    except (ValueError, LookupError):
        return set()


async def proved(connection: Connection, checkpoint: Checkpoint | None = None) -> Report:
    return await verify(connection, SUBDISTRICT, lambda _: None, checkpoint)


def places(report: Report) -> list[tuple[int, str]]:
    """Where something was found, and of what kind."""
    assert report.ok is not bool(report.findings)
    assert report.found == len(report.findings)
    return [(finding.position, finding.kind) for finding in report.findings]

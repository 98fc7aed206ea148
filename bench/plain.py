"""What the desk is measured beside: a plain table that PostgreSQL itself keeps free of double bookings.

One row a booking, an EXCLUDE constraint (btree_gist) on room and time; no person's quota, no tags, no chain, no answers
under a key, no reason for a refusal. Every slot is asked for once, so that no row of it is refused.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from bench.ground import BenchDatabases, Ground

CONNECTIONS = 32
FED_AT_ONCE = 64

_TABLE = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE plain (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room text NOT NULL,
    person text NOT NULL,
    during tstzrange NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    EXCLUDE USING gist (room WITH =, during WITH &&)
);
CREATE SEQUENCE plain_slot;
CREATE FUNCTION plain_start(n bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
    $$ SELECT timestamptz '2026-03-01 09:00+08' + (n / 12) * interval '1 day' + (n % 12) * interval '1 hour' $$;
"""

# The n-th slot: all rooms in turn, and of each its hours, scattered over the next twelve days.
_ONE = """
INSERT INTO plain (room, person, during)
SELECT 'room-' || lpad((n % 200)::text, 3, '0'), 'person' || lpad((n % 20000)::text, 14, '0'),
    tstzrange(plain_start(m), plain_start(m) + interval '1 hour')
FROM nextval('plain_slot') n CROSS JOIN LATERAL (SELECT n / 200 / 144 * 144 + n / 200 % 144 * 65 % 144 AS m) s
"""
# The same slots, sent by a client: 64 rows in one statement, as the desk sends its events.
_MANY = """
INSERT INTO plain (room, person, during)
SELECT room, person, tstzrange(start, start + interval '1 hour')
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS sent(room, person, start)
"""
_FED_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class Plain:
    """The table in a database, and the ways to fill it."""

    def __init__(self, on: Ground, database: BenchDatabases, connection: "asyncpg.Connection[Any]") -> None:
        self._on = on
        self._database = database
        self._connection = connection
        self.superuser = database.superuser
        self._script = on.folder / "plain.sql"
        self._fed = 0

    async def one_a_commit(self) -> float:
        """Rows a second under pgbench: 32 connections, each row committed by itself."""
        await asyncio.to_thread(self._script.write_text, " ".join(_ONE.split()) + ";\n", encoding="utf-8")
        return await _pgbench(self._on, self._database, self._script)

    async def fed(self) -> float:
        """Rows a second over one connection, 64 of them in each commit."""
        clock = asyncio.get_running_loop().time
        began, rows = clock(), 0
        while clock() - began < self._on.seconds:
            slots = range(self._fed, self._fed + FED_AT_ONCE)
            rooms = [f"room-{n % 200:03d}" for n in slots]
            people = [f"person{n % 20_000:014d}" for n in slots]
            # Before all that pgbench books.
            starts = [_FED_FROM + timedelta(hours=_scattered(n // 200)) for n in slots]
            await self._connection.execute(_MANY, rooms, people, starts)
            rows += FED_AT_ONCE
            self._fed += FED_AT_ONCE
        return rows / (clock() - began)


def _scattered(hour: int) -> int:
    return hour // 144 * 144 + hour % 144 * 65 % 144


# One hour of a room that nothing else uses.
WANT = """
INSERT INTO plain (room, person, during)
VALUES ('the one room', 'somebody', tstzrange(plain_start($1), plain_start($1) + interval '1 hour'))
"""


@asynccontextmanager
async def plain(on: Ground) -> AsyncIterator[Plain]:
    """The empty table in a database of its own."""
    async with on.database() as database:
        connection = await asyncpg.connect(database.superuser)
        try:
            await connection.execute(_TABLE)
            yield Plain(on, database, connection)
        finally:
            await connection.close()


async def _pgbench(on: Ground, database: BenchDatabases, script: Path) -> float:
    """Transactions a second; raises `RuntimeError` with what pgbench said where one failed."""
    options = (
        "--no-vacuum", "--protocol=prepared", f"--client={CONNECTIONS}", "--jobs=2",
        f"--time={max(1, round(on.seconds))}", f"--file={script}",
        f"--host={on.server.socket}", "--username=postgres", database.name,
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        str(on.programs / "pgbench"), *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said = (await asyncio.wait_for(process.communicate(), timeout=60))[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
    found = _TPS.search(said)
    if process.returncode or found is None or "number of failed transactions: 0 " not in said:
        raise RuntimeError(f"pgbench failed: {said[-1000:]}")
    return float(found[1])

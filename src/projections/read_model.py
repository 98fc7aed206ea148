"""A read model as it stands in its schema: told by its version, moved on by events.

Rows and checkpoint change in one transaction.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import Dialect, MetaData, bindparam, func, literal_column, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable

from booking import log
from booking.codec import Codec, UnknownEvent
from booking.messages import Recorded
from projections.reading import DISOWNED, READ_MODEL, checkpoints

READER = "linyue_app"
"""The role that reads the read models."""


class Followed(NamedTuple):
    """An event on its way into a read model: decoded, and as the log keeps it."""

    recorded: Recorded
    data: bytes
    hash: bytes


Memory = dict[str, Any]
"""What a question remembers of its rows: always just as they are. The oldest is forgotten when it is full."""

# States of a busy day are some 10 kB each.
MEMORY_MAX = 2_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a follower needs of a question: its name, which is its schema's, its tables, and what events change in them.

    `version` names what stands in the tables, `holds` what a reader must know of it beside the tables themselves.
    Nothing is migrated: another version is filled anew, and one of the same shape goes on to be read meanwhile.
    `apply` changes the rows by events, oldest first, in the connection's transaction.
    It may remember what it has written until the next time.
    """

    name: str
    version: str
    tables: MetaData
    apply: Callable[[AsyncConnection, str, Sequence[Followed], Memory], Awaitable[None]]
    holds: str = ""

    @cached_property
    def shape(self) -> str:
        """Equal for what can be read by the same statements: a digest of the tables and of what they hold."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        lines = [*_ddl(checkpoints.metadata, dialect), *_ddl(self.tables, dialect), self.holds]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _ddl(tables: MetaData, dialect: Dialect) -> Iterable[str]:
    for table in tables.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect))
        yield from sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)


class Place(NamedTuple):
    """How far in a log: an event's position and its hash, by which one log is told from another."""

    position: int
    hash: bytes


class _Checkpoint(NamedTuple):
    """A place, in a table of its own: one that was swapped in is another, though it be at the same place."""

    table: int
    place: Place


# Its commit need not wait for the disk: what a crash takes back, rows and checkpoint, is taken in again from the log.
_LOCK = (
    select(
        checkpoints.c.position,
        checkpoints.c.hash,
        checkpoints.c.version,
        literal_column("tableoid").label("tableoid"),
        func.set_config("synchronous_commit", "off", True),
    )
    .where(checkpoints.c.subdistrict == bindparam("its_subdistrict"))
    .with_for_update()
)
_MOVE = (
    update(checkpoints)
    .where(checkpoints.c.subdistrict == bindparam("its_subdistrict"))
    .values(position=bindparam("position"), hash=bindparam("hash"), at=bindparam("at"), error=None)
)


class EventFailed(Exception):
    """A read model could not take in an event: it stands before it until the program is repaired."""


class AnotherLog(Exception):
    """The log is not the one that this read model has followed: it was restored to an earlier time, or replaced."""


class Gone(Exception):
    """The read model is not where it was: another has taken its place."""


class ReadModel:
    """A question's tables and checkpoints in one schema. Connections must come from what `on` returns."""

    def __init__(self, question: Question, codec: Codec, schema: str) -> None:
        self.question = question
        self.schema = schema
        self.version = f"{question.version} {question.shape}"
        self._codec = codec
        # Of each subdistrict; to be used only where the checkpoint of the same table is still the one beside it.
        self._memories: dict[str, tuple[_Checkpoint, Memory]] = {}

    def on(self, engine: AsyncEngine) -> AsyncEngine:
        """The engine on whose connections the question's tables are those of this schema."""
        return engine.execution_options(schema_translate_map={self.question.name: self.schema, READ_MODEL: self.schema})

    async def make(self, connection: AsyncConnection) -> None:
        """Its schema and empty tables; there must be none yet."""
        for statement in (
            f"CREATE SCHEMA {self.schema}",
            f"GRANT USAGE ON SCHEMA {self.schema} TO {READER}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {self.schema} GRANT SELECT ON TABLES TO {READER}",
        ):
            await connection.execute(text(statement))
        await connection.run_sync(checkpoints.metadata.create_all, checkfirst=False)
        await connection.run_sync(self.question.tables.create_all, checkfirst=False)

    async def is_there(self, connection: AsyncConnection) -> bool:
        """Whether there is a schema of this name with checkpoints."""
        return bool(await connection.scalar(select(func.to_regclass(f"{self.schema}.checkpoints").is_not(None))))

    async def is_current(self, connection: AsyncConnection) -> bool:
        """Whether it is there in the version that this program makes."""
        return {row.get("version") for row in await self._checkpoints(connection)} == {self.version}

    async def subdistricts(self, connection: AsyncConnection) -> set[str]:
        """Of which subdistricts it tells, in whatever version it is."""
        return {row["subdistrict"] for row in await self._checkpoints(connection)}

    async def places(self, connection: AsyncConnection) -> dict[str, Place]:
        """How far it is in each subdistrict; none where this program cannot read it."""
        return {
            row["subdistrict"]: Place(row["position"], bytes.fromhex(row["hash"].removeprefix("\\x")))
            for row in await self._checkpoints(connection)
            if row.get("shape") == self.question.shape
        }

    async def _checkpoints(self, connection: AsyncConnection) -> list[dict[str, Any]]:
        """The checkpoints as they are, whatever columns those of another version have."""
        if not await self.is_there(connection):
            return []
        rows = await connection.scalars(text(f"SELECT to_jsonb(c)::text FROM {self.schema}.checkpoints c"))  # noqa: S608 - our own name
        return [msgspec.json.decode(row) for row in rows]

    async def begin(self, connection: AsyncConnection, subdistrict: str) -> None:
        """Have a checkpoint of a subdistrict, at its beginning where there is none."""
        first = insert(checkpoints).values(
            subdistrict=subdistrict,
            version=self.version,
            shape=self.question.shape,
            position=0,
            hash=log.first_hash(subdistrict),
        )
        await connection.execute(first.on_conflict_do_nothing())

    async def lock(self, connection: AsyncConnection, subdistrict: str) -> Place:
        """How far it is in a subdistrict, and stays until the transaction ends. Raises `Gone`."""
        return (await self._lock(connection, subdistrict)).place

    async def _lock(self, connection: AsyncConnection, subdistrict: str) -> _Checkpoint:
        found = await connection.execute(_LOCK, {"its_subdistrict": subdistrict})
        row = found.one_or_none()
        if row is None or row.version != self.version:
            raise Gone(self.schema)
        return _Checkpoint(row.tableoid, Place(row.position, row.hash))

    async def take_in(self, connection: AsyncConnection, subdistrict: str, at: Place, rows: Sequence[log.Row]) -> Place:
        """Apply the rows that follow `at`, in the connection's transaction; returns how far it is then.

        Raises `Gone`, `EventFailed`, or what a lost database raises.
        """
        # The lock on the checkpoint: of two followers the second finds here what the first has done.
        found = await self._lock(connection, subdistrict)
        if found.place != at:
            return found.place
        memory = self._recall(subdistrict, found)
        last = await self._apply(connection, subdistrict, rows, memory)
        to = Place(last.position, rows[-1].hash)
        moved = {"position": to.position, "hash": to.hash, "at": last.at}
        await connection.execute(_MOVE, {"its_subdistrict": subdistrict, **moved})
        # Where the transaction does not commit, the next finds another checkpoint, and forgets this.
        self._memories[subdistrict] = (_Checkpoint(found.table, to), memory)
        return to

    def _recall(self, subdistrict: str, at: _Checkpoint) -> Memory:
        known_at, memory = self._memories.pop(subdistrict, (None, {}))
        if known_at != at:
            return {}
        for oldest in list(memory)[: max(0, len(memory) - MEMORY_MAX)]:
            del memory[oldest]
        return memory

    async def _apply(
        self, connection: AsyncConnection, subdistrict: str, rows: Sequence[log.Row], memory: Memory
    ) -> Recorded:
        try:
            events = [Followed(self._codec.decode(row.data), row.data, row.hash) for row in rows]
            await self.question.apply(connection, subdistrict, events, memory)
        except Exception as error:
            if isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
            # No message that may hold a statement's parameters: readiness is for everybody to see.
            why = f": {error}" if isinstance(error, UnknownEvent) else ""
            raise EventFailed(type(error).__name__ + why) from error
        return events[-1].recorded

    async def say_why(self, connection: AsyncConnection, subdistrict: str, position: int, why: str) -> None:
        """Note at the checkpoint why it does not go on from this position."""
        here = (checkpoints.c.subdistrict == subdistrict, checkpoints.c.position == position)
        await connection.execute(update(checkpoints).where(*here).values(error=why))

    async def disown(self, connection: AsyncConnection, subdistrict: str) -> None:
        """Have nobody read it, or go on from it, any more."""
        mine = update(checkpoints).where(
            checkpoints.c.subdistrict == subdistrict, checkpoints.c.version == self.version
        )
        await connection.execute(mine.values(version=DISOWNED, shape=DISOWNED))


async def next_rows(connection: AsyncConnection, subdistrict: str, at: Place, limit: int) -> list[log.Row]:
    """What the log has after a place, outside any transaction. Raises `AnotherLog` where it does not have the place."""
    try:
        # With the event that it was taken from, which must be the one that the read model knows.
        known = 1 if at.position else 0
        rows = await log.follow(await driver(connection), subdistrict, at.position - known, limit + known)
    except Exception:
        # SQLAlchemy does not see what befalls its connection here, and must not hand it out again.
        await connection.invalidate()
        raise
    if known and (not rows or rows[0].hash != at.hash):
        raise AnotherLog(f"{subdistrict} has another event at {at.position}, or none")
    return rows[known:]


async def driver(connection: AsyncConnection) -> log.Connection:
    """asyncpg's own connection beneath SQLAlchemy's, for the log."""
    return cast(log.Connection, (await connection.get_raw_connection()).driver_connection)

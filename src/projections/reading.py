"""A read model's rows and its position, which agree, once it reflects what the caller has seen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import chain, repeat
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import TIMESTAMP, BigInteger, Column, LargeBinary, MetaData, Row, Table, Text, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

READ_MODEL = "read_model"
"""Stands for the schema of whichever read model is meant; `schema_translate_map` puts that one's name."""

checkpoints = Table(
    "checkpoints",
    MetaData(schema=READ_MODEL),
    Column("subdistrict", Text(collation="C"), primary_key=True),
    Column("version", Text, nullable=False),
    Column("shape", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", TIMESTAMP(timezone=True)),
    Column("error", Text),
)
"""How far a read model is, in each: its version and shape, the last event's position, hash and instant, and why it does
not go on. The hash tells one log from another, the shape what can be read by the same statements."""

Checkpoint = Row[tuple[Any, ...]]

DISOWNED = "of another log"
"""The version and shape of a read model that tells of events which are not in the log: nobody may read it."""

Found = TypeVar("Found")

WAIT_SECONDS = 2.0
# A follower is there some 10 ms after the commit; the later tries are for one that has much to do.
PAUSES_SECONDS = (0.005, 0.01, 0.02, 0.04)


def next_schema(name: str) -> str:
    """Where a read model is filled beside the one of this name, before it takes its place."""
    return f"{name}_next"


class NotBuilt(Exception):
    """The read model is not there yet, or in no shape to be read: the background process builds it; ask again soon."""


class Snapshot(NamedTuple):
    """A read model at one position, within one transaction. Read and leave: none may be held longer than a second.

    `at` is the instant of the event at `position`; None where there is none.
    """

    connection: AsyncConnection
    subdistrict: str
    position: int
    at: datetime | None

    def not_before(self, now: datetime) -> datetime:
        """The `now` that a decision would have here: time in the log does not run backwards."""
        return max(now, self.at) if self.at else now


class Status(NamedTuple):
    """How far a read model is. `error` says why it does not go on from there: the event after `position` fails.

    `building`: how far the one is that is filled beside it, and will take its place; None where there is none.
    """

    question: str
    position: int
    error: str | None
    building: int | None = None


NOT_BUILT = "not built"
"""The error of a read model that nobody can read: it is not there, or in no shape that this program knows."""


class Reader:
    """Reads the read models of a subdistrict, in the role of the app.

    `shapes`: what this program can read, by the names of the questions; any shape of one that is not named.
    """

    def __init__(self, engine: AsyncEngine, subdistrict: str, shapes: Mapping[str, str] = {}) -> None:
        self.subdistrict = subdistrict
        self._shapes = shapes
        # One snapshot for all statements, so that rows and position agree.
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._autocommitting = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def of(self, question: str, reflecting: int | None = None) -> AsyncIterator[Snapshot]:
        """The read model of a question, once it reflects a position, or after 2 s as it is then.

        Raises `NotBuilt` where it is not there at all, and what the database's being away raises.
        """
        async with AsyncExitStack() as stack:
            yield await self._wait_for(question, reflecting or 0, stack)

    async def _wait_for(self, question: str, position: int, stack: AsyncExitStack) -> Snapshot:
        """The first snapshot that is far enough, or the last there is time for; the stack closes its connection."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_SECONDS
        for pause in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
            late = loop.time() >= until
            async with AsyncExitStack() as attempt:
                try:
                    connection = await attempt.enter_async_context(self._engine.connect())
                    snapshot = await self._snapshot(connection, question)
                except (OSError, DBAPIError):
                    # A connection from before the database was started anew; the next one is another.
                    if late:
                        raise
                    snapshot = None
                if snapshot and (late or snapshot.position >= position):
                    stack.push_async_exit(attempt.pop_all())
                    return snapshot
            if late:
                break
            await asyncio.sleep(pause)
        raise NotBuilt(question)

    async def at_once(self, question: str, read: Callable[[AsyncConnection], Awaitable[Found]]) -> Found:
        """What one statement finds of a question's read model: it is a snapshot by itself, in one round trip.

        Raises `NotBuilt` where there are no such tables, and what the database's being away raises.
        """
        try:
            return await self._at_once(question, read)
        except NotBuilt:
            raise
        except (OSError, DBAPIError):
            # A connection from before the database was started anew; the next one is another.
            return await self._at_once(question, read)

    async def _at_once(self, question: str, read: Callable[[AsyncConnection], Awaitable[Found]]) -> Found:
        try:
            async with self._autocommitting.connect() as connection:
                return await read(connection)
        except ProgrammingError as error:
            raise NotBuilt(question) from error

    async def status(self, questions: Iterable[str]) -> list[Status]:
        """How far each read model is, for readiness; one that cannot be read is at 0, with an error."""
        async with self._engine.connect() as connection:
            schemas = set(await connection.scalars(text("SELECT nspname::text FROM pg_namespace")))
        return [await self._status(question, schemas) for question in questions]

    async def _status(self, question: str, schemas: set[str]) -> Status:
        live = await self._checkpoint(question, question) if question in schemas else None
        beside = next_schema(question)
        coming = await self._checkpoint(question, beside) if beside in schemas else None
        building = coming.position if coming else None
        if live is None:
            return Status(question, 0, NOT_BUILT, building)
        return Status(question, live.position, live.error, building)

    async def _checkpoint(self, question: str, schema: str) -> Checkpoint | None:
        async with self._engine.connect() as connection:
            row = await _checkpoint(connection, schema, self.subdistrict)
        return row if row and self.can_read(question, row.shape) else None

    async def _snapshot(self, connection: AsyncConnection, question: str) -> Snapshot | None:
        row = await _checkpoint(connection, question, self.subdistrict)
        if row is None or not self.can_read(question, row.shape):
            return None
        return Snapshot(connection, self.subdistrict, row.position, row.at)

    def can_read(self, question: str, shape: str) -> bool:
        """Whether a read model of this shape can be read, and may."""
        return shape != DISOWNED and self._shapes.get(question, shape) == shape


# The first statement of the transaction: the snapshot begins with it.
async def _checkpoint(connection: AsyncConnection, schema: str, subdistrict: str) -> Checkpoint | None:
    try:
        found = await connection.execute(
            select(checkpoints).where(checkpoints.c.subdistrict == subdistrict),
            execution_options={"schema_translate_map": {READ_MODEL: schema}},
        )
    except ProgrammingError:
        # No such table, or none of these columns, or a schema that is just being made.
        return None
    return found.one_or_none()

"""Follows a log for one read model: rows and checkpoint in one transaction, so that each event counts exactly once.

A follower that fails on an event stops there alone, says so in its checkpoint and tries again; one that loses the
database tries for ever. NOTIFY only wakes it: polling makes it correct.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import structlog
from sqlalchemy import Dialect, MetaData, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable

from booking import log
from booking.codec import Codec, UnknownEvent
from booking.messages import Recorded
from projections.reading import READ_MODEL, checkpoints

READER = "linyue_app"
"""The role that reads the read models."""

# A transaction of so many events takes 0.1 to 0.2 s, well within the second that a snapshot may be held.
BATCH_MAX = 500
POLL_SECONDS = 1.0
# Of a follower that fails on an event; a lost database is tried again sooner.
FAILED_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
LOST_SECONDS = (0.05, 0.2, 0.5, 1.0)
LISTEN_AGAIN_SECONDS = 1.0

logger = structlog.get_logger()


class Followed(NamedTuple):
    """An event on its way into a read model: decoded, and as the log keeps it."""

    recorded: Recorded
    data: bytes
    hash: bytes


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a follower needs of a question: its name, which is its schema's, its tables, and what events change in them.

    `version` names what stands in the tables. Nothing is migrated: other tables or another version are filled anew.
    `apply` changes the rows by events, oldest first, in the connection's transaction.
    """

    name: str
    version: str
    tables: MetaData
    apply: Callable[[AsyncConnection, str, Sequence[Followed]], Awaitable[None]]


class EventFailed(Exception):
    """A read model could not take in an event: its follower stands before it until the program is repaired."""


class OtherVersion(Exception):
    """Another program's version of this read model has taken its place: start this program anew, or update it."""


def version_of(question: Question, dialect: Dialect) -> str:
    """Its version by name, and a digest of its tables, so that changed tables are another version."""
    tables = question.tables.sorted_tables
    ddl = [str(CreateTable(table).compile(dialect=dialect)) for table in tables]
    ddl += sorted(str(CreateIndex(index).compile(dialect=dialect)) for table in tables for index in table.indexes)
    digest = hashlib.sha256("\n".join(ddl).encode()).hexdigest()
    return f"{question.version} {digest[:16]}"


class Follower:
    """Follows the log of the codec's subdistrict for one question; any number of processes may each have one.

    `engine` acts in the role of the projector. `schema` is another than the question's own for one filled beside it.
    """

    def __init__(self, engine: AsyncEngine, codec: Codec, question: Question, schema: str | None = None) -> None:
        self.name = question.name
        self.subdistrict = codec.subdistrict
        self.schema = schema or question.name
        self.position = 0
        self.error: str | None = None
        self.woken = asyncio.Event()
        self._codec = codec
        self._question = question
        self._version = version_of(question, engine.dialect)
        self._engine = engine.execution_options(
            schema_translate_map={question.name: self.schema, READ_MODEL: self.schema}
        )
        self._prepared = False
        self._limit = BATCH_MAX
        self._failures = 0

    async def run(self) -> None:
        """Follow until cancelled, whatever happens to the database or to an event."""
        while True:
            self.woken.clear()
            try:
                moved = await self.step()
            except Exception as error:  # noqa: BLE001 - whatever it is stops this follower alone, and is logged and told
                await asyncio.sleep(await self._failed(error))
                continue
            if not moved:
                await self._wait()

    async def catch_up(self) -> int:
        """Follow until level with the log; returns the position. Raises what fails."""
        while await self.step():
            pass
        return self.position

    async def step(self) -> bool:
        """Take in the next events, at most a batch of them; False where there were none."""
        if not self._prepared:
            await self._prepare()
        async with self._engine.connect() as connection:
            rows = await self._next_rows(connection)
            if rows:
                async with connection.begin():
                    position = await self._take_in(connection, rows)
                # Not before the commit has returned: where it failed, the next step finds out where the checkpoint is.
                self.position, self.error = position, None
                self._limit = min(BATCH_MAX, self._limit * 2)
        self._failures = 0
        return bool(rows)

    async def _next_rows(self, connection: AsyncConnection) -> list[log.Row]:
        """What the log has after the position, outside any transaction: an idle follower writes nothing."""
        try:
            return await log.follow(await driver(connection), self.subdistrict, self.position, self._limit)
        except Exception:
            # SQLAlchemy does not see what befalls its connection here, and must not hand it out again.
            await connection.invalidate()
            raise

    async def _take_in(self, connection: AsyncConnection, rows: list[log.Row]) -> int:
        """Apply these events; returns how far the read model is then."""
        # The lock on the checkpoint: of two followers the second finds here what the first has done.
        position = await self._lock_checkpoint(connection)
        if position != self.position:
            return position
        last = await self._apply(connection, rows)
        await connection.execute(
            update(checkpoints)
            .where(checkpoints.c.subdistrict == self.subdistrict)
            .values(position=last.position, at=last.at, error=None)
        )
        return last.position

    async def _apply(self, connection: AsyncConnection, rows: list[log.Row]) -> Recorded:
        """Change the question's rows; returns the last event. Raises `EventFailed`, or what a lost database raises."""
        try:
            events = [Followed(self._codec.decode(row.data), row.data, row.hash) for row in rows]
            await self._question.apply(connection, self.subdistrict, events)
        except Exception as error:
            if isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
            # No message that may hold a statement's parameters: readiness is for everybody to see.
            why = f": {error}" if isinstance(error, UnknownEvent) else ""
            raise EventFailed(type(error).__name__ + why) from error
        return events[-1].recorded

    async def _lock_checkpoint(self, connection: AsyncConnection) -> int:
        asked = select(checkpoints.c.position, checkpoints.c.version)
        found = await connection.execute(asked.where(checkpoints.c.subdistrict == self.subdistrict).with_for_update())
        row = found.one_or_none()
        if row is None or row.version != self._version:
            raise OtherVersion(f"{self.schema}: {row.version if row else 'none'}")
        return int(row.position)

    async def _prepare(self) -> None:
        """Make the schema where it is missing or of another version; then go on from its checkpoint."""
        async with self._engine.begin() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"read model {self.schema}"))))
            if not await self._is_of_this_version(connection):
                await self._make(connection)
            first = insert(checkpoints).values(subdistrict=self.subdistrict, version=self._version, position=0)
            await connection.execute(first.on_conflict_do_nothing())
            self.position = await self._lock_checkpoint(connection)
        # From here on another program's schema is left alone: only a start makes one anew.
        self._prepared = True

    async def _is_of_this_version(self, connection: AsyncConnection) -> bool:
        there = await connection.scalar(select(func.to_regclass(f"{self.schema}.checkpoints").is_not(None)))
        if not there:
            return False
        versions = set(await connection.scalars(select(checkpoints.c.version)))
        return versions == {self._version}

    async def _make(self, connection: AsyncConnection) -> None:
        logger.info("read_model_made_anew", read_model=self.schema, version=self._version)
        for statement in (
            f"DROP SCHEMA IF EXISTS {self.schema} CASCADE",
            f"CREATE SCHEMA {self.schema}",
            f"GRANT USAGE ON SCHEMA {self.schema} TO {READER}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {self.schema} GRANT SELECT ON TABLES TO {READER}",
        ):
            await connection.execute(text(statement))
        await connection.run_sync(checkpoints.metadata.create_all, checkfirst=False)
        await connection.run_sync(self._question.tables.create_all, checkfirst=False)

    async def _failed(self, error: Exception) -> float:
        """Note what went wrong; returns after how many seconds to try again."""
        if isinstance(error, EventFailed) and self._limit > 1:
            # By smaller and smaller batches it comes to stand right before the event that fails.
            self._limit //= 2
            return 0.0
        if isinstance(error, EventFailed):
            logger.error("follower_stopped", read_model=self.schema, position=self.position, exc_info=error)
            await self._say_why(str(error))
        else:
            logger.warning("follower_waits", read_model=self.schema, position=self.position, error=repr(error))
        pauses: Sequence[float] = FAILED_SECONDS if isinstance(error, EventFailed) else LOST_SECONDS
        self._failures += 1
        return pauses[min(self._failures, len(pauses)) - 1]

    async def _say_why(self, why: str) -> None:
        self.error = why
        try:
            async with self._engine.begin() as connection:
                await connection.execute(
                    update(checkpoints)
                    .where(checkpoints.c.subdistrict == self.subdistrict, checkpoints.c.position == self.position)
                    .values(error=why)
                )
        except Exception as failure:  # noqa: BLE001 - it was logged already, and is said at the next try
            logger.warning("follower_cannot_say_why", read_model=self.schema, error=repr(failure))

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self.woken.wait()
        except TimeoutError:
            return


async def follow_all(engine: AsyncEngine, codec: Codec, questions: Iterable[Question]) -> None:
    """Follow the log for every question until cancelled, woken as soon as a desk has committed."""
    followers = [Follower(engine, codec, question) for question in questions]
    async with asyncio.TaskGroup() as tasks:
        for follower in followers:
            tasks.create_task(follower.run(), name=f"follower {follower.name}")
        tasks.create_task(wake(engine, followers), name="waking followers")


async def wake(engine: AsyncEngine, followers: Sequence[Follower]) -> None:
    """Listen on the log's channel until cancelled, and wake the followers of the subdistrict that is named."""
    while True:
        try:
            await _listen(engine, followers)
        except Exception as error:  # noqa: BLE001 - whatever ended it, it listens again, and all is right meanwhile
            logger.warning("not_listening", error=repr(error))
        await asyncio.sleep(LISTEN_AGAIN_SECONDS)


async def _listen(engine: AsyncEngine, followers: Sequence[Follower]) -> None:
    """Returns when the connection ends."""
    ended = asyncio.Event()

    def ring(_connection: object, _pid: int, _channel: str, subdistrict: object) -> None:
        for follower in followers:
            if follower.subdistrict == subdistrict:
                follower.woken.set()

    async with engine.connect() as connection:
        raw = await driver(connection)
        try:
            raw.add_termination_listener(lambda _: ended.set())
            await raw.add_listener(log.CHANNEL, ring)
            # What was committed while nobody listened.
            for follower in followers:
                follower.woken.set()
            await ended.wait()
        finally:
            # It listens for as long as it is open, so nobody else may get it from the pool.
            await connection.invalidate()


async def driver(connection: AsyncConnection) -> log.Connection:
    """asyncpg's own connection beneath SQLAlchemy's, for the log."""
    return cast(log.Connection, (await connection.get_raw_connection()).driver_connection)

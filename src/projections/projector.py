"""Follows a log for one read model: rows and checkpoint in one transaction, so that each event counts exactly once.

A follower that fails on an event stops there alone, says so in its checkpoint and tries again; one that loses the
database tries for ever. NOTIFY only wakes it: polling makes it correct. Where its read model is not there, or is of
another version or another log, it is rebuilt beside the one that is read.
"""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from booking import log
from booking.codec import Codec
from projections.read_model import AnotherLog, EventFailed, Gone, Place, Question, ReadModel, driver, next_rows
from projections.rebuild import BeingRebuilt, CannotRebuild, RebuildFault, rebuild

# A transaction of so many events takes 0.1 to 0.2 s, well within the second that a snapshot may be held.
BATCH_MAX = 500
POLL_SECONDS = 1.0
# Of a follower that fails on an event; a lost database is tried again sooner.
FAILED_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
LOST_SECONDS = (0.05, 0.2, 0.5, 1.0)
LISTEN_AGAIN_SECONDS = 1.0
# While another process rebuilds what this one is to follow.
REBUILT_ELSEWHERE_SECONDS = 0.1

logger = structlog.get_logger()


class OtherVersion(Exception):
    """Another program's version of this read model has taken its place: start this program anew, or update it."""


class Follower:
    """Follows the log of the codec's subdistrict for one question; any number of processes may each have one.

    `engine` acts in the role of the projector. `schema` is another than the question's own for one filled beside it.
    """

    def __init__(self, engine: AsyncEngine, codec: Codec, question: Question, schema: str | None = None) -> None:
        self.name = question.name
        self.subdistrict = codec.subdistrict
        self.schema = schema or question.name
        self.error: str | None = None
        self.woken = asyncio.Event()
        self._codec = codec
        self._model = ReadModel(question, codec, self.schema)
        self._projector, self._engine = engine, self._model.on(engine)
        self._place = Place(0, log.first_hash(codec.subdistrict))
        self._prepared = False
        # A start rebuilds what another program has made, and nothing else does: two versions would take turns for ever.
        self._may_rebuild = True
        self._limit = BATCH_MAX
        self._failures = 0

    @property
    def position(self) -> int:
        """The position of the last event that it has taken in."""
        return self._place.position

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
        try:
            if not self._prepared:
                await self._prepare()
            async with self._engine.connect() as connection:
                # Outside any transaction: an idle follower writes nothing.
                rows = await next_rows(connection, self.subdistrict, self._place, self._limit)
                if rows:
                    await self._take_in(connection, rows)
        except Gone:
            # Swapped for one that was rebuilt: go on from where that one is.
            self._prepared = False
            return True
        except AnotherLog as error:
            await self._disown(error)
            return True
        self._failures = 0
        return bool(rows)

    async def _take_in(self, connection: AsyncConnection, rows: list[log.Row]) -> None:
        async with connection.begin():
            place = await self._model.take_in(connection, self.subdistrict, self._place, rows)
        # Not before the commit has returned: where it failed, the next step finds out where the checkpoint is.
        self._place, self.error = place, None
        self._limit = min(BATCH_MAX, self._limit * 2)

    async def _prepare(self) -> None:
        """Go on from the read model's checkpoint, once there is one of this version and this log."""
        if not await self._find():
            await self._rebuild()
        self._prepared, self._may_rebuild = True, False

    async def _rebuild(self) -> None:
        """Have it rebuilt, by this process or by the one that is at it already."""
        logger.info("read_model_to_be_rebuilt", read_model=self.schema, version=self._model.version)
        while not await self._find():
            if not self._may_rebuild:
                raise OtherVersion(self.schema)
            try:
                await rebuild(self._projector, self._codec, self._model.question, self.schema, unless_current=True)
            except BeingRebuilt:
                await asyncio.sleep(REBUILT_ELSEWHERE_SECONDS)
            except CannotRebuild:
                # It goes on from there where there was none to be read, and comes to stand before the event that fails.
                if not await self._find():
                    raise

    async def _find(self) -> bool:
        async with self._engine.begin() as connection:
            if not await self._model.is_current(connection):
                # One that was dropped is no other program's.
                self._may_rebuild = self._may_rebuild or not await self._model.is_there(connection)
                return False
            await self._model.begin(connection, self.subdistrict)
            self._place = await self._model.lock(connection, self.subdistrict)
        return True

    async def _disown(self, error: AnotherLog) -> None:
        """What it tells of has never happened: let nobody read it, and have it rebuilt."""
        logger.error("read_model_of_another_log", read_model=self.schema, position=self.position, error=str(error))
        async with self._engine.begin() as connection:
            await self._model.disown(connection, self.subdistrict)
        self._prepared, self._may_rebuild = False, True

    async def _failed(self, error: Exception) -> float:
        """Note what went wrong; returns after how many seconds to try again."""
        if isinstance(error, EventFailed) and self._limit > 1:
            # By smaller and smaller batches it comes to stand right before the event that fails.
            self._limit //= 2
            return 0.0
        # Whatever became of the read model, or of its schema, is found out anew.
        self._prepared = self._prepared and isinstance(error, EventFailed)
        stopped = isinstance(error, EventFailed | RebuildFault)
        if stopped:
            logger.error("follower_stopped", read_model=self.schema, position=self.position, exc_info=error)
        else:
            logger.warning("follower_waits", read_model=self.schema, position=self.position, error=repr(error))
        if stopped:
            await self._say_why(str(error))
        pauses: Sequence[float] = FAILED_SECONDS if stopped else LOST_SECONDS
        self._failures += 1
        return pauses[min(self._failures, len(pauses)) - 1]

    async def _say_why(self, why: str) -> None:
        self.error = why
        try:
            async with self._engine.begin() as connection:
                place = (await self._model.places(connection)).get(self.subdistrict)
                if place and (place == self._place or not self._prepared):
                    await self._model.say_why(connection, self.subdistrict, place.position, why)
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

"""Fills a read model anew beside the one that is read, and swaps the two while reads, writes and its follower go on.

A rebuild begins anew each time: what one that was killed has left is dropped, as nobody knows which program filled it.
The one that is read is untouched until the swap, which is one transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import Function, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from booking import log
from booking.codec import Codec
from projections.read_model import EventFailed, Place, Question, ReadModel, driver, next_rows
from projections.reading import next_schema
from projections.swap import NotNow, drop, old_schema, swap

# How long a transaction that fills may take: half of what a snapshot may be held.
FILL_SECONDS = 0.5
FILL_FIRST, FILL_MAX = 500, 10_000
# What may be left to fill while the live one's follower stands still.
LAST_MAX = 1_000
# A live one that is further behind the log does not get on: it is not waited for.
BEHIND_MAX = 10_000
# How long it is tried to swap; then there is somebody who reads and does not leave.
HELD_UP_SECONDS = 60.0
# For the live one's follower to go on meanwhile.
TRY_AGAIN_SECONDS = 0.25


class RebuildFault(Exception):
    """A rebuild that ended without a swap, and says why to whoever asked for it. The live read model is untouched."""


class BeingRebuilt(RebuildFault):
    """Another process is filling it anew; it may be the running program, which does so when its version has changed."""


class CannotRebuild(RebuildFault):
    """An event could not be taken in."""


class HeldUp(RebuildFault):
    """Somebody has read the live one in one transaction for so long that it could not be swapped."""


class Progress(NamedTuple):
    """How many events are taken in, of how many."""

    done: int
    total: int


OnProgress = Callable[[Progress], None]


async def rebuild(
    engine: AsyncEngine,
    codec: Codec,
    question: Question,
    schema: str,
    on_progress: OnProgress = lambda _: None,
    *,
    unless_current: bool = False,
) -> None:
    """Fill a read model anew and swap it in; `unless_current`, only where nobody has done so by now.

    `engine` acts in the role of the projector. Raises `BeingRebuilt` where somebody else is at it, `CannotRebuild`,
    `HeldUp`, and what a lost database raises.
    """
    live, coming = ReadModel(question, codec, schema), ReadModel(question, codec, next_schema(schema))
    async with _alone(coming.on(engine), schema) as connection:
        if unless_current and await _is_current(live, engine):
            return
        await _Rebuild(engine, live, coming, connection, codec.subdistrict, on_progress).run()


async def _is_current(live: ReadModel, engine: AsyncEngine) -> bool:
    async with live.on(engine).connect() as connection:
        return await live.is_current(connection)


# Held by the session: a process that is killed lets go of it.
@asynccontextmanager
async def _alone(engine: AsyncEngine, schema: str) -> AsyncIterator[AsyncConnection]:
    """The connection on which this process alone rebuilds this read model. Raises `BeingRebuilt`."""
    async with engine.connect() as connection:
        key = func.hashtextextended(f"linyue rebuild {schema}", 0)
        if not await connection.scalar(select(func.pg_try_advisory_lock(key))):
            raise BeingRebuilt(f"{schema} is being rebuilt already, by another process. {BeingRebuilt.__doc__}")
        await connection.commit()
        try:
            yield connection
        except RebuildFault:
            await _let_go(connection, key)
            raise
        except BaseException:
            # With the connection the lock goes too, whatever became of either.
            await connection.invalidate()
            raise
        await _let_go(connection, key)


async def _let_go(connection: AsyncConnection, key: Function[int]) -> None:
    await connection.scalar(select(func.pg_advisory_unlock(key)))
    await connection.commit()


class _Rebuild:
    """One rebuild, on the connection that holds its lock. `places` is how far it is in each subdistrict."""

    def __init__(
        self,
        engine: AsyncEngine,
        live: ReadModel,
        coming: ReadModel,
        connection: AsyncConnection,
        subdistrict: str,
        on_progress: OnProgress,
    ) -> None:
        self._live_engine = live.on(engine)
        self._live, self._coming, self._connection = live, coming, connection
        self._subdistrict = subdistrict
        self._on_progress = on_progress
        self._places: dict[str, Place] = {}
        self._limit = FILL_FIRST

    async def run(self) -> None:
        name = self._live.schema
        for left_behind in (self._coming.schema, old_schema(name)):
            if not await drop(self._connection, left_behind):
                raise HeldUp(f"{left_behind} is left from before and somebody reads it in a transaction that goes on.")
        async with self._connection.begin():
            await self._coming.make(self._connection)
            await self._coming.begin(self._connection, self._subdistrict)
        try:
            await self._fill_and_swap()
        except RebuildFault as fault:
            await self._give_up(fault)
            raise
        await drop(self._connection, old_schema(name))

    async def _fill_and_swap(self) -> None:
        until: float | None = None
        while True:
            goals, level = await self._goals()
            await self._fill(goals)
            try:
                await swap(self._live, self._coming, self._connection, self._fill_the_rest, level=level)
            except NotNow as why:
                until = until or _now() + HELD_UP_SECONDS
                if _now() >= until:
                    raise HeldUp(f"{self._live.schema} could not be swapped: {why}.") from why
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            else:
                return

    async def _give_up(self, fault: RebuildFault) -> None:
        """Leave no trace. But where nothing can be read, what there is by now is better, up to where it fails."""
        async with self._live_engine.connect() as connection:
            is_read = bool(await self._live.places(connection))
        if isinstance(fault, CannotRebuild) and not is_read:
            await swap(self._live, self._coming, self._connection, self._fill_the_rest, level=False)
        await drop(self._connection, self._coming.schema)

    async def _goals(self) -> tuple[dict[str, int], bool]:
        """Up to which event of each subdistrict, and whether all of them are where the live one is, to swap there.

        Else the log's last: where there is no live one, or none of this log and shape, or it does not get on.
        """
        async with self._live_engine.connect() as connection:
            live = await self._live.places(connection)
            subdistricts = {self._subdistrict} | await self._live.subdistricts(connection)
        goals, level = {}, True
        for subdistrict in sorted(subdistricts):
            head = await log.head(await driver(self._connection), subdistrict)
            place = live.get(subdistrict)
            if place and head.position - place.position <= BEHIND_MAX and await self._is_in_log(subdistrict, place):
                goals[subdistrict] = place.position
            else:
                goals[subdistrict], level = head.position, False
        return goals, level

    async def _is_in_log(self, subdistrict: str, place: Place) -> bool:
        return not place.position or place.hash == await log.hash_at(
            await driver(self._connection), subdistrict, place.position
        )

    async def _fill_the_rest(self, live: Mapping[str, Place]) -> bool:
        """Up to where the live one stands still, so that the two are the same; False where that is too far."""
        behind = {s: place.position - self._position(s) for s, place in live.items()}
        if not all(0 <= left <= LAST_MAX for left in behind.values()):
            return False
        await self._fill({subdistrict: place.position for subdistrict, place in live.items()})
        return all(self._places[subdistrict] == place for subdistrict, place in live.items())

    async def _fill(self, goals: Mapping[str, int]) -> None:
        for subdistrict in goals:
            if subdistrict not in self._places:
                async with self._connection.begin():
                    await self._coming.begin(self._connection, subdistrict)
                    self._places[subdistrict] = await self._coming.lock(self._connection, subdistrict)
            while self._places[subdistrict].position < goals[subdistrict]:
                await self._fill_some(subdistrict, goals[subdistrict])
                done = sum(min(self._position(s), goal) for s, goal in goals.items())
                self._on_progress(Progress(done, sum(goals.values())))

    async def _fill_some(self, subdistrict: str, goal: int) -> None:
        """As many events as one transaction has time for."""
        at = self._places[subdistrict]
        rows = await next_rows(self._connection, subdistrict, at, min(self._limit, goal - at.position))
        began = _now()
        try:
            async with self._connection.begin():
                place = await self._coming.take_in(self._connection, subdistrict, at, rows)
        except EventFailed as error:
            if len(rows) > 1:
                self._limit = len(rows) // 2
                return
            raise CannotRebuild(
                f"{self._live.schema} cannot be rebuilt: it fails on the event at {at.position + 1} of {subdistrict}"
                f" ({error})."
            ) from error
        self._places[subdistrict] = place
        took = _now() - began
        if took < FILL_SECONDS / 2:
            self._limit = min(self._limit * 2, FILL_MAX)
        elif took > FILL_SECONDS:
            self._limit = max(self._limit // 2, 1)

    def _position(self, subdistrict: str) -> int:
        return self._places[subdistrict].position if subdistrict in self._places else 0


def _now() -> float:
    return asyncio.get_running_loop().time()

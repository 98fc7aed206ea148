"""A swap of a read model under load: does anybody who reads wait longer for it?"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any

from bench.aged import grow
from bench.ground import Ground
from bench.harness import Measured, compared, in_turn
from bench.load import STATIONS, SUBDISTRICT, Spread, crowd
from sqlalchemy.ext.asyncio import AsyncEngine

from linyue.postgres import engine
from linyue.wiring import codec_of
from projections import agenda, availability
from projections.projector import follow_all
from projections.read_model import Question
from projections.reading import Reader
from projections.rebuild import rebuild

EVENTS, READERS, BOOKERS = 4_000, 4, 4
SWAPS, SWAPS_QUICK = 20, 4
QUESTIONS = (availability.QUESTION, agenda.QUESTION)
THIS, ANOTHER = "the read model that is read", "another read model"


async def measure(on: Ground) -> Measured:
    """The longest read of a station's week while its read model is rebuilt and swapped, while people book.

    Beside it the same reads while a read model is rebuilt and swapped that nobody here reads: what differs is the swap.
    """
    took: dict[str, list[float]] = {THIS: [], ANOTHER: []}
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(on.database())
        plan = await grow(database, EVENTS)
        projector, reading = engine(database.projector, pool_size=8), engine(database.app, pool_size=READERS)
        stack.push_async_callback(projector.dispose)
        stack.push_async_callback(reading.dispose)
        people = await stack.enter_async_context(crowd(database, plan))
        # A rebuild needs a live read model to stand beside.
        following = asyncio.create_task(follow_all(projector, codec_of(SUBDISTRICT), QUESTIONS))
        stack.callback(following.cancel)
        reader = Reader(reading, SUBDISTRICT)
        await _level(reader, EVENTS)

        async def side(name: str, question: Question) -> float:
            booking = asyncio.create_task(people.ask(BOOKERS, 3_600.0))
            found = await _reads_during(_swaps(projector, question, SWAPS_QUICK if on.quick else SWAPS), reader, plan)
            booking.cancel()
            await asyncio.gather(booking, return_exceptions=True)
            took[name] += found
            return 1_000 * max(found)

        sides = {THIS: partial(side, THIS, QUESTIONS[0]), ANOTHER: partial(side, ANOTHER, QUESTIONS[1])}
        longest = await in_turn(sides, on.rounds, on.say)
    note = "; ".join(
        f"{name}: {len(all_):,} reads, half within {1e3 * median(all_):.1f} ms" for name, all_ in took.items()
    )
    finding = compared(
        f"longest read while {THIS} is swapped", f"while {ANOTHER} is", "ms", longest[THIS], longest[ANOTHER],
        at_most=1.5, note=note,
    )  # fmt: skip
    return Measured(findings=[finding])


async def _level(reader: Reader, position: int) -> None:
    """Wait until both are there."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if all(status.position >= position for status in await reader.status([q.name for q in QUESTIONS])):
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the read models did not come level")


async def _swaps(projector: AsyncEngine, question: Question, times: int) -> None:
    for _ in range(times):
        await rebuild(projector, codec_of(SUBDISTRICT), question, question.name)


async def _reads_during(work: Coroutine[Any, Any, None], reader: Reader, plan: Spread) -> list[float]:
    """How many seconds each read of the readers took until the work was done."""
    task, took = asyncio.create_task(work), list[float]()

    async def read(n: int) -> None:
        while not task.done():
            began = time.perf_counter()
            first = (plan.now + timedelta(days=1)).date()
            async with reader.of(availability.NAME) as snapshot:
                board = await availability.board(
                    snapshot, first, first + timedelta(days=6), plan.now, station=f"station-{n % STATIONS:02d}"
                )
            assert board.rooms
            took.append(time.perf_counter() - began)
            n += 1
            await asyncio.sleep(0.002)

    await asyncio.gather(task, *(read(n) for n in range(READERS)))
    return took

"""How fast read models follow a log and are rebuilt, beside reading the same events and throwing them away.

`python -m bench.follow [EVENTS]` measures it alone.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import asyncpg
from bench.aged import grow
from bench.ground import Ground, ground
from bench.harness import Finding, Measured, Side, compared, in_turn
from bench.load import SUBDISTRICT
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from booking import log
from linyue.postgres import engine
from linyue.wiring import codec_of
from projections.projector import Follower
from projections.questions import QUESTIONS
from projections.read_model import Question, ReadModel
from projections.rebuild import rebuild

EVENTS, EVENTS_QUICK = 50_000, 10_000
READ_AT_ONCE = 1_000
TO_REACH = 0.3
READ = "reading them and throwing them away"
DECODED = "reading and decoding them, and throwing them away"
NOTES = (
    (
        "Reading alone is asyncpg handing out bytes, several hundred thousand events a second. Whoever keeps anything "
        "of an event must decode it first, so the ratio to be reached is held to the second."
    ),
    (
        "Nothing that writes a row an event comes near: history has an index entry in six places for each, which "
        "alone costs the server more than reading and decoding the event costs Python."
    ),
)


async def measure(on: Ground) -> Measured:
    """Each question followed from the first event on, and rebuilt, with everything that is read of it gone before."""
    return await _measure(on, EVENTS_QUICK if on.quick else EVENTS)


async def _measure(on: Ground, events: int) -> Measured:
    async with on.database() as database:
        await grow(database, events)
        projector = engine(database.projector)
        connection = await asyncpg.connect(database.app)
        try:
            sides: dict[str, Side] = {
                READ: _rate(partial(_read, connection, decode=False), events),
                DECODED: _rate(partial(_read, connection, decode=True), events),
            }
            for question in QUESTIONS:
                sides[f"rebuild {question.name}"] = _rate(partial(_rebuild, projector, question), events)
                sides[f"follow {question.name}"] = partial(_follow, projector, question, events)
            found = await in_turn(sides, on.rounds, on.say)
        finally:
            await connection.close()
            await projector.dispose()
    return Measured(findings=[_finding(name, found) for name in sides if name not in {READ, DECODED}], notes=NOTES)


def _finding(name: str, found: dict[str, list[float]]) -> Finding:
    raw = median(found[name]) / median(found[READ])
    note = f"{raw:.3f} of {READ}"
    return compared(name, DECODED, "events/s", found[name], found[DECODED], at_least=TO_REACH, note=note)


def _rate(work: Callable[[], Awaitable[None]], events: int) -> Side:
    async def side() -> float:
        began = time.perf_counter()
        await work()
        return events / (time.perf_counter() - began)

    return side


async def _read(connection: log.Connection, *, decode: bool) -> None:
    codec, position = codec_of(SUBDISTRICT), 0
    while rows := await log.follow(connection, SUBDISTRICT, position, READ_AT_ONCE):
        position = rows[-1].position
        if decode:
            for row in rows:
                codec.decode(row.data)


async def _rebuild(projector: AsyncEngine, question: Question) -> None:
    await rebuild(projector, codec_of(SUBDISTRICT), question, question.name)


async def _follow(projector: AsyncEngine, question: Question, events: int) -> float:
    """As a follower does it that finds its read model empty: in batches that leave room for others."""
    schema, codec = f"{question.name}_followed", codec_of(SUBDISTRICT)
    model = ReadModel(question, codec, schema)
    async with model.on(projector).begin() as connection:
        await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        await model.make(connection)
        await model.begin(connection, SUBDISTRICT)
    follower = Follower(projector, codec, question, schema)
    began = time.perf_counter()
    await follower.catch_up()
    return events / (time.perf_counter() - began)


async def alone(events: int) -> Measured:
    """The benchmark on a server of its own."""
    async with ground(quick=True, say=lambda _: None) as on:
        return await _measure(on, events)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("events", type=int, nargs="?", default=EVENTS, help="how many events the log has")
    for found in asyncio.run(alone(arguments.parse_args().events)).findings:
        print(f"{found.measured:<22} {found.ours:>9,.0f} events/s: {found.ratio:.3f} of {found.beside}; {found.note}")


if __name__ == "__main__":
    main()

"""What is free in an old log, beside a young one: a station's week, read from the read model and drawn."""

import time
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import count

from bench.aged import grow
from bench.ground import Ground
from bench.harness import Measured, Side, compared, in_turn
from bench.load import STATIONS, SUBDISTRICT

from linyue.postgres import engine
from linyue.wiring import codec_of
from projections import availability
from projections.projector import Follower
from projections.reading import Reader

OLD, OLD_QUICK, YOUNG = 1_000_000, 50_000, 10_000


async def measure(on: Ground) -> Measured:
    """Nothing is kept between two readings: the server finds it, Python draws it."""
    old = OLD_QUICK if on.quick else OLD
    sides: dict[str, Side] = {}
    async with AsyncExitStack() as stack:
        for events in (YOUNG, old):
            database = await stack.enter_async_context(on.database())
            on.say(f"a log of {events:,} events grows")
            plan = await grow(database, events)
            projector, reading = engine(database.projector), engine(database.app)
            stack.push_async_callback(projector.dispose)
            stack.push_async_callback(reading.dispose)
            on.say(f"a read model follows {events:,} events")
            await Follower(projector, codec_of(SUBDISTRICT), availability.QUESTION).catch_up()
            sides[f"{events:,} events"] = _rate(Reader(reading, SUBDISTRICT), plan.now, on.seconds)
        found = await in_turn(sides, on.rounds, on.say)
    young, aged = found.values()
    finding = compared(
        f"a station's week, read and drawn at {old:,} events", f"at {YOUNG:,}", "weeks/s", aged, young, at_least=0.85
    )
    return Measured(findings=[finding])


def _rate(reader: Reader, now: datetime, seconds: float) -> Side:
    stations = count()

    async def side() -> float:
        began, weeks = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            first = (now + timedelta(days=1)).date()
            async with reader.of(availability.NAME) as snapshot:
                drawn = await availability.of(
                    snapshot, first, first + timedelta(days=6), now, station=f"station-{next(stations) % STATIONS:02d}"
                )
            weeks += bool(drawn)
        return weeks / passed

    return side

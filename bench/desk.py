"""The desk beside what else would keep rooms from being booked twice, and beside itself on worse days."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from statistics import median

import asyncpg
from bench import race
from bench.aged import grow
from bench.ground import BenchDatabases, Ground
from bench.harness import Curve, Finding, Measured, Side, compared, in_turn
from bench.library import library
from bench.load import Busy, Crowd, Plan, Spread, Still, crowd
from bench.partner import partner
from bench.plain import plain

WAITING = (1, 16, 64, 256)
EXCLUDE = "EXCLUDE table, pgbench, 32 connections, one row a commit"
FED = "the same table, 64 rows a commit over one connection"
THREADS = (1, 8, 16)
LIBRARY = "eventsourcing library, load and append, best of 1, 8, 16 threads"
FILLED_BEFORE = 25_000
"""Commands that the crowds ask before busy and spread days are measured: days that are as full as days get."""
OLD, YOUNG = 1_000_000, 10_000
OLD_QUICK = 50_000
PER_SECOND = "commands/s"
NOTES = (
    "All commit with fsync on, on one server with PostgreSQL's defaults, and nobody is answered before the commit.",
    "Up to 256 commands that wait at the desk share one commit: most of what it gains, it gains by that.",
    "The tables and the library keep no quota, no answers under a key, no chain, and no reason for a refusal.",
    "Each person at a desk asks for the next thing as soon as the last was answered; 200 rooms, 20,000 people.",
)


async def measure(on: Ground) -> Measured:
    """All comparisons of the desk."""
    findings: list[Finding] = []
    curves: list[Curve] = []
    findings += await _beside_tables(on, curves)
    findings.append(await _busy(on))
    findings.append(await _two_processes(on))
    findings.append(await _old(on))
    findings += await race.measure(on)
    return Measured(findings=findings, curves=curves, notes=NOTES)


async def _beside_tables(on: Ground, curves: list[Curve]) -> list[Finding]:
    async with AsyncExitStack() as stack:
        table = await stack.enter_async_context(plain(on))
        books = await stack.enter_async_context(library(on, Spread()))
        database = await stack.enter_async_context(on.database())
        people = await stack.enter_async_context(crowd(database, Spread()))
        await people.open_up()
        sides: dict[str, Side] = {_desk(n): partial(people.ask, n, on.seconds) for n in WAITING}
        sides |= {EXCLUDE: table.one_a_commit, FED: table.fed}
        sides |= {_threads(n): partial(books.rate, n) for n in THREADS}
        found = await in_turn(sides, on.rounds, on.say)
        curves.append(_curve(found))
        return [*_findings(found, people), await _bytes(database)]


def _desk(waiting: int) -> str:
    return f"desk, {waiting} waiting"


def _threads(threads: int) -> str:
    return f"eventsourcing library, {threads} threads"


def _findings(found: Mapping[str, list[float]], people: Crowd) -> list[Finding]:
    accepted = f"{people.accepted:.1%} of {people.outcomes.total():,} commands were accepted"
    targets = {64: 0.9, 256: 1.0}
    ours = found[_desk(64)]
    best = max((found[_threads(n)] for n in THREADS), key=median)
    return [
        *(
            compared(_desk(n), EXCLUDE, PER_SECOND, found[_desk(n)], found[EXCLUDE], at_least=targets.get(n))
            for n in WAITING
        ),
        compared(_desk(64), FED, PER_SECOND, ours, found[FED], at_least=0.5, note=accepted),
        compared(_desk(64), LIBRARY, PER_SECOND, ours, best, at_least=15),
    ]


def _curve(found: Mapping[str, list[float]]) -> Curve:
    flat = {name: [(float(n), median(found[name])) for n in WAITING] for name in (EXCLUDE, FED)}
    ours = {"desk": [(float(n), median(found[_desk(n)])) for n in WAITING]}
    return Curve(
        name="desk", title="Bookings a second, by how many wait", x="waiting at the desk", y=PER_SECOND,
        series=ours | flat, x_log=True,
    )  # fmt: skip


_BYTES = """
SELECT count(*), pg_table_size('booking.events'), pg_indexes_size('booking.events'),
    pg_table_size('booking.event_tags'), pg_indexes_size('booking.event_tags'), avg(octet_length(data))::float8,
    (SELECT count(*) FROM booking.event_tags)
FROM booking.events
"""


async def _bytes(database: BenchDatabases) -> Finding:
    connection = await asyncpg.connect(database.app)
    try:
        events, *sizes, envelope, tags = (await connection.fetch(_BYTES))[0]
    finally:
        await connection.close()
    log, log_index, tag_rows, tag_index = (size / events for size in sizes)
    note = (
        f"{events:,} events: {log:.0f} the log, {log_index:.0f} its key, {tag_rows:.0f} and {tag_index:.0f} its"
        f" {tags / events:.1f} tags and their index; at most 800 in all were to be reached"
    )
    return compared(
        "bytes on disk an event", "the bytes of its envelope", "bytes", [sum(sizes) / events], [envelope],
        at_most=800 / envelope, note=note,
    )  # fmt: skip


async def _busy(on: Ground) -> Finding:
    async with AsyncExitStack() as stack:
        crowds: dict[str, Crowd] = {}
        plans: dict[str, Plan] = {"busy days": Busy(), "spread days": Spread()}
        for name, plan in plans.items():
            database = await stack.enter_async_context(on.database())
            crowds[name] = await stack.enter_async_context(crowd(database, plan))
            await crowds[name].open_up()
            on.say(f"filling {name}")
            await crowds[name].ask(256, 60, FILLED_BEFORE // (10 if on.quick else 1))
            crowds[name].outcomes.clear()
        sides: dict[str, Side] = {name: partial(one.ask, 64, on.seconds) for name, one in crowds.items()}
        found = await in_turn(sides, on.rounds, on.say)
    accepted = ", ".join(f"{one.accepted:.0%} on {name}" for name, one in crowds.items())
    return compared(
        "desk on busy days (40 days, 2,000 people), 64 waiting", "the same desk on spread days", PER_SECOND,
        found["busy days"], found["spread days"], at_least=0.6, note=f"accepted: {accepted}",
    )  # fmt: skip


async def _two_processes(on: Ground) -> Finding:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(on.database())
        async with crowd(database, Still()) as first:
            await first.open_up()
        one, other = [await stack.enter_async_context(partner(database, part, 2)) for part in range(2)]

        async def both() -> float:
            return sum(await asyncio.gather(one.ask(64, on.seconds), other.ask(64, on.seconds)))

        sides: dict[str, Side] = {"one process": partial(one.ask, 64, on.seconds), "two processes": both}
        found = await in_turn(sides, on.rounds, on.say)
    return compared(
        "desks in two processes on one log, 64 waiting at each", "one process, 64 waiting", PER_SECOND,
        found["two processes"], found["one process"],
    )  # fmt: skip


async def _old(on: Ground) -> Finding:
    old, young = OLD_QUICK if on.quick else OLD, YOUNG
    async with AsyncExitStack() as stack:
        sides: dict[str, Side] = {}
        for events in (old, young):
            database = await stack.enter_async_context(on.database())
            on.say(f"writing a log of {events:,} events")
            people = await stack.enter_async_context(crowd(database, await grow(database, events)))
            sides[f"{events:,} events"] = partial(people.ask, 64, on.seconds)
        found = await in_turn(sides, on.rounds, on.say)
    return compared(
        f"desk at {old:,} events, 64 waiting", f"the same at {young:,}", PER_SECOND, *found.values(), at_least=0.85
    )

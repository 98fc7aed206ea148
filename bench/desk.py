"""The desk beside what else would keep rooms from being booked twice."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from statistics import median

from bench import plain
from bench.ground import Ground
from bench.harness import Curve, Finding, Measured, Side, compared, in_turn
from bench.load import Crowd, Spread, crowd

WAITING = (1, 16, 64, 256)
EXCLUDE = "EXCLUDE table, pgbench, 32 connections, one row a commit"
FED = "the same table, 64 rows a commit, one connection"


async def measure(on: Ground) -> Measured:
    """All comparisons of the desk."""
    return await _beside_tables(on)


async def _beside_tables(on: Ground) -> Measured:
    async with AsyncExitStack() as stack:
        table = await stack.enter_async_context(plain.plain(on))
        database = await stack.enter_async_context(on.database())
        people = await stack.enter_async_context(crowd(database, Spread()))
        await people.open_up()
        sides: dict[str, Side] = {_desk(n): partial(people.ask, n, on.seconds) for n in WAITING}
        sides |= {EXCLUDE: table.one_a_commit, FED: table.fed}
        found = await in_turn(sides, on.rounds, on.say)
    return Measured(findings=_findings(found, people), curves=[_curve(found)])


def _desk(waiting: int) -> str:
    return f"desk, {waiting} waiting"


def _findings(found: Mapping[str, list[float]], people: Crowd) -> list[Finding]:
    note = f"{people.accepted:.1%} of {people.outcomes.total():,} commands were accepted"
    targets = {64: 0.9, 256: 1.0}
    lines = [
        compared(_desk(n), EXCLUDE, "commands/s", found[_desk(n)], found[EXCLUDE], at_least=targets.get(n))
        for n in WAITING
    ]
    fed = compared(_desk(64), FED, "commands/s", found[_desk(64)], found[FED], at_least=0.5, note=note)
    return [*lines, fed]


def _curve(found: Mapping[str, list[float]]) -> Curve:
    flat = {name: [(float(n), median(found[name])) for n in WAITING] for name in (EXCLUDE, FED)}
    ours = {"desk": [(float(n), median(found[_desk(n)])) for n in WAITING]}
    return Curve(
        name="desk", title="Bookings a second by how many wait", x="waiting at the desk", y="commands/s",
        series=ours | flat, x_log=True,
    )  # fmt: skip

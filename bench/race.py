"""One hour that many want at once, round after round: how long the slowest of them waits to be told."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
from bench.ground import Ground
from bench.harness import Finding, compared
from bench.load import HOURS, ROOMS, Crowd, Still, Wanted, crowd, request
from bench.plain import CONNECTIONS, WANT, plain

from booking.messages import Outcome

ROUNDS = 60
ROUNDS_QUICK = 10
WANTING = (32, 64)
TABLE_SECONDS_MAX = 60.0
"""A deadlock is noticed after a second, and many in a row make one round long: no round of the table begins later."""


class Side:
    """What the people of one side were told in all rounds, and after how many milliseconds each."""

    def __init__(self) -> None:
        self.rounds = 0
        self.without_one_winner = 0
        self.answers: Counter[str] = Counter()
        self.milliseconds: list[float] = []

    async def round(self, people: list[Awaitable[str]]) -> None:
        """All ask at once; everybody waits for the answer."""
        clock = time.perf_counter
        began = clock()

        async def told(one: Awaitable[str]) -> str:
            answer = await one
            self.milliseconds.append(1_000 * (clock() - began))
            return answer

        answers = Counter(await asyncio.gather(*map(told, people)))
        self.rounds += 1
        self.answers += answers
        self.without_one_winner += answers["won"] != 1

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {answer}" for answer, count in self.answers.most_common())
        in_order = sorted(self.milliseconds)
        figures = f"median {in_order[len(in_order) // 2]:.1f} ms, slowest {in_order[-1]:,.1f} ms"
        return f"{self.rounds} rounds ({self.without_one_winner} without exactly one winner): {told}; {figures}"


async def measure(on: Ground) -> list[Finding]:
    """The rounds of both sides in turn."""
    clock = time.perf_counter
    ours, theirs, at_the_table = {n: Side() for n in WANTING}, Side(), 0.0
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(on.database())
        desk = await stack.enter_async_context(crowd(database, Still()))
        await desk.open_up()
        table = await stack.enter_async_context(plain(on))
        sessions = await asyncio.gather(*(asyncpg.connect(table.superuser) for _ in range(CONNECTIONS)))
        for session in sessions:
            stack.push_async_callback(session.close)
        for round_ in range(ROUNDS_QUICK if on.quick else ROUNDS):
            on.say(f"the same hour, round {round_}: {theirs.answers['deadlock']} deadlocks at the table so far")
            for n, side in ours.items():
                await side.round([_at_the_desk(desk, 2 * round_ + (n == WANTING[0]), person) for person in range(n)])
            if at_the_table < TABLE_SECONDS_MAX:
                began = clock()
                await theirs.round([_at_the_table(session, round_) for session in sessions])
                at_the_table += clock() - began
    return [_finding(n, side, theirs) for n, side in ours.items()]


async def _at_the_desk(desk: Crowd, hour: int, person: int) -> str:
    day, room = 1 + hour // (len(HOURS) * ROOMS), hour // len(HOURS) % ROOMS
    answer = await desk.desk.ask(request(Wanted(room, day, HOURS[hour % len(HOURS)], person)))
    return {Outcome.DONE: "won", Outcome.REFUSED: "lost"}[answer.outcome]


async def _at_the_table(session: "asyncpg.Connection[Any]", hour: int) -> str:
    try:
        await session.execute(WANT, hour)
    except asyncpg.ExclusionViolationError:
        return "lost"
    except asyncpg.DeadlockDetectedError:
        return "deadlock"
    return "won"


def _finding(wanting: int, ours: Side, theirs: Side) -> Finding:
    return compared(
        f"one hour that {wanting} want at once, slowest answer",
        f"the same race on the EXCLUDE table, {CONNECTIONS} sessions",
        "ms",
        [max(ours.milliseconds)],
        [max(theirs.milliseconds)],
        at_most=1 / 20,
        note=f"desk: {ours}. Table: {theirs}",
    )

"""08:00: two thousand people want what has just been released, all at once; each asks ten times."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from itertools import count
from random import Random
from statistics import median

from bench.ground import Ground
from bench.harness import Measured, compared, in_turn
from bench.http import API, body_of
from bench.load import FIRST_DAY, HOURS, Spread, Wanted, crowd
from bench.served import Callers, Next, admit, call, level, request, served

PEOPLE, CONNECTIONS, SLOTS, REQUESTS = 2_000, 200, 100, 10
QUICK = 5
"""So many times fewer people in a quick run."""
OPENS = FIRST_DAY + timedelta(hours=8)
AHEAD = 14
"""The day that the usual rules release at 08:00: so many days ahead."""
ALTERNATIVES, QUOTA = b'"alternatives":[{', b'"rule":"quota_reached"'
TO_REACH = 10.0


class Morning(Callers):
    """What the people of a morning were told.

    Losers who might have had something else and were not told are counted; whose quota is used up might not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_alone = 0

    def heard(self, status: int, seconds: float, answer: bytes) -> None:
        super().heard(status, seconds, answer)
        self.left_alone += status == 409 and ALTERNATIVES not in answer and QUOTA not in answer


async def measure(on: Ground) -> Measured:
    """The slowest hundredth of the answers beside their median, each round with other rooms and other people."""
    mornings: list[Morning] = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(on.database())
        async with crowd(database, Spread()) as opening:
            await opening.open_up()
        await admit(database, OPENS)
        server = await stack.enter_async_context(served(on, database, OPENS, workers=2, unbound=False))
        await level(database)
        numbers = count()

        async def morning() -> float:
            told = Morning()
            await call(
                server.port, _all(next(numbers), PEOPLE // QUICK if on.quick else PEOPLE), CONNECTIONS, told.heard
            )
            mornings.append(told)
            return told.milliseconds(0.99)

        slowest = await in_turn({"08:00": morning}, on.rounds, on.say)
    medians = [told.milliseconds(0.5) for told in mornings]
    finding = compared(
        f"08:00, 99 % of the answers to {CONNECTIONS} connections", "half of them", "ms", slowest["08:00"], medians,
        at_most=TO_REACH, note=_note(mornings),
    )  # fmt: skip
    return Measured(findings=[finding])


def _all(round_: int, people: int) -> Iterator[Next]:
    """Connections that share what everybody asks, in an order of chance; nobody asks twice for the same."""
    draw = Random(round_)
    slots = [(round_ * 10 + n % 10, HOURS[n // 10]) for n in range(SLOTS)]
    asked = [
        Wanted(room, AHEAD, hour, round_ * PEOPLE + person)
        for person in range(people)
        for room, hour in draw.sample(slots, REQUESTS)
    ]
    draw.shuffle(asked)
    requests = (
        request("POST", f"{API}/bookings", person=one.person, key=f"{round_}-{n}", body=body_of(one))
        for n, one in enumerate(asked)
    )
    while True:
        yield partial(next, requests, None)


def _note(mornings: list[Morning]) -> str:
    statuses = sum((told.statuses for told in mornings), start=mornings[0].statuses.__class__())
    told = ", ".join(f"{n:,} × {status}" for status, n in sorted(statuses.items()))
    alone = sum(morning.left_alone for morning in mornings)
    slowest = median(morning.milliseconds(1.0) for morning in mornings)
    return f"{told}; {alone} losers without alternatives; the slowest of a morning {slowest:,.0f} ms"

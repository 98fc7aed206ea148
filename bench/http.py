"""Linyue over HTTP, beside handlers of the same server that do next to nothing."""

import asyncio
import secrets
import urllib.request
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from itertools import count

from bench.beside import BOOKINGS, CONSTANT
from bench.ground import Ground
from bench.harness import Finding, Measured, Side, compared, in_turn
from bench.load import FIRST_DAY, STATIONS, Plan, Spread, Still, Wanted, crowd
from bench.served import Callers, admit, call, for_so_long, level, request, served

CONNECTIONS = 64
API = "/api/v1"
BEGINS = FIRST_DAY + timedelta(hours=8, minutes=30)
FULL_COMMANDS = 15_000
"""So many bookings lie ahead when somebody asks what is free: about two thirds of the next twelve days' hours."""
READS, BOOKS = "reading a week", "booking"


async def measure(on: Ground) -> Measured:
    """Bookings, then what is free."""
    return Measured(findings=[*await _bookings(on), *await _availability(on)])


async def _bookings(on: Ground) -> list[Finding]:
    """Nobody asks for what is taken, so that alternatives, which wait for the read models, have no part in it."""
    people = f"bookings over HTTP, with a token, {CONNECTIONS} connections, one worker"
    beside = "a handler that reads the same body"
    found = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(on.database())
        plan: Plan = Still()
        async with crowd(database, plan) as opening:
            await opening.open_up()
        await admit(database, BEGINS)
        # A worker answers once the read models are there.
        async with served(on, database, BEGINS):
            await level(database)
        for background, name in ((False, people), (True, f"{people}, and four read models follow")):
            async with served(on, database, BEGINS, background=background) as server:
                told = Callers()
                sides: dict[str, Side] = {
                    name: partial(_rate, server.port, partial(_booking, plan, f"{API}/bookings"), on.seconds, told),
                    beside: partial(_rate, server.port, partial(_booking, Still(), BOOKINGS), on.seconds, Callers()),
                }
                figures = await in_turn(sides, on.rounds, on.say)
            note = _note(told)
            least = None if background else 0.4
            found.append(
                compared(name, beside, "requests/s", figures[name], figures[beside], at_least=least, note=note)
            )
    return found


async def _availability(on: Ground) -> list[Finding]:
    """A week of a station, two thirds of it taken: while nothing happens, and while others book."""
    week = f"a station's week over HTTP, {CONNECTIONS} connections, one worker"
    beside = "a constant of the same bytes"
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(on.database())
        plan = Spread()
        async with crowd(database, plan) as people:
            await people.open_up()
            await people.ask(64, 300.0, 3_000 if on.quick else FULL_COMMANDS)
        await admit(database, plan.now)
        server = await stack.enter_async_context(served(on, database, plan.now))
        await level(database)
        first = (plan.now + timedelta(days=1)).date()
        days = f"from={first}&to={first + timedelta(days=6)}"
        paths = [f"{API}/availability?station=station-{n:02d}&{days}" for n in range(STATIONS)]
        server.constant.write_bytes(_read(server.port, paths[0]))
        numbers = count()

        def anybody() -> bytes:
            return request("GET", paths[0])

        def somebody() -> bytes:
            n = next(numbers)
            return request("GET", paths[n % STATIONS], person=n * 7 % 20_000)

        def nothing() -> bytes:
            return request("GET", CONSTANT)

        told = Callers()
        rate = partial(_rate, server.port)
        named, busy = f"{week}, with a token, any of {STATIONS}", f"{week}, while one books all the time"
        sides: dict[str, Side] = {
            week: partial(rate, anybody, on.seconds, told),
            named: partial(rate, somebody, on.seconds, told),
            beside: partial(rate, nothing, on.seconds, Callers()),
            busy: partial(_while_booking, server.port, anybody, on.seconds, told, plan),
            f"{beside}, likewise": partial(_while_booking, server.port, nothing, on.seconds, Callers(), plan),
        }
        figures = await in_turn(sides, on.rounds, on.say)
    unit, constant = "requests/s", figures[beside]
    return [
        compared(week, beside, unit, figures[week], constant, at_least=0.4, note=_note(told)),
        compared(named, beside, unit, figures[named], constant),
        compared(busy, f"{beside}, likewise", unit, figures[busy], figures[f"{beside}, likewise"]),
    ]


async def _rate(port: int, make: Callable[[], bytes], seconds: float, told: Callers) -> float:
    """How many requests a second are answered as they should be."""
    before = told.statuses.total()
    took = await call(port, for_so_long(make, seconds), CONNECTIONS, told.heard)
    return (told.statuses.total() - before) / took


async def _while_booking(port: int, make: Callable[[], bytes], seconds: float, told: Callers, plan: Plan) -> float:
    """The same, while somebody books one hour after another as fast as they are answered."""
    booking = partial(_booking, plan, f"{API}/bookings")
    both = (_rate(port, make, seconds, told), call(port, for_so_long(booking, seconds), 1, Callers().heard))
    rate, _ = await asyncio.gather(*both)
    return rate


def _booking(plan: Plan, path: str) -> bytes:
    """The next request of a plan, under a key of its own."""
    wanted = next(plan)
    return request("POST", path, person=wanted.person, key=secrets.token_hex(16), body=body_of(wanted))


def body_of(wanted: Wanted) -> dict[str, object]:
    """The body of a request for a slot."""
    start = FIRST_DAY + timedelta(days=wanted.day, hours=wanted.hour)
    end = start + timedelta(hours=1)
    return {"room": f"room-{wanted.room:03d}", "start": start.isoformat(), "end": end.isoformat(), "attendees": 4}


def _note(told: Callers) -> str:
    statuses = ", ".join(f"{count_:,} × {status}" for status, count_ in sorted(told.statuses.items()))
    return f"{statuses}; median {told.milliseconds(0.5):.1f} ms, 99 % within {told.milliseconds(0.99):.1f} ms"


def _read(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        whole: bytes = answer.read()
    return whole

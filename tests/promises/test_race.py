"""Sixty-four want the same: exactly what there is is won, and everybody else is told which rule said no."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase
from tests.promises.places import STATION, TABLES, commands
from tests.promises.served import Served, gathered, served
from tests.promises.station import ask, open_station, resident

from booking import subjects
from booking.desk import Desk
from booking.messages import Outcome, Role
from booking.reservations.decide import RequestBooking
from booking.vault import Vault
from booking.verify import verify
from linyue.wiring import codec_of, writer

CLIENTS, ROUNDS_A_KIND = 64, 25
SHANGHAI = timezone(timedelta(hours=8))
# Each round wants an hour of its own: the days that are open at the test's clock, and their hours.
HOURS = [
    datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI)
    for day in (date(2026, 12, 2) + timedelta(days=n) for n in range(13))
    for hour in range(9, 18)
]


# Ten times what the slowest takes here.
pytestmark = [pytest.mark.serial, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("race") / "data") as running:
        running.decide(list(commands()))
        yield running


Wish = Callable[[int, datetime], dict[str, Any]]


def the_studio(client: int, hour: datetime) -> dict[str, Any]:
    return _body("studio", hour, hour + timedelta(hours=1))


def a_table(client: int, hour: datetime) -> dict[str, Any]:
    return _body("tables", hour, hour + timedelta(hours=1))


def overlapping_hours(client: int, hour: datetime) -> dict[str, Any]:
    """One of three intervals that all contain the hour in the middle."""
    start = hour - timedelta(hours=client % 2) if hour.hour > 9 else hour
    return _body("studio", start, hour + timedelta(hours=1 + client % 3 // 2))


def the_hall_or_half_of_it(client: int, hour: datetime) -> dict[str, Any]:
    return _body("hall", hour, hour + timedelta(hours=1), use="整场" if client % 2 else "半场")


def _body(room: str, start: datetime, end: datetime, **more: str) -> dict[str, Any]:
    return {"room": room, "start": start.isoformat(), "end": end.isoformat(), **more}


def _won(kind: Wish, bodies: list[dict[str, Any]]) -> bool:
    """Whether exactly what there is was won."""
    if kind is a_table:
        return len(bodies) == TABLES
    if kind is the_hall_or_half_of_it:
        return [body["use"] for body in bodies] in (["整场"], ["半场", "半场"])
    return len(bodies) == 1


@pytest.mark.parametrize(
    ("kind", "first"),
    [(the_studio, 0), (a_table, 0), (overlapping_hours, 60), (the_hall_or_half_of_it, 0)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_sixty_four_want_is_won_as_often_as_it_is_there(installation: Served, kind: Wish, first: int) -> None:
    """Over HTTP, by two processes: the losers get a 409 that names the rule, nobody an error."""
    # Staff in their station's name: neither quota nor budget stands in the way of the race.
    role: Role = "staff"
    tokens = installation.let_in({f"{kind.__name__}-{n}": (role, [STATION]) for n in range(CLIENTS)})
    step = 2 if kind is overlapping_hours else 1
    hours = HOURS[first : first + ROUNDS_A_KIND * step : step]
    assert len(hours) == ROUNDS_A_KIND

    async def race() -> list[list[httpx.Response]]:
        async with httpx.AsyncClient(base_url=installation.url, timeout=60, limits=_LIMITS) as http:
            return [
                await gathered(
                    [
                        http.post("/api/v1/bookings", json=kind(n, hour), headers=_as(token))
                        for n, token in enumerate(tokens.values())
                    ]
                )
                for hour in hours
            ]

    for answers in asyncio.run(race()):
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) <= {201, 409}, statuses
        assert _won(kind, [a.json() for a in answers if a.status_code == httpx.codes.CREATED]), statuses
        for lost in (a for a in answers if a.status_code == httpx.codes.CONFLICT):
            assert "slot_taken" in {reason["rule"] for reason in lost.json()["reasons"]}


def test_the_race_left_a_log_that_holds(installation: Served) -> None:
    """The proof agrees: at no instant was more taken than there is."""
    assert installation.verify()["ok"]


_LIMITS = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Dawdling:
    """A connection before each statement of which somebody else may come first: it waits, for longer or shorter."""

    def __init__(self, connection: "asyncpg.Connection[Any]", dice: random.Random) -> None:
        self._connection = connection
        self._dice = dice
        self.statements = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the connection has
        found = getattr(self._connection, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval"):
            return found

        async def dawdle(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the connection's own
            self.statements += 1
            await asyncio.sleep(self._dice.choice((0, 0, 0.002, 0.01)))
            return await found(*arguments, **options)

        return dawdle


@pytest.mark.asyncio
async def test_with_a_barrier_in_every_gap_nobody_holds_what_another_holds(database: TestDatabase) -> None:
    """Four desks on one log, each of which stops before each statement: a smaller, slower race."""
    numbers = itertools.count()
    opened: list[Dawdling] = []

    async def connect() -> Any:  # noqa: ANN401 - stands for a connection
        dawdling = Dawdling(await writer(database), random.Random(next(numbers)))
        opened.append(dawdling)
        return dawdling

    def now() -> datetime:
        return datetime(2026, 12, 1, 1, 0, tzinfo=UTC)

    vault = Vault("gumei", [Fernet.generate_key().decode()])
    desks = [Desk(subjects, codec_of("gumei"), vault, connect, now) for _ in range(4)]
    async with desks[0], desks[1], desks[2], desks[3]:
        await open_station(desks[0])
        for hour in HOURS[:12]:
            wishes = [
                RequestBooking(room=room, start=hour, end=hour + timedelta(hours=1), person=f"p{n}-{hour:%d%H}")
                for room in ("studio", "tables")
                for n in range(8)
            ]
            answers = await gathered([ask(desks[n % 4], wish, resident(wish.person)) for n, wish in enumerate(wishes)])
            done = [wish.room for wish, a in zip(wishes, answers, strict=True) if a.outcome is Outcome.DONE]
            assert Counter(done) == {"studio": 1, "tables": TABLES}
    assert all(dawdling.statements > 20 for dawdling in opened)
    connection = await asyncpg.connect(database.app)
    try:
        report = await verify(connection, "gumei", lambda _: None)
    finally:
        await connection.close()
    assert report.ok, report.findings

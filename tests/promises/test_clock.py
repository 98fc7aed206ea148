"""What falls due is in force at its due instant, recorded or not: ticks early, late, double or never decide nothing."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import TestDatabase
from tests.promises.station import OPENER, a_desk, open_station, resident

from booking import log
from booking.messages import Ask, Command, Outcome
from booking.reservations.decide import CancelBooking, CheckIn, CloseOut, RequestBooking
from booking.rules.events import RuleBook

BEGIN = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
PEOPLE = ("anna", "boris", "chen")
# Whoever is there at the start may still book, so that many bookings are made late.
RULES = RuleBook(lead_minutes_min=0)


class Step(msgspec.Struct, frozen=True):
    """At so many minutes after the beginning, a person asks for something."""

    minute: int
    kind: str
    person: str
    hour: int
    pick: int


steps = st.lists(
    st.builds(
        Step,
        minute=st.integers(0, 8 * 60),
        kind=st.sampled_from(["request", "request", "request", "check_in", "cancel"]),
        person=st.sampled_from(PEOPLE),
        hour=st.integers(0, 8),
        pick=st.integers(0, 5),
    ),
    min_size=5,
    max_size=30,
).map(lambda found: sorted(found, key=lambda step: step.minute))


async def _live(database: TestDatabase, subdistrict: str, story: Iterable[Step], ticks: str) -> list[object]:
    """The answers to the story, with a scheduler that ticks each few minutes, very late and twice, or never."""
    clock = [BEGIN]
    bookings: list[str] = []
    told: list[object] = []
    async with a_desk(database, subdistrict, lambda: clock[0]) as desk:
        await open_station(desk, RULES)
        for n, step in enumerate(story):
            minutes = {"often": 1, "late": 150, "never": 0}[ticks]
            while minutes and clock[0] + timedelta(minutes=minutes) < BEGIN + timedelta(minutes=step.minute):
                clock[0] += timedelta(minutes=minutes)
                for booking in bookings * (2 if ticks == "late" else 1):
                    await desk.ask(
                        Ask(id=f"tick{clock[0]}{booking}", command=CloseOut(booking=booking), asker=OPENER), 60
                    )
            clock[0] = BEGIN + timedelta(minutes=step.minute)
            command = _command(step, bookings)
            if command is None:
                continue
            # The same ids in each run, so that the bookings have the same ids too.
            answer = await desk.ask(Ask(id=f"step{n}", command=command, asker=resident(step.person)), 60)
            told.append((answer.outcome, msgspec.json.decode(answer.body)))
            if isinstance(command, RequestBooking) and answer.outcome is Outcome.DONE:
                bookings.append(msgspec.json.decode(answer.body)["id"])
    return told


def _command(step: Step, bookings: list[str]) -> Command | None:
    if step.kind == "request":
        start = BEGIN + timedelta(hours=step.hour)
        return RequestBooking(room="studio", start=start, end=start + timedelta(hours=1), person=step.person)
    if not bookings:
        return None
    booking = bookings[step.pick % len(bookings)]
    return CheckIn(booking=booking) if step.kind == "check_in" else CancelBooking(booking=booking, reason="ill")


def test_a_history_decides_the_same_with_ticks_often_late_or_never(database: TestDatabase) -> None:
    """Each answer is the same, and whoever stayed away has freed the room at the same instant."""
    runs = iter(range(1_000_000))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps)
    def the_same(story: list[Step]) -> None:
        number = next(runs)
        often, late, never = (
            asyncio.run(_live(database, f"run{number}-{ticks}", story, ticks)) for ticks in ("often", "late", "never")
        )
        assert often == never
        assert late == never

    the_same()


@pytest.mark.asyncio
async def test_a_wall_clock_that_steps_back_keeps_the_order_of_the_log(database: TestDatabase) -> None:
    """Within a minute, time in the log stands still until the clock is there again; no event is before another."""
    clock = [BEGIN]
    async with a_desk(database, "gumei", lambda: clock[0]) as desk:
        await open_station(desk, RULES)
        for n, moved in enumerate((0, 30, -20, 10, -25, 50)):
            clock[0] = BEGIN + timedelta(seconds=moved)
            start = BEGIN + timedelta(hours=1 + n)
            command = RequestBooking(room="studio", start=start, end=start + timedelta(hours=1), person=f"p{n}")
            await desk.ask(Ask(id=f"n{n}", command=command, asker=resident(f"p{n}")), 60)
    connection = await asyncpg.connect(database.app)
    try:
        rows = await log.follow(connection, "gumei", 0, 1_000)
    finally:
        await connection.close()
    instants = [msgspec.json.decode(row.data)["at"] for row in rows]
    assert instants == sorted(instants)

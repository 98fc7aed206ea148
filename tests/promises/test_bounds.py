"""What is asked for again and again costs neither the log nor a decision more than the design allows."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from tests.conftest import TestDatabase
from tests.promises.station import a_desk, ask, open_station, resident

from booking import log
from booking.messages import Outcome
from booking.reservations.decide import RequestBooking
from booking.takes import resource_day_tag

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
FIRST = datetime(2026, 12, 2, 1, 0, tzinfo=UTC)
SLOTS, PEOPLE, REFUSALS = 10, 50, 100_000


def _request(slot: int, person: str) -> RequestBooking:
    start = FIRST + timedelta(hours=slot)
    return RequestBooking(room="studio", start=start, end=start + timedelta(hours=1), person=person)


async def _read_and_written(database: TestDatabase) -> tuple[int, int]:
    """How many events a decision on the room's day reads, and where the log ends."""
    connection = await asyncpg.connect(database.app)
    try:
        found = await log.read(connection, "gumei", [resource_day_tag("floor", "2026-12-02")], [])
        return len(found), (await log.head(connection, "gumei")).position
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_a_hundred_thousand_refusals_leave_decisions_and_the_log_as_they_were(database: TestDatabase) -> None:
    """The same person, slot and reasons within the hour: one event, and a count."""
    async with a_desk(database, "gumei", lambda: NOW) as desk:
        await open_station(desk)
        for slot in range(SLOTS):
            assert (await ask(desk, _request(slot, f"holder{slot}"), resident(f"holder{slot}"))).outcome is Outcome.DONE
        reads, position = await _read_and_written(database)
        for _ in range(REFUSALS // (SLOTS * PEOPLE)):
            wishes = [(slot, f"wisher{n}") for slot in range(SLOTS) for n in range(PEOPLE)]
            answers = await asyncio.gather(
                *(ask(desk, _request(slot, person), resident(person)) for slot, person in wishes)
            )
            assert {answer.outcome for answer in answers} == {Outcome.REFUSED}
        assert await _read_and_written(database) == (reads, position + SLOTS * PEOPLE)
    connection = await asyncpg.connect(database.app)
    try:
        assert await connection.fetchval("SELECT sum(count) FROM booking.refusals") == REFUSALS
    finally:
        await connection.close()

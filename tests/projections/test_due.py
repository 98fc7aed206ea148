"""What has fallen due, and is not recorded yet."""

import pytest
from tests.projections.conftest import Town, at

from projections import due

pytestmark = pytest.mark.asyncio


async def by(town: Town, hour: float) -> list[tuple[str, str]]:
    """What is due by an hour of the day."""
    await town.follow()
    async with town.reader.of("due") as snapshot:
        return [(row.booking, row.becomes) for row in await due.by(snapshot, at(hour), limit=10)]


async def test_a_booking_is_due_when_its_grace_has_passed(town: Town) -> None:
    booking = await town.book(at(10))
    assert await by(town, 10.24) == []
    assert await by(town, 10.25) == [(booking, "no_show")]

"""What has fallen due, and is not recorded yet."""

import pytest
from tests.projections.conftest import Town, at

from booking.places.decide import CloseRoom
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    CloseOut,
    EndBooking,
    ExtendBooking,
    RejectBooking,
    RescheduleBooking,
)
from projections import due

pytestmark = pytest.mark.asyncio


async def by(town: Town, hour: float, limit: int = 10) -> list[tuple[str, str]]:
    """What is due by an hour of the day."""
    await town.follow()
    async with town.reader.of("due") as snapshot:
        return [(row.booking, row.becomes) for row in await due.by(snapshot, at(hour), limit)]


async def test_a_booking_that_nobody_came_to_is_due_when_its_grace_has_passed(town: Town) -> None:
    booking = await town.book(at(10))
    assert await by(town, 10.24) == []
    assert await by(town, 10.25) == [(booking, "no_show")]


async def test_one_that_somebody_came_to_is_due_at_its_end(town: Town) -> None:
    booking = await town.book(at(10))
    town.now = at(10)
    await town.do(CheckIn(booking=booking))
    assert await by(town, 10.99) == []
    assert await by(town, 11) == [(booking, "completed")]


async def test_one_that_awaits_approval_is_due_at_its_start_and_approved_after_its_grace(town: Town) -> None:
    booking = await town.book(at(12), at(13.5), room="hall", use="整场")
    assert await by(town, 12) == [(booking, "expired")]
    await town.do(ApproveBooking(booking=booking))
    assert await by(town, 12) == []
    assert await by(town, 12.25) == [(booking, "no_show")]


async def test_what_was_ended_is_not_due(town: Town) -> None:
    mine, theirs = await town.book(at(10)), await town.book(at(10), person="wang")
    whole = await town.book(at(12), at(13.5), room="hall", use="整场", person="wang")
    await town.do(CancelBooking(booking=mine, reason="ill"))
    await town.do(RejectBooking(booking=whole, reason="other"))
    assert await by(town, 24) == [(theirs, "no_show")]
    await town.do(CloseRoom(room="tribe", start=at(9), reason="safety"))
    assert await by(town, 24) == []


async def test_what_is_moved_is_due_at_its_new_time(town: Town) -> None:
    booking = await town.book(at(10))
    await town.do(RescheduleBooking(booking=booking, start=at(15), end=at(16)))
    assert await by(town, 15.24) == []
    assert await by(town, 15.25) == [(booking, "no_show")]
    await town.do(RescheduleBooking(booking=booking, start=at(12), end=at(13.5), room="hall", use="整场"))
    assert await by(town, 12) == [(booking, "expired")]


async def test_what_is_extended_is_due_at_its_new_end_and_what_ended_early_not_at_all(town: Town) -> None:
    booking = await town.book(at(10))
    town.now = at(10)
    await town.do(CheckIn(booking=booking))
    await town.do(ExtendBooking(booking=booking, end=at(12)))
    assert await by(town, 11.99) == []
    assert await by(town, 12) == [(booking, "completed")]
    town.now = at(11.5)
    await town.do(EndBooking(booking=booking))
    assert await by(town, 24) == []


async def test_what_is_recorded_is_not_due_any_more(town: Town) -> None:
    booking = await town.book(at(10))
    town.now = at(11)
    assert await by(town, 11) == [(booking, "no_show")]
    await town.do(CloseOut(booking=booking))
    assert await by(town, 24) == []


async def test_the_longest_due_come_first_and_no_more_than_asked_for(town: Town) -> None:
    late, early = await town.book(at(12)), await town.book(at(10))
    await town.book(at(14))
    assert await by(town, 24, limit=2) == [(early, "no_show"), (late, "no_show")]

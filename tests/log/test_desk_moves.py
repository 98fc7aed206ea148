"""Moves at a real desk, where one command of a batch changes what the next must have read."""

import asyncio

import msgspec
import pytest
from tests.conftest import TestDatabase
from tests.log.history import LIN, STAFF, ZHAO, at, opened, station

from booking.messages import Answer, Outcome
from booking.reservations.decide import ApproveBooking, ExtendBooking, RequestBooking, RescheduleBooking

pytestmark = pytest.mark.asyncio


def told(answer: Answer) -> dict[str, str]:
    return dict(msgspec.json.decode(answer.body))


async def test_a_booking_is_moved_and_extended_in_one_breath(log_database: TestDatabase) -> None:
    """Where it is extended, nobody knew when the batch was read: the second is decided in the next one."""
    async with station(log_database.app) as there:
        await opened(there)
        booking = await there.book(LIN, "tribe", "24 10:00", "24 11:00")
        answers = await asyncio.gather(
            there.ask(
                STAFF, RescheduleBooking(booking=booking, start=at("26 10:00"), end=at("26 11:00"), room="studio")
            ),
            there.ask(STAFF, ApproveBooking(booking=booking)),
            there.ask(STAFF, ExtendBooking(booking=booking, end=at("26 12:00"))),
            there.ask(STAFF, RescheduleBooking(booking=booking, start=at("27 10:00"), end=at("27 12:00"))),
        )
    states = [(told(answer)["room"], told(answer)["state"], told(answer)["end"]) for answer in answers]
    assert states == [
        ("studio", "awaiting_approval", "2026-11-26T03:00:00Z"),
        ("studio", "confirmed", "2026-11-26T03:00:00Z"),
        ("studio", "confirmed", "2026-11-26T04:00:00Z"),
        ("studio", "awaiting_approval", "2026-11-27T04:00:00Z"),
    ]


def both_tables(booking: str) -> RescheduleBooking:
    """To two o'clock."""
    return RescheduleBooking(booking=booking, start=at("24 14:00"), end=at("24 15:00"), units=2)


async def test_of_two_who_move_to_one_slot_one_stays_where_it_was(log_database: TestDatabase) -> None:
    async with station(log_database.app) as there:
        await opened(there)
        mine = await there.book(LIN, "tribe", "24 10:00", "24 11:00")
        theirs = await there.book(ZHAO, "tribe", "24 10:00", "24 11:00")
        answers = await asyncio.gather(there.ask(LIN, both_tables(mine)), there.ask(ZHAO, both_tables(theirs)))
        assert [answer.outcome for answer in answers] == [Outcome.DONE, Outcome.REFUSED]
        # One table of ten o'clock was left, and the other is still there.
        ten = [
            RequestBooking(room="tribe", start=at("24 10:00"), end=at("24 11:00"), person="chen", units=n)
            for n in (2, 1)
        ]
        assert [(await there.ask(STAFF, one)).outcome for one in ten] == [Outcome.REFUSED, Outcome.DONE]

"""What happened, who asked for it, and under what it stands in the log."""

import asyncpg
import pytest
from tests.conftest import TestDatabase
from tests.projections.conftest import DESK, Town, at, wanted

from booking import log
from booking.messages import Asker
from booking.places.decide import CloseRoom
from booking.reservations.decide import CheckIn, CloseOut, RescheduleBooking
from projections import history
from projections.history import Row

pytestmark = pytest.mark.asyncio

LI = Asker(id="li", role="resident", channel="phone", scope="own")


async def events(town: Town, after: int = 0, limit: int = 500, **about: str) -> list[Row]:
    async with town.reader.of("history", await town.follow()) as snapshot:
        return await history.events(snapshot, after, limit, **about)


async def test_every_event_is_there_as_the_log_has_it(town: Town, database: TestDatabase) -> None:
    """Data, hashes and tags can be held against the log's own."""
    await town.book(at(10))
    await town.refused(wanted(at(10), units=2))
    rows = await events(town)
    connection = await asyncpg.connect(database.app)
    kept = await log.follow(connection, "gumei", 0, 1000)
    tags = await log.tags_after(connection, "gumei", ("", 0), 10_000)
    await connection.close()
    assert [(row.position, row.hash) for row in rows] == [(row.position, row.hash.hex()) for row in kept]
    assert [row.prev_hash for row in rows] == [log.first_hash("gumei").hex(), *(row.hash for row in rows[:-1])]
    assert sorted((tag, row.position) for row in rows for tag in row.tags) == sorted(tags)


async def test_a_row_says_who_asked_for_whom_and_under_which_rules(town: Town) -> None:
    booking = await town.book(at(10))
    (row,) = await events(town, booking=booking)
    rules = [each.position for each in await events(town, type="RulesChanged")]
    assert (row.type, row.version, row.actor, row.role, row.channel, row.for_person) == (
        "BookingConfirmed", 1, "desk", "staff", "desk", "li"
    )  # fmt: skip
    assert (row.booking, row.room, row.person, row.at, row.rules) == (booking, "tribe", "li", town.now, rules[0])
    assert row.data["units"] == 1
    assert row.data["start"] == "2026-11-24T02:00:00Z"


async def test_a_move_is_told_of_the_room_that_was_left_and_of_the_one_that_was_entered(town: Town) -> None:
    booking = await town.book(at(10))
    await town.do(RescheduleBooking(booking=booking, start=at(15), end=at(16), room="hall", use="东半场"))
    await town.do(RescheduleBooking(booking=booking, start=at(16), end=at(17)))
    async with town.reader.of("history", await town.follow()) as snapshot:
        rows = await history.of_room(snapshot, "tribe"), await history.of_room(snapshot, "hall")
    told = [[row.type for row in some if row.booking == booking] for some in rows]
    assert told == [["BookingConfirmed", "BookingRescheduled"], ["BookingRescheduled", "BookingRescheduled"]]


async def test_a_bookings_history_has_all_that_befell_it_and_what_was_refused_of_it(town: Town) -> None:
    booking = await town.book(at(10))
    await town.book(at(11), person="wang")
    await town.refused(CheckIn(booking=booking))
    town.now = at(11)
    await town.do(CloseOut(booking=booking))
    async with town.reader.of("history", await town.follow()) as snapshot:
        rows = await history.of_booking(snapshot, booking)
    assert [row.type for row in rows] == ["BookingConfirmed", "BookingChangeRefused", "NoShowRecorded"]
    assert (rows[2].due, rows[2].at) == (at(10.25), at(11))
    assert rows[1].data["reasons"][0]["rule"] == "too_early"


async def test_what_a_closure_cancelled_names_it_as_the_cause(town: Town) -> None:
    booking = await town.book(at(10))
    await town.do(CloseRoom(room="tribe", start=at(9), reason="cleaning"))
    async with town.reader.of("history", await town.follow()) as snapshot:
        opened, _, closed, cancelled = await history.of_room(snapshot, "tribe")
    assert (opened.type, closed.type, cancelled.type) == ("RoomOpened", "RoomClosed", "BookingCancelled")
    assert cancelled.booking == booking
    assert cancelled.cause == str(closed.position)
    assert (closed.command, closed.n, cancelled.command, cancelled.n) == (closed.command, 0, closed.command, 1)


async def test_a_persons_history_is_theirs_whoever_asked(town: Town) -> None:
    await town.do(wanted(at(10), person="li"), LI)
    await town.refused(wanted(at(10), units=3, person="li"))
    await town.book(at(12), person="wang")
    async with town.reader.of("history", await town.follow()) as snapshot:
        rows = await history.of_person(snapshot, "li")
    assert [(row.type, row.actor) for row in rows] == [("BookingConfirmed", "li"), ("BookingRefused", DESK.id)]


async def test_filters_and_positions_bound_what_is_told(town: Town) -> None:
    await town.book(at(10), person="li")
    await town.book(at(11), person="wang")
    await town.book(at(12), room="hall", use="东半场", person="wang")
    all_of_wang = await events(town, person="wang")
    assert [row.room for row in all_of_wang] == ["tribe", "hall"]
    assert await events(town, person="wang", room="hall") == all_of_wang[1:]
    assert await events(town, after=all_of_wang[0].position, person="wang") == all_of_wang[1:]
    assert await events(town, limit=1, person="wang") == all_of_wang[:1]
    assert await events(town, type="BookingConfirmed", actor="nobody") == []
    assert len(await events(town, limit=0)) == 1

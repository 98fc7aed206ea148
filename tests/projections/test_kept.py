"""What a process keeps of availability is what stands in the read model, whatever has happened meanwhile."""

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from tests.conftest import TestDatabase
from tests.projections.conftest import Town, at

from booking.places.decide import CloseRoom
from booking.reservations.decide import CancelBooking
from projections import availability, kept, reading
from projections.boards import Sought, Tag
from projections.kept import _NEWS, Kept
from projections.reading import NotBuilt

pytestmark = pytest.mark.asyncio

TODAY = date(2026, 11, 24)
WEEK = Sought(TODAY, TODAY + timedelta(days=6), person="li")


class Keeper:
    """What is kept for one who asks about a week."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.kept = Kept(town.reader)

    def tags(self) -> list[Tag]:
        return self.kept.tags(WEEK, self.town.now)

    async def is_level(self, position: int = 0) -> None:
        """Move on, and compare with what is read from the read model."""
        await self.kept.reach(self.tags, position)
        async with self.town.reader.of(availability.NAME) as snapshot:
            read = await availability.board(snapshot, *WEEK[:2], self.town.now, person="li")
            assert (self.kept.position, self.kept.at) == (snapshot.position, snapshot.at)
        board = self.kept.board(WEEK, self.town.now)
        assert board == read
        assert list(board.rooms) == list(read.rooms), "in the same order"


async def test_it_moves_on_with_what_happens(town: Town) -> None:
    keeper = Keeper(town)
    await town.follow()
    await keeper.is_level()
    booking = await town.book(at(14), person="li")
    await town.book(at(12), at(13.5), room="hall", use="整场", person="wang")
    await town.follow()
    await keeper.is_level()
    await town.do(CancelBooking(booking=booking, reason="ill"))
    await town.do(CloseRoom(room="hall", start=at(9, day=25), reason="other"))
    await town.follow()
    await keeper.is_level()
    await keeper.is_level()


async def test_who_asks_for_a_position_waits_for_it_and_then_has_what_there_is(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(town)
    position = await town.follow()
    await keeper.is_level()
    await town.book(at(14))
    waiting = asyncio.create_task(keeper.kept.reach(keeper.tags, position + 1))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await town.follow()
    await waiting
    assert keeper.kept.position == position + 1
    monkeypatch.setattr(kept, "WAIT_SECONDS", 0.05)
    await keeper.is_level(position + 1_000)


async def test_who_has_slept_for_long_starts_afresh(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(town)
    await town.follow()
    await keeper.is_level()
    monkeypatch.setattr(kept, "BEHIND_MAX", 2)
    for hour in (12, 13, 14):
        await town.book(at(hour), person="li")
    await town.follow()
    await keeper.is_level()


async def test_a_read_model_that_has_taken_the_place_of_another_is_read_afresh(town: Town) -> None:
    keeper = Keeper(town)
    await town.follow()
    await town.book(at(14), person="li")
    await town.follow()
    async with town.projecting.begin() as connection:
        await connection.execute(text("UPDATE availability.states SET state = '{}' WHERE kind = 'ResourceDay'"))
    await keeper.kept.reach(keeper.tags)
    assert not keeper.kept.board(WEEK, town.now).known.days["resource:tables:2026-11-24"].holds
    async with town.projecting.begin() as connection:
        await connection.execute(text("DROP SCHEMA availability CASCADE"))
    town.followers = [town.follower(availability.QUESTION)]
    await town.follow()
    await keeper.is_level()


async def test_a_log_that_was_restored_from_elsewhere_is_read_afresh(town: Town, database: TestDatabase) -> None:
    """The same places and positions, and other bookings; the log has gone on since."""
    other = Town(database, "pujin")
    async with other:
        for each in (town, other):
            await each.book(at(14 if each is town else 15), person="li")
            await each.follow()
        keeper = Keeper(town)
        await keeper.is_level()
        keeper.kept._reader = other.reader
        keeper.town = other
        await keeper.is_level()
        assert keeper.kept.board(WEEK, town.now).known.days["resource:tables:2026-11-24"].holds


async def test_what_is_kept_is_bounded(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_MAX", 60)
    keeper = Keeper(town)
    await town.follow()
    for n in range(100):
        await keeper.kept.reach(lambda n=n: keeper.kept.month_tags(f"person{n}", town.now))  # type: ignore[misc]
        assert len(keeper.kept._states) == len(keeper.kept._changed) <= 60
    await keeper.is_level()


async def test_a_read_model_that_is_not_there_is_waited_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(town)
    monkeypatch.setattr(kept, "WAIT_SECONDS", 0.05)
    with pytest.raises(NotBuilt):
        await keeper.kept.reach(keeper.tags)
    monkeypatch.setattr(kept, "WAIT_SECONDS", reading.WAIT_SECONDS)
    waiting = asyncio.create_task(keeper.is_level())
    await asyncio.sleep(0.05)
    await town.follow()
    await waiting


async def test_news_are_read_by_indexes_also_while_there_are_no_statistics(town: Town) -> None:
    await town.follow()
    many = """
        INSERT INTO availability.states (subdistrict, tag, kind, since, position, state)
        SELECT 'gumei', 'resource:tables:' || date '2020-01-01' + n, 'ResourceDay', n, n, repeat('x', 200)
        FROM generate_series(1, 20000) n
    """
    asked = {"subdistrict": "gumei", "after": 19_000, "until": 21_000, "kinds": ["Room"], "tags": ["a", "b"]}
    async with town.projecting.begin() as connection:
        await connection.exec_driver_sql(many)
        plan = "\n".join(await connection.scalars(text(f"EXPLAIN {_NEWS.text}"), asked))
    assert "states_position" in plan
    assert "states_pkey" in plan
    assert "Seq Scan" not in plan.replace("Seq Scan on checkpoints", "")

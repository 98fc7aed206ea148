"""What is drawn once for many is at every moment what would be drawn for one."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.conftest import TestDatabase
from tests.projections.conftest import Town, at
from tests.projections.test_grid import BUSY, STEPS, Step, live_through

from booking.reservations.decide import CancelBooking
from linyue.api import drawings as drawings_
from linyue.api.asking import reason_out
from linyue.api.drawings import Answer, AvailabilityOut, DayOut, Drawings, RoomUseOut, SlotOut
from linyue.api.etags import tag_of
from linyue.words import Language
from projections import availability
from projections.boards import Sought
from projections.grid import Board
from projections.kept import Kept

TODAY = date(2026, 11, 24)
INSTANT = timedelta(microseconds=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
LANGUAGES: tuple[Language, ...] = ("zh", "en")
ASKED = (
    Sought(TODAY, TODAY + timedelta(days=1)),
    Sought(TODAY + timedelta(days=14), TODAY + timedelta(days=15), station="gulong"),
    Sought(TODAY, TODAY, room="tribe", use="乒乓球", person="li"),
    Sought(TODAY, TODAY + timedelta(days=1), use="东半场", person="wang"),
)


@pytest_asyncio.fixture
async def town(database: TestDatabase) -> AsyncIterator[Town]:
    """Two stations whose clock and read models the test moves."""
    async with Town(database) as town:
        yield town


async def afresh(town: Town, sought: Sought, language: Language) -> bytes:
    """The answer as it is drawn for one alone, of what stands in the read model."""
    async with town.reader.of(availability.NAME) as snapshot:
        asked = sought._asdict()
        first, last = asked.pop("first_day"), asked.pop("last_day")
        board = await availability.board(snapshot, first, last, town.now, **asked)
        position = snapshot.position
    zone, version = board.known.zone, board.known.rules.version
    rooms = [
        RoomUseOut(
            room=found.room,
            use=found.use,
            name=found.name,
            units=found.units,
            days=[
                DayOut(
                    date=day.date,
                    slots=[
                        SlotOut(
                            start=slot.start.astimezone(zone),
                            end=slot.end.astimezone(zone),
                            free=slot.free,
                            state=slot.state,
                            reasons=[reason_out(reason, version, language, zone) for reason in slot.reasons],
                        )
                        for slot in day.slots
                    ],
                )
                for day in found.days
            ],
        )
        for found in board.draw(sought.use)
    ]
    return msgspec.json.encode(AvailabilityOut(position=position, rooms=rooms))


async def check_now(
    town: Town, drawings: Drawings, asked: Iterable[Sought] = ASKED, languages: Iterable[Language] = LANGUAGES
) -> None:
    for sought, language in itertools.product(asked, languages):
        answer = await drawings.answer(sought, language)
        fresh = await afresh(town, sought, language)
        assert answer.body == fresh, (town.now, sought)
        assert (answer.tag, answer.position) == (tag_of(fresh), msgspec.json.decode(fresh)["position"])


async def check_as_time_passes(town: Town, drawings: Drawings) -> None:
    """Around quarters of hours, where slots begin and leads and graces end; at midnight, at release; and set back."""
    begun = town.now
    quarter = begun - (begun - at(0)) % QUARTER
    midnight = begun - (begun - at(0)) % DAY + DAY
    for edge in (*(quarter + n * QUARTER for n in range(1, 9)), midnight, midnight + timedelta(hours=8)):
        for town.now in (edge - timedelta(seconds=30), edge - INSTANT, edge, edge + INSTANT):
            await check_now(town, drawings, ASKED[:3], ("zh",))
    town.now = begun
    await check_now(town, drawings)


async def check_history(database: TestDatabase, steps: Iterable[Step], number: int) -> None:
    async with Town(database, f"drawn-{number}") as town:
        drawings, made = Drawings(Kept(town.reader), lambda: town.now), list[str]()
        await live_through(town, BUSY, made)
        for step in steps:
            await live_through(town, [step], made)
            await town.follow()
            await check_now(town, drawings)
        await check_as_time_passes(town, drawings)


NUMBERS = itertools.count()


def check(database: TestDatabase, examples: int, phases: Collection[Phase]) -> None:
    @settings(max_examples=examples, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEPS, min_size=1, max_size=6))
    def holds(steps: list[Step]) -> None:
        asyncio.run(check_history(database, steps, next(NUMBERS)))

    holds()


def test_an_answer_is_what_would_be_drawn_at_that_moment(database: TestDatabase) -> None:
    check(database, examples=6, phases=(Phase.reuse, Phase.generate))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_an_answer_is_what_would_be_drawn_at_that_moment_in_many_histories(database: TestDatabase) -> None:
    check(database, examples=150, phases=tuple(Phase))


class Watched:
    """Counts the days that are drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.days: list[date] = []
        draw_day = Board.draw_day

        def counting(board: Board, *asked: Any) -> Any:  # noqa: ANN401 - as it is called
            self.days.append(asked[-1])
            return draw_day(board, *asked)

        monkeypatch.setattr(Board, "draw_day", counting)

    def since(self) -> list[date]:
        """The days drawn since the last look."""
        days, self.days = self.days, []
        return days


@pytest.mark.asyncio
async def test_only_what_an_event_touches_is_drawn_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, drawings = Watched(monkeypatch), Drawings(Kept(town.reader), lambda: town.now)
    week = Sought(TODAY, TODAY + timedelta(days=6), room="tribe")
    await town.follow()
    first = await drawings.answer(week, "zh")
    assert len(watched.since()) == 14, "two uses"
    assert await drawings.answer(week, "zh") is first
    booking = await town.book(at(14, day=26))
    await town.follow()
    second = await drawings.answer(week, "zh")
    # A slot's buffer may reach into the next day, so a day is drawn from that one too.
    assert watched.since() == [date(2026, 11, 25), date(2026, 11, 26)]
    assert second.position > first.position
    await town.do(CancelBooking(booking=booking, reason="ill"))
    await town.book(at(15, day=26), room="hall", use="东半场")
    await town.follow()
    third = await drawings.answer(week, "zh")
    assert watched.since() == [date(2026, 11, 25), date(2026, 11, 26)]
    await town.book(at(18, day=26), room="hall", use="东半场", person="wang")
    await town.follow()
    fourth = await drawings.answer(week, "zh")
    assert watched.since() == [], "what happens elsewhere moves the position alone"
    assert fourth.position > third.position
    assert fourth.tag != third.tag


@pytest.mark.asyncio
async def test_many_who_ask_at_once_are_drawn_one_grid(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, drawings = Watched(monkeypatch), Drawings(Kept(town.reader), lambda: town.now)
    await town.follow()
    asked = [Sought(TODAY, TODAY, station="gulong", person=person) for person in ("li", "wang", None)] * 20
    answers: list[Answer] = await asyncio.gather(*(drawings.answer(sought, "zh") for sought in asked))
    assert len({answer.body for answer in answers}) == 1
    assert len(watched.since()) == 3, "the hall's uses, once for all whose quota has room"


@pytest.mark.asyncio
async def test_what_is_remembered_is_bounded(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings_, "DAYS_MAX", 10)
    monkeypatch.setattr(drawings_, "ANSWERS_BYTES_MAX", 20_000)
    monkeypatch.setattr(drawings_, "DAYS_OF_ONE_MAX", 20)
    drawings = Drawings(Kept(town.reader), lambda: town.now)
    await town.follow()
    for n in range(12):
        day = TODAY + timedelta(days=n)
        assert (await drawings.answer(Sought(day, day), "zh")).body == await afresh(town, Sought(day, day), "zh")
        assert len(drawings._days) <= 10
        assert sum(len(drawn.answer.body) for drawn in drawings._drawn.values()) == drawings._bytes <= 20_000
    before = dict(drawings._drawn)
    month = Sought(TODAY, TODAY + timedelta(days=30))
    assert (await drawings.answer(month, "zh")).body == await afresh(town, month, "zh")
    assert drawings._drawn == before, "a month of everything is nobody else's"

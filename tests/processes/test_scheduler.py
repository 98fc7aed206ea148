"""The scheduler: alone it does all that is due, with others nothing twice, and no clock or failure stops it."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from booking.messages import Command
from booking.reservations.decide import CloseOut
from linyue import scheduler
from linyue.postgres import Databases
from linyue.postgres.ticks import tick_lock
from linyue.scheduler import Due, Scheduler, note_tick, tick_age_seconds

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
STEPPED_CLOCK = Path(__file__).with_name("stepped_clock.py")


class Book:
    """What is due until it is closed out, and who was asked for: stands for the read model and the desk."""

    def __init__(self, *bookings: str) -> None:
        self.open = list(bookings)
        self.asked: list[str] = []
        self.at_once = self.at_once_max = 0
        self.faulty: set[str] = set()

    async def due(self, now: datetime) -> list[Due]:
        return [(booking, now, kind) for booking in self.open for kind in ("no_show", "completed")]

    async def ask(self, command: Command) -> None:
        assert isinstance(command, CloseOut)
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        self.asked.append(command.booking)
        if command.booking in self.faulty:
            raise RuntimeError(command.booking)
        if command.booking in self.open:
            self.open.remove(command.booking)


def scheduler_of(book: Book, *, held: bool = True, tick_seconds: float = 0.05) -> Scheduler:
    return Scheduler(
        now=lambda: NOW, due=book.due, ask=book.ask, lock=lambda: nullcontext(held), tick_seconds=tick_seconds
    )


async def run_for(seconds: float, *schedulers: Scheduler) -> None:
    running = [asyncio.create_task(each.run()) for each in schedulers]
    await asyncio.sleep(seconds)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def run_until(holds: Callable[[], object], scheduler: Scheduler) -> None:
    """For as long as it takes, on however busy a machine; within reason."""
    running = asyncio.create_task(scheduler.run())
    for _ in range(3_000):
        await asyncio.sleep(0.01)
        if holds():
            break
    assert holds()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_late_tick_asks_once_for_each_booking_that_is_due() -> None:
    book = Book(*(f"b{n}" for n in range(200)))
    await scheduler_of(book).tick()
    assert sorted(book.asked) == sorted(f"b{n}" for n in range(200))
    assert book.at_once_max == scheduler.CLOSE_OUTS_AT_ONCE


@pytest.mark.asyncio
async def test_a_tick_is_bounded_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "CLOSE_OUTS_PER_TICK_MAX", 3)
    book = Book("a", "b", "c", "d")
    ticking = scheduler_of(book)
    await ticking.tick()
    assert book.open == ["d"]
    await ticking.tick()
    assert book.open == []


@pytest.mark.asyncio
async def test_the_first_tick_comes_at_once_and_others_follow() -> None:
    book = Book("a")
    ticking = scheduler_of(book, tick_seconds=0.2)
    running = asyncio.create_task(ticking.run())
    await asyncio.sleep(0.05)
    assert book.asked == ["a"]
    book.open = ["b"]
    await asyncio.sleep(0.4)
    assert book.asked == ["a", "b"]
    running.cancel()


@pytest.mark.asyncio
async def test_who_does_not_get_the_lock_asks_nothing() -> None:
    book = Book("a")
    await scheduler_of(book, held=False).tick()
    assert book.asked == []


@pytest.mark.asyncio
async def test_a_booking_that_fails_stops_no_other() -> None:
    book = Book("a", "b", "c")
    book.faulty = {"b"}
    with capture_logs() as lines:
        await scheduler_of(book).tick()
    assert sorted(book.asked) == ["a", "b", "c"]
    assert {"event": "closed out", "log_level": "info", "bookings": 3, "failed": 1} in lines


@pytest.mark.asyncio
async def test_a_tick_that_raises_does_not_stop_the_next() -> None:
    book = Book("a")
    raised = 0

    async def due(now: datetime) -> list[Due]:
        nonlocal raised
        if raised < 2:
            raised += 1
            raise ConnectionError("the database is away")
        return await book.due(now)

    ticking = Scheduler(now=lambda: NOW, due=due, ask=book.ask, lock=lambda: nullcontext(True), tick_seconds=0.05)
    await run_until(lambda: book.asked, ticking)
    assert (raised, book.asked) == (2, ["a"])


@pytest.mark.asyncio
async def test_a_tick_that_hangs_ends_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK_SECONDS_MAX", 0.2)
    ticks = 0

    async def due(now: datetime) -> list[Due]:
        nonlocal ticks
        ticks += 1
        await asyncio.sleep(60 if ticks == 1 else 0)
        return []

    ticking = Scheduler(now=lambda: NOW, due=due, ask=Book().ask, lock=lambda: nullcontext(True), tick_seconds=0.05)
    await run_until(lambda: ticks >= 3, ticking)


@pytest.mark.asyncio
async def test_two_schedulers_at_once_do_nothing_twice(database: Databases) -> None:
    """They race for the lock for a second, while bookings keep falling due."""
    book = Book()
    lock = partial(tick_lock, database.app, "gumei")
    two = [Scheduler(now=lambda: NOW, due=book.due, ask=book.ask, lock=lock, tick_seconds=0.02) for _ in range(2)]
    fallen = [f"b{n}" for n in range(100)]

    async def fall_due() -> None:
        for booking in fallen:
            book.open.append(booking)
            await asyncio.sleep(0.01)

    await asyncio.gather(run_for(2.0, *two), fall_due())
    assert sorted(book.asked) == sorted(fallen)


def test_a_fast_clock_ticks_more_often_up_to_a_limit() -> None:
    """Five seconds at 600 would be most of an hour of the station's day."""
    assert [scheduler.tick_seconds_at(speed) for speed in (0.0, 0.5, 1.0, 12.0, 30.0, 60.0, 600.0)] == [
        5.0, 5.0, 5.0, 5.0, 2.0, 1.0, 1.0,
    ]  # fmt: skip


def ticks_before_and_after_the_step(*arguments: str) -> tuple[int, int]:
    command = [sys.executable, str(STEPPED_CLOCK), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    before, after = done.stdout.split()
    return int(before), int(after)


def test_a_wall_clock_that_steps_back_an_hour_does_not_stop_the_ticks() -> None:
    before, after = ticks_before_and_after_the_step()
    assert before >= 4
    assert after >= 8


def test_without_the_watchdog_the_step_would_stop_them() -> None:
    before, after = ticks_before_and_after_the_step("unwatched")
    assert before >= 4
    assert after <= 1


def test_the_age_of_the_last_tick_is_known_to_other_processes(tmp_path: Path) -> None:
    file = tmp_path / "tick"
    assert tick_age_seconds(file) is None
    note_tick(file)
    age = tick_age_seconds(file)
    assert age is not None
    assert 0 <= age < 5


def test_a_tick_from_before_the_machine_started_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "tick"
    file.write_text(str(2**63))
    assert tick_age_seconds(file) is None


@pytest.mark.asyncio
@pytest.mark.parametrize("held", [True, False])
async def test_a_tick_that_skipped_counts_as_a_tick_and_one_that_failed_does_not(held: bool) -> None:
    noted: list[str] = []

    async def fails(now: datetime) -> list[Due]:
        raise ConnectionError

    for due, name in ((Book().due, "fine"), (fails, "failed")):
        ticking = Scheduler(
            now=lambda: NOW,
            due=due,
            ask=Book().ask,
            lock=lambda: nullcontext(held),
            ticked=partial(noted.append, name),
        )
        await ticking.tick()
    assert noted == (["fine"] if held else ["fine", "failed"])

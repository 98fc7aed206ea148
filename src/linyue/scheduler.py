"""Records what has fallen due: each tick takes the lock or skips, asks what is due, and has each booking closed out.

Decisions never wait for it, as what falls due is in force at its due instant. Its commands are idempotent, so the lock
only saves work: a tick that runs twice, late or not at all decides nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from booking.messages import Command
from booking.reservations.decide import CloseOut

TICK_SECONDS = 5.0
# On a clock that runs fast, so that one can watch the day go by.
TICK_SECONDS_MIN = 1.0
# A tick that hangs must end, or there would never be another: no more than one runs at a time.
TICK_SECONDS_MAX = 60.0
# After a long downtime thousands may be due; the next tick takes up where this one stopped.
CLOSE_OUTS_PER_TICK_MAX = 1000
# So many wait at the desk at once: one batch of it.
CLOSE_OUTS_AT_ONCE = 64
# Without a tick for so many intervals, the wall clock has stepped back, by which APScheduler reckons the next one.
INTERVALS_MISSED_MAX = 2.5

Due = tuple[str, datetime, str]
"""A booking, the instant at which something of it fell due, and what."""

log = structlog.get_logger()


class Scheduler:
    """Ticks until it is cancelled.

    `due` tells what has fallen due by an instant; `ask` takes a command to the desk; `lock` is held during a tick and
    says whether we are the one who holds it; `ticked` is called after each tick that did not fail. Intervals are real
    seconds, also where `now` tells a simulated time.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        due: Callable[[datetime], Awaitable[Iterable[Due]]],
        ask: Callable[[Command], Awaitable[object]],
        lock: Callable[[], AbstractAsyncContextManager[bool]],
        ticked: Callable[[], None] = lambda: None,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._now, self._due, self._ask, self._lock = now, due, ask, lock
        self._ticked = ticked
        self._tick_seconds = tick_seconds
        self._ticking = False
        self._began = time.monotonic()

    async def run(self) -> None:
        """Tick at once and then at each interval."""
        self._began = time.monotonic()
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_job(
            self.tick,
            "interval",
            seconds=self._tick_seconds,
            id="tick",
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
        await self.tick()
        scheduler.start()
        try:
            await self._watch(scheduler)
        finally:
            scheduler.shutdown(wait=False)
            # It shuts down in the loop's next turn.
            await asyncio.sleep(0)

    async def tick(self) -> None:
        """One tick, whatever comes of it: a failure is logged, and the next tick tries again."""
        self._began, self._ticking = time.monotonic(), True
        try:
            async with asyncio.timeout(TICK_SECONDS_MAX):
                await self._close_out_all()
        except Exception:
            log.exception("the tick failed")
        else:
            self._ticked()
        finally:
            self._ticking = False

    async def _close_out_all(self) -> None:
        async with self._lock() as held:
            if not held:
                return
            found = await self._due(self._now())
            bookings = list(dict.fromkeys(booking for booking, _at, _kind in found))[:CLOSE_OUTS_PER_TICK_MAX]
            failed = 0
            for start in range(0, len(bookings), CLOSE_OUTS_AT_ONCE):
                failed += await self._close_out(bookings[start : start + CLOSE_OUTS_AT_ONCE])
        if bookings:
            log.info("closed out", bookings=len(bookings), failed=failed)

    async def _close_out(self, bookings: list[str]) -> int:
        """Ask for all of these at once; how many failed. One that fails is due again at the next tick."""
        asked = (self._ask(CloseOut(booking=booking)) for booking in bookings)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        failures = [(b, a) for b, a in zip(bookings, answers, strict=True) if isinstance(a, BaseException)]
        for booking, error in failures:
            log.error("not closed out", booking=booking, error=repr(error))
        return len(failures)

    async def _watch(self, scheduler: AsyncIOScheduler) -> None:
        """Set the next tick anew when none came: by the steady clock, which never steps back."""
        while True:
            await asyncio.sleep(self._tick_seconds)
            missed = time.monotonic() - self._began > INTERVALS_MISSED_MAX * self._tick_seconds
            if missed and not self._ticking:
                log.warning("no tick came, as the wall clock stepped back: ticking again from now on")
                scheduler.reschedule_job("tick", trigger="interval", seconds=self._tick_seconds)
                # Give the new one its time, or it would be put off for ever.
                self._began = time.monotonic()


def tick_seconds_at(speed: float) -> float:
    """How many real seconds lie between two ticks where the clock passes `speed` seconds in one: a minute of it."""
    return max(TICK_SECONDS_MIN, min(TICK_SECONDS, 60 / speed)) if speed > 0 else TICK_SECONDS


def note_tick(file: Path) -> None:
    """Note for the other processes of this machine that a tick has just ended; give it to the scheduler as `ticked`."""
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(str(time.monotonic_ns()), encoding="ascii")
    fresh.replace(file)


def tick_age_seconds(file: Path) -> float | None:
    """How long ago the last noted tick ended; None where none was since the machine started."""
    try:
        age = time.monotonic_ns() - int(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    return age / 1e9 if age >= 0 else None

"""Runs a scheduler while the wall clock that APScheduler reads steps back an hour; says how often it ticked.

`python stepped_clock.py` is a process of its own, because the clock is replaced under everything in it. With the
argument `unwatched` the scheduler's watchdog is left out. It writes the number of ticks before the step and after it.
"""

import asyncio
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, tzinfo

import apscheduler.executors.base
import apscheduler.schedulers.base
import apscheduler.triggers.interval

from linyue import scheduler
from linyue.logs import log_to_stderr

TICK_SECONDS = 0.2


class SteppingWall(datetime):
    """A datetime whose now can be set back."""

    step = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "SteppingWall":
        return cls.fromtimestamp(time.time(), tz) + cls.step


class Unwatched(scheduler.Scheduler):
    """Without the watchdog."""

    async def _watch(self, scheduler: object) -> None:
        await asyncio.sleep(3600)


async def main(kind: type[scheduler.Scheduler]) -> None:
    ticks = 0

    async def nothing_due(now: datetime) -> list[scheduler.Due]:
        nonlocal ticks
        ticks += 1
        return []

    async def ask(command: object) -> None:
        raise AssertionError(command)

    scheduled = kind(
        now=lambda: datetime.now(UTC),
        due=nothing_due,
        ask=ask,
        lock=lambda: nullcontext(True),
        tick_seconds=TICK_SECONDS,
    )
    running = asyncio.create_task(scheduled.run())
    await asyncio.sleep(5 * TICK_SECONDS)
    before, SteppingWall.step = ticks, timedelta(hours=-1)
    await asyncio.sleep(15 * TICK_SECONDS)
    running.cancel()
    sys.stdout.write(f"{before} {ticks - before}\n")


if __name__ == "__main__":
    log_to_stderr("scheduler")
    for module in (apscheduler.schedulers.base, apscheduler.triggers.interval, apscheduler.executors.base):
        module.datetime = SteppingWall
    asyncio.run(main(Unwatched if "unwatched" in sys.argv else scheduler.Scheduler))

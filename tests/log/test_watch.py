"""Whoever watches a desk learns how its batches went and what failed."""

from collections.abc import Sequence

import pytest
from tests.conftest import TestDatabase
from tests.log import doors
from tests.log.desks import KEY, SUBDISTRICT, HandClock, all_of, ask, writer
from tests.log.doors import Knock, Stumble

from booking import desk as desk_module
from booking.desk import ClockBehind, Desk, NotDone, QueueFull
from booking.messages import Answer, Outcome
from booking.vault import Vault

pytestmark = pytest.mark.asyncio


class Kept:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.batches: list[list[Outcome]] = []
        self.seconds: list[float] = []
        self.failures: list[type[Exception]] = []

    def committed(self, answers: Sequence[Answer], seconds: float) -> None:
        self.batches.append([answer.outcome for answer in answers])
        self.seconds.append(seconds)

    def failed(self, fault: Exception) -> None:
        self.failures.append(type(fault))


def watched(database: TestDatabase, kept: Kept, clock: HandClock) -> Desk:
    return Desk(doors, doors.codec(), Vault(SUBDISTRICT, [KEY]), lambda: writer(database), clock, watch=kept)


async def test_a_batch_is_told_once_it_is_committed(log_database: TestDatabase) -> None:
    kept = Kept()
    async with watched(log_database, kept, HandClock()) as desk:
        await all_of(desk, ask(Knock()), ask(Knock(most=0)), ask(Stumble()), ask(Knock()))
    assert kept.batches == [[Outcome.DONE, Outcome.REFUSED, Outcome.DONE]]
    assert kept.seconds[0] > 0
    assert kept.failures == [RuntimeError]


async def test_every_fault_is_told(log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, clock = Kept(), HandClock()
    async with watched(log_database, kept, clock) as desk:
        await desk.ask(ask(Knock()))
        clock.pass_(seconds=-61)
        with pytest.raises(ClockBehind):
            await desk.ask(ask(Knock()))
        monkeypatch.setattr(desk_module, "QUEUE_MAX", 0)
        with pytest.raises(QueueFull):
            await desk.ask(ask(Knock()))
    with pytest.raises(NotDone):
        await desk.ask(ask(Knock()))
    assert kept.failures == [ClockBehind, QueueFull, NotDone]

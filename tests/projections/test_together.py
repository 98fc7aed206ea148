"""Many who ask at once share a statement, and nobody is told what was so before they asked."""

import asyncio
from collections.abc import Sequence

import pytest

from projections import together
from projections.together import Together

pytestmark = pytest.mark.asyncio


class Slow:
    """Answers with how often it had been asked, when a test lets it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.let = asyncio.Event()

    async def __call__(self, asked: Sequence[str]) -> list[tuple[str, int]]:
        self.asked.append(list(asked))
        number = len(self.asked)
        await self.let.wait()
        return [(one, number) for one in asked]


async def test_those_who_come_while_one_is_on_its_way_share_the_next() -> None:
    slow = Slow()
    together_ = Together(slow)
    first = asyncio.create_task(together_.ask("first"))
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(together_.ask(name)) for name in ("second", "third", "second")]
    await asyncio.sleep(0.01)
    slow.let.set()
    assert await first == ("first", 1)
    assert await asyncio.gather(*later) == [("second", 2), ("third", 2), ("second", 2)]
    assert await together_.ask("fourth") == ("fourth", 3)
    assert slow.asked == [["first"], ["second", "third", "second"], ["fourth"]]


async def test_what_fails_fails_those_whom_it_was_to_answer_and_no_later_one() -> None:
    tries = 0

    async def once_broken(asked: Sequence[str]) -> list[str]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        return list(asked)

    together_ = Together(once_broken)
    told = await asyncio.gather(together_.ask("a"), together_.ask("b"), return_exceptions=True)
    assert [type(one) for one in told] == [OSError, OSError]
    assert await together_.ask("c") == "c"


async def test_whoever_leaves_takes_nobody_along() -> None:
    slow = Slow()
    together_ = Together(slow)
    leaves, stays = (asyncio.create_task(together_.ask(name)) for name in ("leaves", "stays"))
    await asyncio.sleep(0.01)
    leaves.cancel()
    await asyncio.sleep(0.01)
    slow.let.set()
    assert await stays == ("stays", 1)
    assert leaves.cancelled()


async def test_no_statement_is_about_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "TOGETHER_MAX", 2)
    slow = Slow()
    slow.let.set()
    together_ = Together(slow)
    await asyncio.gather(*map(together_.ask, "abcde"))
    assert slow.asked == [["a", "b"], ["c", "d"], ["e"]]

"""Many who ask at once share a statement: one is on its way at a time, and the next takes everybody who came meanwhile.

So an answer is never older than its question: whoever asks while a statement is on its way waits for the next one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

# A statement about so many takes some milliseconds; who comes after them waits for one more.
TOGETHER_MAX = 512

One = TypeVar("One")
Answer = TypeVar("Answer")


class Together(Generic[One, Answer]):
    """`answer` takes what was asked, in the order in which it was, and gives an answer for each, within bounded time.

    What it raises is raised to everybody whom it was to answer.
    """

    def __init__(self, answer: Callable[[Sequence[One]], Awaitable[Sequence[Answer]]]) -> None:
        self._answer = answer
        self._waiting: deque[tuple[One, asyncio.Future[Answer]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, one: One) -> Answer:
        """The answer to this one, from a statement that begins after this call."""
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, told))
        if self._task is None:
            # A task of its own: who comes in this turn of the loop is still taken along, and nobody's leaving ends it.
            self._task = asyncio.create_task(self._work())
        return await told

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._serve([self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))])
        finally:
            self._task = None

    async def _serve(self, asked: Sequence[tuple[One, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._answer([one for one, _ in asked])
        except Exception as error:  # noqa: BLE001 - it is raised to each of those who asked
            for _, told in asked:
                if not told.done():
                    told.set_exception(error)
            return
        except BaseException:
            for _, told in (*asked, *self._waiting):
                told.cancel()
            raise
        for (_, told), answer in zip(asked, answers, strict=True):
            # Who has left is not told.
            if not told.done():
                told.set_result(answer)

"""Throws away what is kept for a time only: old answers, counts of refusals, budgets, sessions. Never the log."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import structlog

from booking import answers
from linyue.identity import Identity

# Each round reads through the table of answers once, so it is not done often.
ROUND_SECONDS = 6 * 3_600
PAUSE_SECONDS = 0.1

log = structlog.get_logger()


class Housekeeper:
    """Keeps house for a subdistrict: `acquire` lends a connection of the app's role, `now` tells the time in UTC."""

    def __init__(
        self,
        subdistrict: str,
        acquire: Callable[[], AbstractAsyncContextManager[answers.Connection]],
        identity: Identity,
        now: Callable[[], datetime],
    ) -> None:
        self._subdistrict = subdistrict
        self._acquire = acquire
        self._identity = identity
        self._now = now

    async def run(self) -> None:
        """A round now and then until cancelled; one that fails is tried again at the next."""
        while True:
            try:
                log.info("house_kept", forgotten=await self.one_round())
            except Exception:
                log.exception("house_not_kept")
            await asyncio.sleep(ROUND_SECONDS)

    async def one_round(self) -> int:
        """Forget all that is past its time, in short steps; returns how many answers and counts that were."""
        until = self._now() - timedelta(days=answers.KEPT_DAYS)
        forgotten = 0
        for forget in (answers.forget_before, answers.forget_refusals_before):
            gone = 1
            while gone:
                async with self._acquire() as connection:
                    gone = await forget(connection, self._subdistrict, until)
                forgotten += gone
                await asyncio.sleep(PAUSE_SECONDS)
        await self._identity.forget()
        return forgotten

"""The subdistrict served in a thread of its own, for tests that are not asynchronous: hypothesis knows no loop."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from tests.conftest import TestDatabase
from tests.http.conftest import Served, serving

T = TypeVar("T")


class Running:
    """`served` is the subdistrict, and `run` does something with it."""

    def __init__(self, database: TestDatabase, data: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._begun: Future[Served] = Future()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(database, data),))
        self._thread.start()
        self.served = self._begun.result(timeout=60)

    async def _serve(self, database: TestDatabase, data: Path) -> None:
        try:
            async with serving(database, data) as served:
                self._begun.set_result(served)
                await self._ended.wait()
        except BaseException as error:
            if not self._begun.done():
                self._begun.set_exception(error)
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(timeout=60)
        self._loop.close()

    def run(self, work: Coroutine[None, None, T], seconds: int = 30) -> T:
        """What a coroutine gives, run beside the service."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=seconds)

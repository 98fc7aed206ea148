"""What a batch leaves, on its way into the database while the rest of the batch is decided: all in one transaction."""

import asyncio
from datetime import datetime
from types import TracebackType

from booking import answers, log
from booking.batch import Writes
from booking.vault import Vault


class Sending:
    """Sends the writes of one batch behind `head`, step by step. Use it as a context: nothing is under way after it.

    `head` moves on with what was sent.
    """

    def __init__(self, connection: log.Connection, vault: Vault, head: log.Head, now: datetime) -> None:
        self.head = head
        self._connection = connection
        self._vault = vault
        self._now = now
        self._entries = 0
        self._kept = 0
        self._under_way: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Sending":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._under_way is not None:
            # Something else went wrong meanwhile: the transaction goes with its connection.
            self._connection.terminate()
            await asyncio.wait([self._under_way])
            self._under_way.cancelled() or self._under_way.exception()

    async def send(self, writes: Writes) -> None:
        """Begin to write the events and answers decided since the last call; raises what writing those before did."""
        await self._arrived()
        self._under_way = asyncio.create_task(self._write(writes))
        # So that it is on its way when the caller goes on deciding.
        await asyncio.sleep(0)

    async def end(self, writes: Writes) -> None:
        """Wait for what is under way, and write what a batch leaves beside events and answers."""
        await self._arrived()
        subdistrict = self._vault.subdistrict
        if writes.refusals:
            await answers.keep_refusals(self._connection, subdistrict, writes.refusals)
        if writes.repeats:
            await answers.count_refusals(self._connection, subdistrict, writes.repeats)
        if writes.filed:
            await self._vault.write(self._connection, self._now, writes.filed)

    async def _arrived(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            await under_way

    async def _write(self, writes: Writes) -> None:
        entries, kept = writes.entries[self._entries :], writes.kept[self._kept :]
        self._entries, self._kept = len(writes.entries), len(writes.kept)
        if entries:
            self.head = await log.append(self._connection, self._vault.subdistrict, self.head, entries)
        if kept:
            await answers.keep(self._connection, self._vault.subdistrict, self._now, kept)

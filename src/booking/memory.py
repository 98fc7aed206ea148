"""What a desk knows between its batches: the states that it was asked for, and the event that they reflect.

Under the lock it first learns what others have appended since, so that a kept state never differs from one that is read
anew. It is lent to one batch at a time and given back only once that batch was committed: what was decided and then
undone is forgotten with all the rest.
"""

from collections.abc import Sequence

import structlog

from booking import log
from booking.codec import Codec
from booking.messages import Recorded, unique
from booking.state import State

SIZE_MAX = 100_000
"""Events kept, each counted under every tag that is kept, and the tags: about 100 MB at the most."""
BEHIND_MAX = 1_000
"""Whoever is farther behind reads anew what is asked for: that is less than to learn all that happened."""

logger = structlog.get_logger()


class Memory:
    """Belongs to one desk. With a `size_max` of 0 nothing is kept, and every batch reads all that it needs."""

    def __init__(self, codec: Codec, size_max: int = SIZE_MAX) -> None:
        self._codec = codec
        self._size_max = size_max
        self._state: State | None = None
        self._reflects: log.Head | None = None

    async def lend(self, connection: log.Connection, head: log.Head) -> State:
        """What is known at `head`, read under the lock. The memory is empty until something is kept again."""
        state, reflects = self._state, self._reflects
        self._state = self._reflects = None
        if state is None or reflects is None:
            return State()
        behind = head.position - reflects.position
        if behind == 0:
            return state if head.hash == reflects.hash else State()
        if not 0 < behind <= BEHIND_MAX:
            return State()
        rows = await log.follow(connection, self._codec.subdistrict, reflects.position, behind)
        if not _leads(reflects, rows, head):
            return State()
        return self._moved_on(state, rows)

    def keep(self, state: State, head: log.Head) -> None:
        """Take back what was lent, once all that moved it on to `head` is in the log for good."""
        if self._size_max:
            state.forget(self._size_max)
            self._state, self._reflects = state, head

    def _moved_on(self, state: State, rows: Sequence[log.Row]) -> State:
        try:
            for row in rows:
                recorded: Recorded = self._codec.decode(row.data)
                state.evolve(recorded, unique(recorded.tags()))
        except Exception as error:  # noqa: BLE001 - whoever needs what cannot be understood is told when it is read
            logger.warning("memory_dropped", error=repr(error))
            return State()
        return state


def _leads(reflects: log.Head, rows: Sequence[log.Row], head: log.Head) -> bool:
    """Whether these events lead from the one to the other; not so where a server was set back to an older state."""
    if not rows or (rows[-1].position, rows[-1].hash) != (head.position, head.hash):
        return False
    return log.next_hash(reflects.hash, rows[0].data) == rows[0].hash

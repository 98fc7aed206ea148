"""The desk of a subdistrict: the commands that wait are one batch, decided under the log's lock and committed at once.

What a caller is told is true: an answer stands in the log; `NotDone` never will; `Unknown` may, and asking again with
the same key tells.
"""

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import structlog

from booking import answers, log
from booking.batch import Batch, Spoilt, Subjects
from booking.codec import Codec
from booking.memory import Memory
from booking.messages import Answer, Ask, Recorded, derived_id
from booking.sending import Sending
from booking.state import NotRead, State, TagRange
from booking.vault import Vault
from booking.waiting import ClockBehind, DeskFault, NotDone, QueueFull, Unknown, Waiting
from booking.watch import Unwatched, Watch
from booking.writer import Connect, Connection, Writer, is_passing, pause

QUEUE_MAX = 2_000
BATCH_MAX = 256
SENT_AT_ONCE = 32
"""While the database writes what so many commands led to, the next of the batch are decided."""
WAIT_SECONDS = 5.0
CLOSE_SECONDS = 10.0
ROUNDS_MAX = 2
TRIES_MAX = 15
BEHIND_MAX = timedelta(seconds=60)

logger = structlog.get_logger()

__all__ = [
    "BATCH_MAX", "QUEUE_MAX", "WAIT_SECONDS", "ClockBehind", "Desk", "DeskFault", "NotDone", "QueueFull", "Unknown",
    "fingerprint", "new_command_id", "new_person_id", "sealed_text_key",
]  # fmt: skip


class Desk:
    """The one way into a subdistrict's log, for one process; any number of processes may have one.

    `connect` opens a connection with the log's `WRITER_SETTINGS`; `clock` is the time in UTC. A `memory` is this
    desk's alone.
    """

    def __init__(
        self,
        subjects: Subjects,
        codec: Codec,
        vault: Vault,
        connect: Connect,
        clock: Callable[[], datetime],
        *,
        watch: Watch | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.subdistrict = codec.subdistrict
        self._subjects = subjects
        self._codec = codec
        self._vault = vault
        self._memory = Memory(codec) if memory is None else memory
        self._writer = Writer(codec.subdistrict, connect)
        self._clock = clock
        self._watch = watch or Unwatched()
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._in_hand: list[Waiting] = []
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many commands are in the queue."""
        return len(self._queue)

    async def __aenter__(self) -> "Desk":
        self._task = asyncio.create_task(self._work(), name=f"desk of {self.subdistrict}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop after the batch in hand, for which CLOSE_SECONDS are left; what still waits was not done."""
        self._closing = True
        self._arrived.set()
        for waiting in self._queue:
            waiting.tell(NotDone("the desk is closing"))
        try:
            if self._task:
                await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        for waiting in (*self._in_hand, *self._queue):
            waiting.leave()
        self._queue.clear()
        self._writer.drop()

    async def ask(self, ask: Ask, wait_seconds: float = WAIT_SECONDS) -> Answer:
        """The answer to a command, once it is durable.

        Raises `QueueFull`, `ClockBehind` or `NotDone` where nothing happened, `Unknown` where it may have.
        What a decider raises by mistake is raised here, to this caller alone.
        """
        try:
            return await self._answer_to(ask, wait_seconds)
        except Exception as fault:
            self._watch.failed(fault)
            raise

    async def _answer_to(self, ask: Ask, wait_seconds: float) -> Answer:
        if self._closing:
            raise NotDone("the desk is closed")
        if len(self._queue) >= QUEUE_MAX:
            raise QueueFull(f"{QUEUE_MAX} commands wait")
        waiting = Waiting(ask)
        self._queue.append(waiting)
        self._arrived.set()
        too_long = asyncio.get_running_loop().call_later(wait_seconds, self._withdraw, waiting)
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            # What nobody waits for is not begun.
            self._withdraw(waiting)
            raise
        finally:
            too_long.cancel()

    def _withdraw(self, waiting: Waiting) -> None:
        waiting.leave()
        if waiting in self._queue:
            self._queue.remove(waiting)

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if self._closing:
                return
            self._in_hand = self._next_batch()
            if self._in_hand:
                await self._serve(self._in_hand)
            else:
                self._arrived.clear()
            self._in_hand = []

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        while self._queue and len(batch) < BATCH_MAX:
            if batch and (batch[0].alone or self._queue[0].alone):
                break
            waiting = self._queue.popleft()
            if not waiting.told:
                batch.append(waiting)
        return batch

    async def _serve(self, batch: list[Waiting]) -> None:
        """Carry out a batch. Whatever happens, each of its commands is told the truth or waits again."""
        try:
            if not await self._carry_out(batch):
                await self._again(batch)
        except ClockBehind as error:
            logger.exception("clock_behind")
            self._writer.drop()
            for waiting in batch:
                waiting.tell(error)
        except Spoilt:
            # Its command was told. Nothing was committed: the others are decided anew.
            logger.exception("batch_spoilt_by_a_command")
            self._writer.drop()
            self._put_back(batch)
        except Exception as error:
            # Nothing was committed, as COMMIT raises nothing: the connection is dropped with its transaction.
            self._writer.drop()
            if is_passing(error):
                logger.warning("desk_batch_failed", error=repr(error), commands=len(batch))
                await self._again(batch)
            else:
                logger.exception("desk_batch_fault", commands=len(batch))
                self._find_the_faulty(batch, error)

    def _find_the_faulty(self, batch: list[Waiting], error: Exception) -> None:
        """It is the fault of what one of them asks: each is decided alone, and that one fails alone."""
        if len(batch) == 1:
            fault = NotDone("it could not be carried out")
            fault.__cause__ = error
            batch[0].tell(fault)
        for waiting in batch:
            waiting.alone = True
        self._put_back(batch)

    def _put_back(self, batch: list[Waiting]) -> None:
        """Whoever was not told anything waits at the head of the queue, in the same order."""
        for waiting in batch:
            waiting.decided = False
        self._queue.extendleft(waiting for waiting in reversed(batch) if not waiting.told)

    async def _again(self, batch: list[Waiting]) -> None:
        """Decide a batch anew in a while, a limited number of times."""
        for waiting in batch:
            waiting.tries += 1
            if waiting.tries >= TRIES_MAX:
                waiting.tell(NotDone("the database did not take it"))
        self._put_back(batch)
        await pause(max(waiting.tries for waiting in batch) - 1)

    async def _carry_out(self, batch: list[Waiting]) -> bool:
        """Whether the batch was committed, and everybody told."""
        began = asyncio.get_running_loop().time()
        connection = await self._writer.begin()
        head = await log.head(connection, self.subdistrict)
        now = self._now(head)
        state = await self._memory.lend(connection, head)
        kept, refusals = await self._read(connection, batch, state, now)
        decisions = Batch(self._subjects, self._codec, state, head.position, now, kept=kept, refusals=refusals)
        async with Sending(connection, self._vault, head, now) as sending:
            answered, early = await self._decide_all(batch, decisions, sending)
        after = sending.head if decisions.writes.entries else None
        if not await self._writer.commit(connection, after):
            return False
        self._memory.keep(state, after or head)
        for waiting, answer in answered:
            waiting.tell(answer)
        self._put_back(early)
        self._watch.committed([answer for _, answer in answered], asyncio.get_running_loop().time() - began)
        await self._writer.wake_followers(more_to_come=bool(self._queue))
        return True

    def _now(self, head: log.Head) -> datetime:
        """Never before the log's last event: time in the log does not run backwards."""
        clock = self._clock()
        if head.data is None:
            return clock
        last = self._codec.decode(head.data).at
        if last - clock > BEHIND_MAX:
            raise ClockBehind(f"the clock says {clock}, the log's last event {last}")
        return max(clock, last)

    async def _read(
        self, connection: Connection, batch: list[Waiting], state: State, now: datetime
    ) -> tuple[list[answers.Kept], dict[bytes, answers.KnownRefusal]]:
        """What the batch's commands need to have read, under the lock: tags in two rounds, answers, refusals.

        While the database looks for the answers, it is worked out which tags are wanted.
        """
        on_its_way = asyncio.create_task(self._read_answers(connection, batch))
        try:
            await asyncio.sleep(0)
            asking = self._asking(batch, state, now)
        except BaseException:
            on_its_way.cancel()
            raise
        finally:
            await asyncio.wait([on_its_way])
        for _ in range(ROUNDS_MAX):
            if not asking:
                break
            await self._read_tags(connection, {tag for _, unknown in asking for tag in unknown}, state)
            asking = self._asking([waiting for waiting, _ in asking], state, now)
        return on_its_way.result()

    async def _read_answers(
        self, connection: Connection, batch: list[Waiting]
    ) -> tuple[list[answers.Kept], dict[bytes, answers.KnownRefusal]]:
        keys = {(w.ask.asker.id, w.ask.key) for w in batch if w.ask.key is not None}
        kept = await answers.known(connection, self.subdistrict, sorted(keys))
        samenesses = {w.sameness for w in batch if w.sameness is not None}
        refusals = await answers.known_refusals(connection, self.subdistrict, list(samenesses))
        return kept, dict(refusals)

    async def _read_tags(self, connection: Connection, unknown: set[str | TagRange], state: State) -> None:
        tags = sorted(tag for tag in unknown if isinstance(tag, str))
        ranges = sorted(tag for tag in unknown if isinstance(tag, TagRange))
        decoded: dict[int, Recorded] = {}
        found: dict[str, list[Recorded]] = {}
        for tag, position, data in await log.read(connection, self.subdistrict, tags, ranges):
            if position not in decoded:
                decoded[position] = self._codec.decode(data)
            found.setdefault(tag, []).append(decoded[position])
        state.add(tags, ranges, found)

    def _asking(
        self, waiting: list[Waiting], state: State, now: datetime
    ) -> list[tuple[Waiting, list[str | TagRange]]]:
        """Who names tags that nobody has read, and which. They alone may name others once those are read."""
        asked = [(one, self._unknown(one, state, now)) for one in waiting if not one.told]
        return [(one, unknown) for one, unknown in asked if unknown]

    def _unknown(self, waiting: Waiting, state: State, now: datetime) -> list[str | TagRange]:
        """One whose tags cannot be told fails alone; it then has none."""
        try:
            return [tag for tag in self._subjects.tags(waiting.ask, state, now) if not state.asked(tag)]
        except Exception as error:
            logger.exception("tags_failed", command=type(waiting.ask.command).__name__)
            waiting.tell(error)
            return []

    async def _decide_all(
        self, batch: list[Waiting], decisions: Batch, sending: Sending
    ) -> tuple[list[tuple[Waiting, Answer]], list[Waiting]]:
        """The answers, and who asked too early; what they leave is written, though not yet committed."""
        answered: list[tuple[Waiting, Answer]] = []
        early: list[Waiting] = []
        for first in range(0, len(batch), SENT_AT_ONCE):
            told, too_early = self._decide(batch[first : first + SENT_AT_ONCE], decisions)
            answered += told
            early += too_early
            await sending.send(decisions.writes)
        await sending.end(decisions.writes)
        return answered, early

    def _decide(self, batch: list[Waiting], decisions: Batch) -> tuple[list[tuple[Waiting, Answer]], list[Waiting]]:
        """The answers, and who asked too early: one before it in the batch changed what it needs to have read.

        The next batch begins with those. The first of them is decided before anything changes, so that all have a turn.
        """
        answered: list[tuple[Waiting, Answer]] = []
        early: list[Waiting] = []
        for waiting in batch:
            if waiting.told:
                continue
            try:
                answered.append((waiting, decisions.decide(waiting.ask)))
                waiting.decided = True
            except Spoilt as error:
                waiting.tell(error)
                raise
            except Exception as error:
                if isinstance(error, NotRead) and decisions.writes.entries:
                    early.append(waiting)
                    continue
                logger.exception("command_failed", command=type(waiting.ask.command).__name__)
                waiting.tell(error)
        return answered, early


def new_command_id() -> str:
    """A command's id: 128 random bits in hex. Deciders make none; what they need is derived from this."""
    return secrets.token_hex(16)


def new_person_id() -> str:
    """A person's id: 100 random bits, as everything that people are known by in the log must be."""
    return derived_id(new_command_id())


def sealed_text_key() -> bytes:
    """A random key of 256 bits for the HMAC of a text."""
    return secrets.token_bytes(32)


def fingerprint(body: object) -> bytes:
    """What tells two request bodies under one key apart: SHA-256 of the canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).digest()

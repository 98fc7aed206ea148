"""The desk of a subdistrict: the commands that wait are one batch, decided under the log's lock and committed at once.

What a caller is told is true: an answer stands in the log; `NotDone` never will; `Unknown` may, and asking again with
the same key tells.
"""

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import msgspec
import structlog

from booking import answers, log
from booking.batch import Batch, Spoilt, Subjects, Writes
from booking.codec import Codec
from booking.messages import Answer, Ask, derived_id
from booking.state import NotRead, State, TagRange
from booking.vault import Vault

Connection: TypeAlias = "asyncpg.Connection[Any]"
Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]

QUEUE_MAX = 2_000
BATCH_MAX = 256
WAIT_SECONDS = 5.0
CLOSE_SECONDS = 10.0
ROUNDS_MAX = 2
TRIES_MAX = 3
BEHIND_MAX = timedelta(seconds=60)
RETRY_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0)

# What a connection raises that was lost, or that the server ended in the middle of something.
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

logger = structlog.get_logger()


class DeskFault(Exception):
    """The desk could not answer; the subclasses say what is true of the command."""


class NotDone(DeskFault):
    """The command was not carried out and will not be: ask again."""


class QueueFull(NotDone):
    """Too many commands wait; this one was not taken: ask again in a moment."""


class ClockBehind(NotDone):
    """The clock is more than a minute behind the log's last event, so nothing is written: set the server's clock."""


class Unknown(DeskFault):
    """The command may have been carried out: ask again with the same key, which tells."""


class Waiting:
    """A command in the queue and the future of its answer; `decided` in a batch until that is known to be undone."""

    __slots__ = ("answer", "ask", "decided", "deferred", "tries")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.decided = False
        self.deferred = False
        self.tries = 0

    def tell(self, answer: Answer | BaseException) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Answer):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)
            # A caller who has left does not fetch it, and that is no fault to report.
            self.answer.exception()


class Desk:
    """The one way into a subdistrict's log, for one process; any number of processes may have one.

    `connect` opens a connection with the log's `WRITER_SETTINGS`; `clock` is the time in UTC.
    """

    def __init__(
        self, subjects: Subjects, codec: Codec, vault: Vault, connect: Connect, clock: Callable[[], datetime]
    ) -> None:
        self.subdistrict = codec.subdistrict
        self._subjects = subjects
        self._codec = codec
        self._vault = vault
        self._connect = connect
        self._clock = clock
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many commands are in the queue."""
        return len(self._queue)

    async def __aenter__(self) -> "Desk":
        self._task = asyncio.create_task(self._work(), name=f"desk of {self.subdistrict}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop after the batch in hand; what still waits was not done."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        while self._queue:
            self._queue.popleft().tell(NotDone("the desk is closing"))
        await self._drop_connection()

    async def ask(self, ask: Ask, wait_seconds: float = WAIT_SECONDS) -> Answer:
        """The answer to a command, once it is durable.

        Raises `QueueFull`, `ClockBehind` or `NotDone` where nothing happened, `Unknown` where it may have.
        What a decider raises by mistake is raised here, to this caller alone.
        """
        if len(self._queue) >= QUEUE_MAX:
            raise QueueFull(f"{QUEUE_MAX} commands wait")
        waiting = Waiting(ask)
        self._queue.append(waiting)
        self._arrived.set()
        try:
            return await asyncio.wait_for(asyncio.shield(waiting.answer), wait_seconds)
        except TimeoutError:
            if waiting.decided:
                raise Unknown(f"no answer within {wait_seconds} s") from None
            # Not decided, and now never will be: a batch leaves out whoever has been told.
            waiting.tell(NotDone("withdrawn"))
            raise NotDone(f"not reached within {wait_seconds} s") from None

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._next_batch()
            if not batch:
                self._arrived.clear()
                continue
            # A batch in hand is finished even when the desk is told to stop: nobody may be left without the truth.
            task = asyncio.create_task(self._serve(batch))
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                await asyncio.gather(task, return_exceptions=True)
                raise

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        while self._queue and len(batch) < BATCH_MAX:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _serve(self, batch: list[Waiting]) -> None:
        """Carry out a batch. Whatever happens, each of its commands is answered or waits again."""
        try:
            await self._carry_out(batch)
        except ClockBehind as error:
            await self._drop_connection()
            for waiting in batch:
                waiting.tell(error)
        except Spoilt:
            logger.exception("batch_spoilt_by_a_command")
            await self._drop_connection()
            await self._again([waiting for waiting in batch if not waiting.answer.done()])
        except (*LOST, log.LogForked) as error:
            # Nothing was committed: the connection is dropped with its transaction, and the commands are decided anew.
            logger.warning("desk_batch_failed", error=repr(error), commands=len(batch))
            await self._drop_connection()
            await self._again(batch)
        except Exception as error:
            logger.exception("desk_batch_fault", commands=len(batch))
            await self._drop_connection()
            for waiting in batch:
                waiting.tell(error)

    async def _again(self, batch: list[Waiting]) -> None:
        for waiting in reversed(batch):
            waiting.tries += 1
            waiting.decided = False
            if waiting.tries < TRIES_MAX * len(RETRY_SECONDS):
                self._queue.appendleft(waiting)
            else:
                waiting.tell(NotDone("the database did not take it"))
        self._arrived.set()
        tries = max((waiting.tries for waiting in batch), default=1)
        await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS)) - 1])

    async def _carry_out(self, batch: list[Waiting]) -> None:
        connection = self._connection = self._connection or await self._connect()
        await log.begin_and_lock(connection, self.subdistrict)
        head = await log.head(connection, self.subdistrict)
        now = self._now(head)
        state = State()
        kept, refusals = await self._read(connection, batch, state, now)
        decisions = Batch(self._subjects, self._codec, state, head.position, now, kept=kept, refusals=refusals)
        answered = self._decide(batch, decisions)
        after = await self._write(connection, head, decisions.writes, now)
        if not await self._commit(connection, after):
            await self._again([waiting for waiting, _ in answered])
            return
        for waiting, answer in answered:
            waiting.tell(answer)
        if after is not None:
            await self._wake(connection)

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
        """What the batch's commands need to have read, under the lock: tags in two rounds, answers, refusals."""
        keys = {(w.ask.asker.id, w.ask.key) for w in batch if w.ask.key is not None}
        kept = await answers.known(connection, self.subdistrict, sorted(keys))
        samenesses = {w.ask.sameness() for w in batch}
        refusals = await answers.known_refusals(connection, self.subdistrict, list(samenesses))
        decoded: dict[int, Any] = {}
        for _ in range(ROUNDS_MAX):
            asked = {tag for w in batch for tag in self._tags(w, state, now)}
            tags = sorted(tag for tag in asked if isinstance(tag, str) and not state.has(tag))
            ranges = sorted(tag for tag in asked if isinstance(tag, TagRange) and not state.has_range(tag))
            if not tags and not ranges:
                break
            found: dict[str, list[Any]] = {}
            for tag, position, data in await log.read(connection, self.subdistrict, tags, ranges):
                if position not in decoded:
                    decoded[position] = self._codec.decode(data)
                found.setdefault(tag, []).append(decoded[position])
            state.add(tags, ranges, found)
        return kept, dict(refusals)

    def _tags(self, waiting: Waiting, state: State, now: datetime) -> list[str | TagRange]:
        """A command whose tags cannot be told fails alone; it then has none."""
        try:
            return list(self._subjects.tags(waiting.ask, state, now))
        except Exception as error:
            logger.exception("tags_failed", command=type(waiting.ask.command).__name__)
            waiting.tell(error)
            return []

    def _decide(self, batch: list[Waiting], decisions: Batch) -> list[tuple[Waiting, Answer]]:
        answered: list[tuple[Waiting, Answer]] = []
        for waiting in batch:
            if waiting.answer.done():
                continue
            try:
                answered.append((waiting, decisions.decide(waiting.ask)))
                # From here on a caller who gives up is told `Unknown`: this and the look at it are one step each.
                waiting.decided = True
            except NotRead as error:
                self._defer(waiting, error)
            except Spoilt as error:
                waiting.tell(error)
                raise
            except Exception as error:
                logger.exception("command_failed", command=type(waiting.ask.command).__name__)
                waiting.tell(error)
        return answered

    def _defer(self, waiting: Waiting, error: NotRead) -> None:
        """A command before it in the batch changed what it needs to know: once, the next batch begins with it."""
        if waiting.deferred:
            logger.error("tag_not_named", command=type(waiting.ask.command).__name__, tag=str(error))
            waiting.tell(error)
            return
        waiting.deferred = True
        self._queue.appendleft(waiting)
        self._arrived.set()

    async def _write(self, connection: Connection, head: log.Head, writes: Writes, now: datetime) -> log.Head | None:
        """All that the batch leaves behind, in one transaction. Returns the new head; None where no event was made."""
        after = await log.append(connection, self.subdistrict, head, writes.entries) if writes.entries else None
        if writes.kept:
            await answers.keep(connection, self.subdistrict, now, writes.kept)
        if writes.refusals:
            await answers.keep_refusals(connection, self.subdistrict, writes.refusals)
        if writes.repeats:
            await answers.count_refusals(connection, self.subdistrict, writes.repeats)
        if writes.filed:
            await self._vault.write(connection, now, writes.filed)
        return after

    async def _commit(self, connection: Connection, after: log.Head | None) -> bool:
        """Whether the batch is in the log for good. No time-out and no cancel is ever put on COMMIT."""
        try:
            await connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, the server may have committed
            logger.warning("commit_without_answer", error=repr(error))
            await self._drop_connection()
            return after is not None and await self._learn_the_truth(after)
        return True

    async def _learn_the_truth(self, after: log.Head) -> bool:
        """Under the lock, taken anew, no writer is under way: what was sent is there with its hash or never will be."""
        tries = 0
        while True:
            try:
                connection = self._connection = self._connection or await self._connect()
                await log.begin_and_lock(connection, self.subdistrict)
                done = await log.hash_at(connection, self.subdistrict, after.position) == after.hash
                # What is there may not be on disk yet. A later commit of our own that has returned proves that it is.
                await log.prove_durable(connection)
                await connection.execute("COMMIT")
            except LOST as error:
                logger.warning("truth_not_learnt_yet", error=repr(error))
                await self._drop_connection()
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
            else:
                return done

    async def _wake(self, connection: Connection) -> None:
        try:
            await log.wake_followers(connection, self.subdistrict)
        except LOST:
            # They poll as well; the next batch connects anew.
            await self._drop_connection()

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


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

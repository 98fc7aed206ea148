"""What every process counts for Prometheus: how the desk does, what is refused and why, what callers are answered.

Each counts into its own files (`linyue.counting`); who asks any worker is told of all (`linyue.scrape`). Nothing here
names a person, a booking or an address.
"""

import asyncio
import os
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
from litestar.types import Message, Scope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from booking.desk import BATCH_MAX, ClockBehind, Desk, NotDone, QueueFull, Unknown
from booking.messages import Answer, Outcome
from linyue.counting import FOLDER_SETTING, file_name, place
from linyue.words.rules import RULES

SAMPLE_SECONDS = 1.0

_FILES = file_name(place())
if FOLDER_SETTING in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: _FILES)  # type: ignore[no-untyped-call]

COUNTED = CollectorRegistry()
ANSWERS = Counter("linyue_http_answers", "HTTP requests answered, by status.", ["status"], registry=COUNTED)
BATCH_COMMANDS = Histogram(
    "linyue_desk_batch_commands",
    "Commands in one batch of the desk, which is one transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, BATCH_MAX),
    registry=COUNTED,
)
BATCH_SECONDS = Histogram(
    "linyue_desk_batch_seconds",
    "From asking for the log's lock until a batch was committed.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=COUNTED,
)
COMMANDS = Counter("linyue_desk_commands", "Commands that the desk answered, by how.", ["outcome"], registry=COUNTED)
REFUSALS = Counter("linyue_refusals", "Refused requests, once for every rule that said no.", ["rule"], registry=COUNTED)
FAULTS = Counter("linyue_desk_faults", "Commands that got no answer, by why.", ["kind"], registry=COUNTED)
QUEUE = Gauge(
    "linyue_desk_queue",
    "Commands that wait for their batch, in all processes.",
    multiprocess_mode="livesum",
    registry=COUNTED,
)
PROCESSES = Gauge(
    "linyue_processes", "Processes that run now, by kind.", ["kind"], multiprocess_mode="livesum", registry=COUNTED
)
STARTS = Counter(
    "linyue_process_starts", "How often a process was started at each place.", ["process"], registry=COUNTED
)

# A worker asks itself each second whether it is well; that is nobody's request.
_WATCHERS = ("/health/", "/metrics")

# The closest first. What is none of these was raised by a decider: a mistake in the program.
_KINDS: Mapping[type[Exception], str] = {
    QueueFull: "queue_full",
    ClockBehind: "clock_behind",
    Unknown: "unknown",
    NotDone: "not_done",
    Exception: "mistake",
}
# From the start, or the first of its kind would be no increase. A rule with a dot is a wording of the one before it.
_COMMANDS = {outcome: COMMANDS.labels(outcome.name.lower()) for outcome in Outcome}
_FAULTS = {kind: FAULTS.labels(kind) for kind in _KINDS.values()}
_REFUSALS = {rule: REFUSALS.labels(rule) for rule in RULES if "." not in rule}
_ANSWERS = {status: ANSWERS.labels(status) for status in (200, 201, 303, 400, 401, 403, 404, 409, 422, 429, 500, 503)}


class _Rule(msgspec.Struct, frozen=True):
    rule: str


class _Reasons(msgspec.Struct, frozen=True):
    """Of a refusal's body, which rules said no."""

    reasons: tuple[_Rule, ...]


class DeskWatch:
    """Counts what a desk does. Given to it by `linyue.wiring`, as booking does not know who counts."""

    def committed(self, answers: Sequence[Answer], seconds: float) -> None:
        BATCH_COMMANDS.observe(len(answers))
        BATCH_SECONDS.observe(seconds)
        for outcome, count in Tally(answer.outcome for answer in answers).items():
            _COMMANDS[outcome].inc(count)
        for rule, count in Tally(_broken(answers)).items():
            (_REFUSALS.get(rule) or REFUSALS.labels(rule)).inc(count)

    def failed(self, fault: Exception) -> None:
        _FAULTS[next(kind for type_, kind in _KINDS.items() if isinstance(fault, type_))].inc()


def _broken(answers: Sequence[Answer]) -> Iterator[str]:
    for answer in answers:
        if answer.outcome is Outcome.REFUSED:
            yield from (reason.rule for reason in msgspec.json.decode(answer.body, type=_Reasons).reasons)


async def count_answer(message: Message, scope: Scope) -> None:
    """For Litestar's `before_send`: whatever is answered, also where no handler was reached, but to those who watch."""
    if message["type"] == "http.response.start" and not scope["path"].startswith(_WATCHERS):
        status = message["status"]
        (_ANSWERS.get(status) or ANSWERS.labels(status)).inc()


@asynccontextmanager
async def present(kind: str) -> AsyncIterator[None]:
    """This process is one of `kind`, and runs: it started once more at its place."""
    STARTS.labels(place()).inc()
    running = PROCESSES.labels(kind)
    running.set(1)
    try:
        yield
    finally:
        running.set(0)


@asynccontextmanager
async def queue_of(desk: Desk) -> AsyncIterator[None]:
    """Look each second how many wait at a desk: each command would be a price, and a queue that matters lasts."""

    async def look() -> None:
        while True:
            QUEUE.set(desk.waiting)
            await asyncio.sleep(SAMPLE_SECONDS)

    looking = asyncio.create_task(look(), name="length of the queue")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        QUEUE.set(0)

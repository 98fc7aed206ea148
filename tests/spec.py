"""given(events).when(command).then(events): a decision told as a story, without I/O.

What was given is encoded and read back by tag, the command is decided by a real batch, what it wrote is decoded: the
deciders, their followers and the codec are the ones that serve.
"""

import difflib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Self

import msgspec
from tests.decisions.gumei import NOW

from booking import subjects
from booking.batch import Batch
from booking.codec import Codec
from booking.messages import (
    SYSTEM,
    Answer,
    Ask,
    Asker,
    Command,
    Denied,
    Event,
    Outcome,
    Reason,
    Recorded,
    Refusal,
    SealedText,
)
from booking.places.events import Room, room_tag
from booking.state import K, State, TagRange

ROUNDS_MAX = 2
CODEC = Codec("gumei", subjects.EVENTS, subjects.UPCASTERS)


class Happened(NamedTuple):
    """An event that was given, when it was recorded and who asked for it."""

    event: Event
    at: datetime
    actor: str


def happened(event: Event, *, at: datetime, actor: str = "system") -> Happened:
    """An event at an instant of its own; those without one happened a week before the decision."""
    return Happened(event, at, actor)


def given(*events: Event | Happened) -> "Given":
    return Given(events)


class Given:
    """A log so far."""

    def __init__(self, events: Iterable[Event | Happened]) -> None:
        told = [e if isinstance(e, Happened) else happened(e, at=NOW - timedelta(days=7)) for e in events]
        self.log = [_recorded(position, one) for position, one in enumerate(told, 1)]

    def when(
        self,
        command: Command,
        *,
        by: Asker = SYSTEM,
        now: datetime = NOW,
        texts: dict[str, SealedText] | None = None,
        id_: str = "ask",
    ) -> "Decided":
        """Decide a command under an id of its own."""
        ask = Ask(id=id_, command=command, asker=by, texts=texts or {})
        batch = Batch(subjects, CODEC, self.state_for(ask, now), len(self.log), now)
        answer = batch.decide(ask)
        return Decided(self.log, answer, [CODEC.decode(entry.data) for entry in batch.writes.entries])

    def state_for(self, ask: Ask, now: datetime) -> State:
        """What the desk would read for this command."""
        return self.state_for_all([ask], now)

    def state_for_all(self, asks: Iterable[Ask], now: datetime) -> State:
        """What the desk would read for a batch: the tags of all, asked twice and never a third time."""
        state = State()
        for _ in range(ROUNDS_MAX):
            wanted = {tag for ask in asks for tag in subjects.tags(ask, state, now)}
            tags = {tag for tag in wanted if isinstance(tag, str)}
            ranges = {tag for tag in wanted if isinstance(tag, TagRange)}
            state.add(tags, ranges, self._found(tags, ranges))
        return state

    def tags_of(self, ask: Ask, now: datetime = NOW) -> set[str | TagRange]:
        """Every tag that the command names, once it has read what it names first."""
        return set(subjects.tags(ask, self.state_for(ask, now), now))

    def state(self, kind: type[K], tag: str) -> K:
        """What the events of a tag make of a state."""
        state = State()
        state.add([tag], [], self._found({tag}, set()))
        return state.at(kind, tag)

    def room(self, room: str) -> Room:
        """A room as it stands."""
        return self.state(Room, room_tag(room))

    def _found(self, tags: set[str], ranges: set[TagRange]) -> dict[str, list[Recorded]]:
        found: dict[str, list[Recorded]] = {}
        for recorded in self.log:
            for tag in recorded.tags():
                if tag in tags or any(tag in range_ for range_ in ranges):
                    found.setdefault(tag, []).append(recorded)
        return found


class Decided:
    """What a command led to. Each `then` fails with the difference."""

    def __init__(self, before: list[Recorded], answer: Answer, events: list[Recorded]) -> None:
        self.before = before
        self.answer = answer
        self.recorded = events

    @property
    def events(self) -> list[Event]:
        return [recorded.event for recorded in self.recorded]

    @property
    def told(self) -> dict[str, object]:
        """The body of the answer."""
        told: dict[str, object] = msgspec.json.decode(self.answer.body)
        return told

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it was refused; fails where it was not."""
        refusals = [event for event in self.events if isinstance(event, Refusal)]
        assert len(refusals) == len(self.events) == 1, f"not refused, but:\n{_shown(self.events)}"
        return refusals[0].reasons

    def then(self, *expected: Event) -> Self:
        """Exactly these events follow; none: nothing needed to change."""
        assert self.answer.outcome is not Outcome.DENIED, f"denied: {self.told}"
        if self.events != list(expected):
            lines = difflib.unified_diff(
                _shown(expected).splitlines(), _shown(self.events).splitlines(), "expected", "decided", lineterm=""
            )
            raise AssertionError("\n".join(lines))
        return self

    def then_kinds(self, *kinds: type[Event]) -> Self:
        """Events of exactly these types follow, where what they say is another test's affair."""
        assert tuple(map(type, self.events)) == kinds, f"{self.told}\n{_shown(self.events)}"
        return self

    def then_refused(self, *rules: str) -> Self:
        """Refused by these rules, all of them, in this order."""
        refused = tuple(reason.rule for reason in self.reasons)
        assert refused == rules, f"expected {rules}, refused by {refused}"
        return self

    def then_refused_for(self, reason: Reason) -> Self:
        """Refused by this rule alone, with these figures."""
        assert self.reasons == (reason,), f"expected {reason}, refused for {self.reasons}"
        return self

    def then_denied(self, code: str, what: str) -> Self:
        """Nothing reaches the log."""
        assert self.events == [], f"not denied, but:\n{_shown(self.events)}"
        assert self.answer.outcome is Outcome.DENIED
        assert msgspec.json.decode(self.answer.body, type=Denied) == Denied(code=code, what=what)  # type: ignore[arg-type]
        return self

    def and_so(self) -> Given:
        """The log with what was just decided, for the next command."""
        return given(*(Happened(r.event, r.at, r.actor) for r in [*self.before, *self.recorded]))


def _recorded(position: int, told: Happened) -> Recorded:
    person = getattr(told.event, "person", None)
    recorded = Recorded(
        position=position,
        at=told.at,
        command=f"given-{position}",
        n=0,
        actor=told.actor,
        for_person=person if person != told.actor else None,
        role="system",
        channel="import",
        rules=0,
        event=told.event,
    )
    return CODEC.decode(CODEC.encode(recorded))


def _shown(events: Iterable[Event]) -> str:
    return "\n".join(
        f"{type(event).__name__} {msgspec.json.format(msgspec.json.encode(event), indent=2).decode()}"
        for event in events
    )

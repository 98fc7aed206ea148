"""The decisions of one batch, in order, each upon what the ones before it changed. Pure: no I/O and no clock."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from booking.answers import Kept, KnownRefusal
from booking.codec import Codec
from booking.log import Entry
from booking.messages import (
    EVENTS_MAX,
    Answer,
    Ask,
    Decision,
    Denied,
    Event,
    Outcome,
    Overdue,
    Recorded,
    Refusal,
    RefusedBody,
    unique,
)
from booking.rules.events import HouseRules
from booking.state import State, TagRange
from booking.vault import Filed, text_id

SAME_REFUSAL = timedelta(hours=1)


class Subjects(Protocol):
    """What a batch needs of the list of subjects."""

    @property
    def FOLLOWERS(self) -> Iterable[Callable[[Recorded, State, datetime], list[Event]]]: ...  # noqa: N802 - a module's list

    def tags(self, ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]: ...
    def decide(self, ask: Ask, state: State, now: datetime) -> Decision: ...
    def answer(self, ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]: ...
    def rules_in_force(self, state: State) -> HouseRules: ...


class TooManyEvents(ValueError):
    """A command would make more events than EVENTS_MAX; ask for less at once."""


class Spoilt(Exception):
    """An event of this command broke a state that the batch shares: the others must be decided anew without it."""


class Writes(msgspec.Struct, kw_only=True):
    """What a batch leaves to be written in its one transaction."""

    entries: list[Entry] = []
    kept: list[Kept] = []
    filed: list[Filed] = []
    refusals: dict[bytes, KnownRefusal] = {}
    repeats: dict[bytes, int] = {}


class Batch:
    """Decides the commands of a batch upon one state, read under the lock at `now`.

    `kept` holds the answers given before to the batch's keys, `refusals` the last refusal of its requests.
    """

    def __init__(
        self,
        subjects: Subjects,
        codec: Codec,
        state: State,
        head: int,
        now: datetime,
        *,
        kept: Iterable[Kept] = (),
        refusals: Mapping[bytes, KnownRefusal] | None = None,
    ) -> None:
        self._subjects = subjects
        self._codec = codec
        self._state = state
        self._head = head
        self._now = now
        self._kept = {(k.actor, k.key): k for k in kept}
        self._refusals = dict(refusals or {})
        self.writes = Writes()

    def decide(self, ask: Ask) -> Answer:
        """Answer one command and move the state on. A command that raises changes nothing: the others go on."""
        if ask.key is not None and (before := self._kept.get((ask.asker.id, ask.key))):
            same = before.fingerprint == ask.fingerprint
            return before.answer if same else Answer(outcome=Outcome.KEY_REUSED, body=b"{}", position=self._head)
        answer = self._answer(ask)
        if ask.key is not None and not ask.dry_run:
            kept = Kept(ask.asker.id, ask.key, ask.fingerprint, answer)
            self._kept[ask.asker.id, ask.key] = kept
            self.writes.kept.append(kept)
        return answer

    def _answer(self, ask: Ask) -> Answer:
        if ask.fault is not None:
            denied = Denied(code="not_valid", what=ask.fault)
            return Answer(outcome=Outcome.DENIED, body=_body(denied), position=self._head)
        decision = self._subjects.decide(ask, self._state, self._now)
        if isinstance(decision, Denied):
            return Answer(outcome=Outcome.DENIED, body=_body(decision), position=self._head)
        events = self._followed(ask, decision)
        refusal = next((r.event for r in events if isinstance(r.event, Refusal)), None)
        if refusal is not None:
            return self._refused(ask, refusal)
        body = _body(self._subjects.answer(ask, events, self._state, self._now))
        entries = [self._entry(recorded) for recorded in events]
        if not ask.dry_run:
            self._take(ask, events, entries)
        return Answer(outcome=Outcome.DONE, body=body, position=self._head)

    def _followed(self, ask: Ask, decision: Iterable[Event | Overdue]) -> list[Recorded]:
        """The decision's events, and what each follower adds, in the order of the subjects; each follows once."""
        events: list[Recorded] = []
        for decided in decision:
            event, due = decided if isinstance(decided, Overdue) else (decided, None)
            events.append(self._recorded(ask, len(events), event, due=due, cause=ask.cause))
        for follow in self._subjects.FOLLOWERS:
            for recorded in tuple(events):
                for event in follow(recorded, self._state, self._now):
                    events.append(self._recorded(ask, len(events), event, cause=recorded.position))
        if len(events) > EVENTS_MAX:
            raise TooManyEvents(
                f"{type(ask.command).__name__} makes {len(events)} events, at most {EVENTS_MAX} are allowed"
            )
        return events

    def _recorded(
        self, ask: Ask, n: int, event: Event, *, due: datetime | None = None, cause: int | str | None = None
    ) -> Recorded:
        person: str | None = getattr(event, "person", None)
        return Recorded(
            position=self._head + 1 + n,
            at=self._now,
            due=due,
            command=ask.id,
            n=n,
            cause=cause,
            actor=ask.asker.id,
            for_person=person if person != ask.asker.id else None,
            role=ask.asker.role,
            channel=ask.asker.channel,
            rules=self._subjects.rules_in_force(self._state).position,
            event=event,
        )

    def _refused(self, ask: Ask, refusal: Refusal) -> Answer:
        """Write the refusal, or count it where the same was refused for the same reasons within the hour."""
        sameness = ask.sameness
        before = self._refusals.get(sameness)
        version = self._subjects.rules_in_force(self._state).version
        refused = RefusedBody(reasons=refusal.reasons, rules_version=version)
        if before and self._now - before.at < SAME_REFUSAL and _says(_decoded(before.body)) == _says(refused):
            if not ask.dry_run:
                self.writes.repeats[sameness] = self.writes.repeats.get(sameness, 0) + 1
            return Answer(outcome=Outcome.REFUSED, body=before.body, position=before.position)
        body = _body(refused)
        if not ask.dry_run:
            recorded = self._recorded(ask, 0, refusal)
            self._take(ask, [recorded], [self._entry(recorded)])
            known = KnownRefusal(recorded.position, self._now, body)
            self._refusals[sameness] = self.writes.refusals[sameness] = known
            self.writes.repeats.pop(sameness, None)
        return Answer(outcome=Outcome.REFUSED, body=body, position=self._head)

    def _entry(self, recorded: Recorded) -> Entry:
        return Entry(recorded.position, self._codec.encode(recorded), unique(recorded.tags()))

    def _take(self, ask: Ask, events: list[Recorded], entries: list[Entry]) -> None:
        """From here on the command has happened, as far as this batch goes."""
        try:
            for recorded, entry in zip(events, entries, strict=True):
                self._state.evolve(recorded, entry.tags)
        except Exception as error:
            raise Spoilt(type(ask.command).__name__) from error
        for recorded in events:
            self.writes.filed.extend(_filed(ask, recorded.event))
        self.writes.entries.extend(entries)
        self._head += len(entries)


def _filed(ask: Ask, event: Event) -> Iterable[Filed]:
    """The texts whose digest this event carries, under the person whom it is about."""
    for kind, text in ask.texts.items():
        if getattr(event, kind, None) == text.digest():
            yield Filed(text_id(ask.id, kind), event.person_about() or ask.asker.id, kind, text)


def _decoded(body: bytes) -> RefusedBody:
    return msgspec.json.decode(body, type=RefusedBody)


def _says(refused: RefusedBody) -> tuple[int, set[tuple[str, frozenset[str]]]]:
    """What makes two refusals of a request the same: the version of the rules, which of them said no, and for whom."""
    return refused.rules_version, {(reason.rule, frozenset(reason.bookings)) for reason in refused.reasons}


def _body(answer: object) -> bytes:
    return msgspec.json.encode(answer, order="sorted")

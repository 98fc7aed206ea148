"""The decisions of one batch: in order, each upon what the ones before it changed, and what is left to be written."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
import pytest
from tests.decisions.gumei import GUMEI, LIN, NOW, STAFF, TABLE, TRIBE, VOLUNTEER, WANG, booked, wish
from tests.spec import CODEC, given

from booking import subjects
from booking.answers import Kept, KnownRefusal
from booking.batch import SAME_REFUSAL, Batch, Spoilt, TooManyEvents
from booking.codec import Codec
from booking.messages import (
    EVENTS_MAX,
    SYSTEM,
    Answer,
    Ask,
    Asker,
    Command,
    Decision,
    Event,
    Outcome,
    Overdue,
    Reason,
    Recorded,
    Refusal,
    SealedText,
)
from booking.places.decide import ChangeResource, ChangeRoom, CloseRoom
from booking.places.events import ChangeRefused
from booking.reservations.decide import CancelBooking, RequestBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import HouseRules, RuleBook
from booking.state import State, TagRange

LATE = wish(end="2026-11-24 18:00")
"""Four hours: refused as too long."""


def ask(command: Command, id_: str = "ask", *, by: Asker = LIN, **fields: object) -> Ask:
    return msgspec.structs.replace(Ask(id=id_, command=command, asker=by), **fields)


def batch_for(
    *asks: Ask, before: Iterable[Event] = GUMEI, now: datetime = NOW, kept: Iterable[Kept] = (), **known: KnownRefusal
) -> Batch:
    """A batch that has read what these commands name; `known` are refusals by the id of the ask that repeats them."""
    log = given(*before)
    refusals = {one.sameness: known[one.id] for one in asks if one.id in known}
    return Batch(subjects, CODEC, log.state_for_all(asks, now), len(log.log), now, kept=kept, refusals=refusals)


def events(batch: Batch) -> list[Recorded]:
    return [CODEC.decode(entry.data) for entry in batch.writes.entries]


def test_the_last_table_goes_to_whoever_asked_first() -> None:
    asks = [ask(wish(units=3), "first"), ask(wish(person="wang"), "second", by=WANG)]
    batch = batch_for(*asks)
    assert [batch.decide(one).outcome for one in asks] == [Outcome.DONE, Outcome.REFUSED]


def test_what_is_given_up_in_a_batch_can_be_had_in_the_same_batch() -> None:
    full = msgspec.structs.replace(TABLE, units=3, takes=(msgspec.structs.replace(TABLE.takes[0], units=3),))
    asks = [ask(CancelBooking(booking="b1", reason="ill"), "first"), ask(wish(person="wang"), "second", by=WANG)]
    batch = batch_for(*asks, before=(*GUMEI, full))
    assert [batch.decide(one).outcome for one in asks] == [Outcome.DONE, Outcome.DONE]


def test_positions_go_on_from_the_head_without_gaps() -> None:
    asks = [
        ask(wish(), "first"),
        ask(CloseRoom(room="tribe", start=NOW, reason="other"), "second", by=STAFF),
        ask(wish("hall", person="wang"), "third", by=WANG),
    ]
    batch = batch_for(*asks)
    positions = [batch.decide(one).position for one in asks]
    head = len(GUMEI)
    assert positions == [head + 1, head + 3, head + 4]
    assert [(r.position, r.command, r.n) for r in events(batch)] == [
        (head + 1, "first", 0),
        (head + 2, "second", 0),
        (head + 3, "second", 1),
        (head + 4, "third", 0),
    ]


def test_the_tags_of_an_entry_are_those_of_its_event_and_named_once() -> None:
    batch = batch_for(ask(wish()))
    batch.decide(ask(wish()))
    (entry,) = batch.writes.entries
    assert sorted(entry.tags) == sorted(set(CODEC.decode(entry.data).tags()))


def test_the_cause_that_was_given_stands_in_what_was_decided() -> None:
    batch = batch_for(ask(wish()))
    batch.decide(ask(wish(), cause="tick"))
    assert [recorded.cause for recorded in events(batch)] == ["tick"]


def test_the_same_key_gets_the_first_answer_and_nothing_happens_again() -> None:
    first = ask(wish(), "first", key="k", fingerprint=b"f")
    again = ask(wish(), "again", key="k", fingerprint=b"f")
    batch = batch_for(first, again)
    assert batch.decide(first) == batch.decide(again)
    assert len(batch.writes.entries) == len(batch.writes.kept) == 1


def test_the_same_key_with_another_body_is_told_so() -> None:
    first = ask(wish(), "first", key="k", fingerprint=b"f")
    other = ask(wish("hall"), "other", key="k", fingerprint=b"g")
    batch = batch_for(first, other)
    batch.decide(first)
    assert batch.decide(other).outcome is Outcome.KEY_REUSED
    assert len(batch.writes.entries) == len(batch.writes.kept) == 1


def test_a_key_belongs_to_whoever_sent_it() -> None:
    first = ask(wish(), "first", key="k", fingerprint=b"f")
    neighbour = ask(wish(person="wang"), "other", key="k", fingerprint=b"f", by=WANG)
    batch = batch_for(first, neighbour)
    batch.decide(first)
    batch.decide(neighbour)
    assert len(batch.writes.entries) == len(batch.writes.kept) == 2


def test_an_answer_kept_from_an_earlier_batch_is_given_again() -> None:
    before = Answer(outcome=Outcome.DONE, body=b'{"id":"b1"}', position=3)
    again = ask(wish(), key="k", fingerprint=b"f")
    batch = batch_for(again, kept=[Kept("lin", "k", b"f", before)])
    assert batch.decide(again) == before
    assert (batch.writes.entries, batch.writes.kept) == ([], [])


@pytest.mark.parametrize("command", [LATE, wish(person="wang"), wish(units=0)], ids=["refused", "denied", "not valid"])
def test_a_no_is_kept_under_its_key_too(command: Command) -> None:
    first = ask(command, "first", key="k", fingerprint=b"f")
    batch = batch_for(first)
    answer = batch.decide(first)
    assert [kept.answer for kept in batch.writes.kept] == [answer]


def test_without_a_key_nothing_is_kept() -> None:
    batch = batch_for(ask(wish()))
    batch.decide(ask(wish()))
    assert batch.writes.kept == []


@pytest.mark.parametrize("command", [wish(), LATE], ids=["done", "refused"])
def test_a_dry_run_answers_the_same_and_leaves_nothing_behind(command: Command) -> None:
    dry = ask(command, key="k", fingerprint=b"f", dry_run=True, texts={"purpose": SealedText(text="t", key=b"k")})
    batch = batch_for(dry)
    answer = batch.decide(dry)
    assert batch.writes == type(batch.writes)()
    assert batch_for(dry).decide(ask(command)).body == answer.body


def test_a_dry_run_changes_nothing_for_the_next_command() -> None:
    asks = [ask(wish(units=3), "first", dry_run=True), ask(wish(person="wang", units=3), "second", by=WANG)]
    batch = batch_for(*asks)
    assert [batch.decide(one).outcome for one in asks] == [Outcome.DONE, Outcome.DONE]


def test_a_dry_run_of_a_closure_lists_what_it_would_cancel() -> None:
    dry = ask(CloseRoom(room="tribe", start=NOW, reason="other"), by=STAFF, dry_run=True)
    batch = batch_for(dry, before=(*GUMEI, TABLE))
    told = msgspec.json.decode(batch.decide(dry).body)
    assert (told["changed"], told["cancelled"], told["room"]["id"]) == (True, ["b1"], "tribe")


def refused(minutes_ago: float, body: bytes | None = None) -> KnownRefusal:
    """That LATE was refused some time ago."""
    first = batch_for(ask(LATE)).decide(ask(LATE))
    return KnownRefusal(7, NOW - timedelta(minutes=minutes_ago), body or first.body)


def test_a_refusal_is_an_event_and_known_from_then_on() -> None:
    batch = batch_for(ask(LATE))
    answer = batch.decide(ask(LATE))
    assert [type(recorded.event).__name__ for recorded in events(batch)] == ["BookingRefused"]
    assert list(batch.writes.refusals.values()) == [KnownRefusal(len(GUMEI) + 1, NOW, answer.body)]


def test_the_same_refused_again_within_the_hour_is_counted_and_not_written() -> None:
    batch = batch_for(ask(LATE), ask=refused(minutes_ago=59))
    answer = batch.decide(ask(LATE))
    assert answer.position == 7
    assert batch.writes.entries == []
    assert list(batch.writes.repeats.values()) == [1]


def test_repeats_in_the_batch_of_the_refusal_are_counted_too() -> None:
    asks = [ask(LATE, f"ask{n}") for n in range(3)]
    batch = batch_for(*asks)
    answers = [batch.decide(one) for one in asks]
    assert answers == [answers[0]] * 3
    assert (len(batch.writes.entries), list(batch.writes.repeats.values())) == (1, [2])


def test_a_change_that_other_bookings_stand_against_by_now_is_refused_anew() -> None:
    """Who is told the bookings of half an hour ago would give up the wrong ones."""
    change = ask(ChangeRoom(room="tribe", uses=TRIBE.uses[1:]), by=STAFF)
    first = batch_for(change, before=(*GUMEI, TABLE)).decide(change)
    known = KnownRefusal(7, NOW - timedelta(minutes=30), first.body)
    second = booked(wish(start="2026-11-25 14:00", end="2026-11-25 15:00"), "b2")
    batch = batch_for(change, before=(*GUMEI, TABLE, second), ask=known)
    told = msgspec.json.decode(batch.decide(change).body)
    assert told["reasons"][0]["bookings"] == ["b1", "b2"]


def test_an_hour_later_it_is_written_again() -> None:
    batch = batch_for(ask(LATE), ask=refused(minutes_ago=SAME_REFUSAL / timedelta(minutes=1)))
    batch.decide(ask(LATE))
    assert (len(batch.writes.entries), batch.writes.repeats) == (1, {})


def test_refused_for_other_reasons_it_is_written_again() -> None:
    other = batch_for(ask(wish(units=4))).decide(ask(wish(units=4))).body
    batch = batch_for(ask(LATE), ask=refused(minutes_ago=1, body=other))
    batch.decide(ask(LATE))
    assert (len(batch.writes.entries), batch.writes.repeats) == (1, {})


def test_refused_by_another_version_of_the_rules_it_is_written_again() -> None:
    """Whoever asks again after the rules changed is told what holds now."""
    changed = given(*GUMEI).when(ChangeRules(book=RuleBook(duration_minutes_max=120)), by=SYSTEM).events
    batch = batch_for(ask(LATE), before=(*GUMEI, *changed), ask=refused(minutes_ago=1))
    answer = batch.decide(ask(LATE))
    assert msgspec.json.decode(answer.body)["reasons"][0]["limit"] == 120
    assert (len(batch.writes.entries), batch.writes.repeats) == (1, {})


def test_a_change_that_its_followers_refuse_is_taken_back_as_a_whole() -> None:
    smaller = ask(ChangeResource(resource="tennis-table", capacity=1), by=STAFF)
    two = msgspec.structs.replace(TABLE, takes=(msgspec.structs.replace(TABLE.takes[0], units=2),))
    batch = batch_for(smaller, before=(*GUMEI, two))
    assert batch.decide(smaller).outcome is Outcome.REFUSED
    assert [type(recorded.event) for recorded in events(batch)] == [ChangeRefused]


def test_a_text_is_filed_under_the_person_whom_it_is_about() -> None:
    purpose = SealedText(text="练字", key=b"k")
    for_wang = ask(wish(person="wang"), by=VOLUNTEER, texts={"purpose": purpose})
    batch = batch_for(for_wang)
    batch.decide(for_wang)
    assert [(filed.id, filed.person, filed.kind, filed.text) for filed in batch.writes.filed] == [
        ("ask:purpose", "wang", "purpose", purpose)
    ]


def test_the_note_of_a_closure_is_filed_under_the_room() -> None:
    close = ask(
        CloseRoom(room="tribe", start=NOW, reason="other"), by=STAFF, texts={"note": SealedText(text="灯", key=b"k")}
    )
    batch = batch_for(close)
    batch.decide(close)
    assert [filed.person for filed in batch.writes.filed] == ["room:tribe"]


@pytest.mark.parametrize(
    ("command", "kind"), [(LATE, "purpose"), (wish(), "gossip")], ids=["a refused request", "a text of no kind"]
)
def test_a_text_that_no_event_speaks_of_is_not_kept(command: RequestBooking, kind: str) -> None:
    told = ask(command, texts={kind: SealedText(text="t", key=b"k")})
    batch = batch_for(told)
    batch.decide(told)
    assert batch.writes.filed == []


class Knock(Command, frozen=True, kw_only=True):
    """Makes as many events as it says."""

    times: int = 1
    spoils: bool = False


class Knocked(Event, frozen=True, kw_only=True):
    spoils: bool = False

    def tags(self) -> tuple[str, ...]:
        return ("door",)


class Answered(Event, frozen=True, kw_only=True):
    by: str

    def tags(self) -> tuple[str, ...]:
        return ("door",)


class Silence(Refusal, frozen=True, kw_only=True):
    def tags(self) -> tuple[str, ...]:
        return ("refused:door",)


class Door(msgspec.Struct, frozen=True):
    """A state that some events break."""

    knocks: int = 0

    def evolve(self, recorded: Recorded, tag: str) -> "Door":
        if isinstance(recorded.event, Knocked) and recorded.event.spoils:
            raise ValueError("the door fell off")
        return Door(self.knocks + 1)


class Toy:
    """A list of one subject, whose followers answer each knock."""

    due: ClassVar = NOW - timedelta(minutes=5)

    def __init__(self, *followers: str, silent: bool = False) -> None:
        self.FOLLOWERS = [self._follower(name) for name in followers]
        self._silent = silent

    def _follower(self, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
        def follow(recorded: Recorded, state: State, now: datetime) -> list[Event]:
            return [Answered(by=name)] if isinstance(recorded.event, Knocked) else []

        return follow

    def tags(self, ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
        return ("door",)

    def decide(self, ask: Ask, state: State, now: datetime) -> Decision:
        state.at(Door, "door")
        assert isinstance(ask.command, Knock)
        if ask.command.times == 0:
            raise RuntimeError("nobody knocked")
        if self._silent:
            return [Silence(reasons=(Reason(rule="silent"),))]
        return [Overdue(Knocked(spoils=ask.command.spoils), self.due)] * ask.command.times

    def answer(self, ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
        return {"knocks": state.at(Door, "door").knocks}

    def rules_in_force(self, state: State) -> HouseRules:
        return HouseRules()


def at_the_door(toy: Toy | None = None) -> Batch:
    state = State()
    state.add(["door"], [], {})
    return Batch(toy or Toy(), Codec("toy", [Knocked, Answered, Silence]), state, 0, NOW)


def test_a_command_that_raises_changes_nothing_and_the_next_goes_on() -> None:
    batch = at_the_door()
    with pytest.raises(RuntimeError, match="nobody knocked"):
        batch.decide(ask(Knock(times=0), key="k"))
    assert batch.writes == type(batch.writes)()
    assert batch.decide(ask(Knock(), "next")).position == 1


def test_a_command_that_makes_too_many_events_makes_none() -> None:
    batch = at_the_door()
    with pytest.raises(TooManyEvents, match="Knock makes 401 events"):
        batch.decide(ask(Knock(times=EVENTS_MAX + 1)))
    assert batch.writes.entries == []


def test_a_command_makes_as_many_events_as_are_allowed() -> None:
    assert at_the_door().decide(ask(Knock(times=EVENTS_MAX))).position == EVENTS_MAX


def test_an_event_that_breaks_a_shared_state_spoils_the_batch() -> None:
    with pytest.raises(Spoilt, match="Knock"):
        at_the_door().decide(ask(Knock(spoils=True)))


def test_followers_follow_once_each_in_their_order_and_name_the_cause() -> None:
    batch = at_the_door(Toy("mother", "father"))
    batch.decide(ask(Knock(), cause="wind"))
    codec = Codec("toy", [Knocked, Answered])
    told = [codec.decode(entry.data) for entry in batch.writes.entries]
    assert [getattr(r.event, "by", "knock") for r in told] == ["knock", "mother", "father"]
    assert [r.cause for r in told] == ["wind", 1, 1]


def test_what_was_in_force_before_says_since_when() -> None:
    batch = at_the_door()
    batch.decide(ask(Knock()))
    (entry,) = batch.writes.entries
    recorded = Codec("toy", [Knocked]).decode(entry.data)
    assert (recorded.due, recorded.at) == (Toy.due, NOW)


def test_the_answer_sees_the_state_before_the_command() -> None:
    batch = at_the_door()
    batch.decide(ask(Knock(times=2)))
    assert batch.decide(ask(Knock(), "next")).body == b'{"knocks":2}'


def test_a_refusal_of_any_subject_is_told_by_its_reasons() -> None:
    body = at_the_door(Toy(silent=True)).decide(ask(Knock())).body
    assert msgspec.json.decode(body) == {"reasons": [{"rule": "silent"}], "rules_version": 0}

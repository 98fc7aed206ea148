"""The list of subjects: each command has one, each event one, and tags that never change their mind."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from tests.any_event import events_of
from tests.decisions.gumei import GUMEI, LIN, NOW, TABLE, wish
from tests.spec import given

from booking import subjects
from booking.messages import SYSTEM, Ask, Command, Event
from booking.reservations.decide import CancelBooking
from booking.state import NotRead, State
from booking.subjects import COMMANDS, EVENTS


class Unheard(Command, frozen=True, kw_only=True):
    """A toy that no subject decides."""


def test_each_command_belongs_to_one_subject() -> None:
    assert Counter(COMMANDS).most_common(1)[0][1] == 1


def test_each_event_is_named_once_and_by_a_name_of_its_own() -> None:
    assert Counter(event.__name__ for event in EVENTS).most_common(1)[0][1] == 1


@pytest.mark.parametrize("subject", subjects.SUBJECTS, ids=lambda subject: subject.__name__)
def test_no_subject_decides_another_s_command(subject: object) -> None:
    with pytest.raises(TypeError, match="does not decide Unheard"):
        subject.decide(Ask(id="ask", command=Unheard(), asker=SYSTEM), State(), NOW)  # type: ignore[attr-defined]


def test_a_command_that_no_subject_has_is_a_fault() -> None:
    with pytest.raises(KeyError):
        subjects.decide(Ask(id="ask", command=Unheard(), asker=SYSTEM), State(), NOW)


def test_a_decider_whose_tags_were_not_read_fails_and_decides_nothing() -> None:
    """Here nobody read the booking; on an empty state it would be 'not found'."""
    command = CancelBooking(booking="b1", reason="ill")
    with pytest.raises(NotRead, match="booking:b1"):
        subjects.decide(Ask(id="ask", command=command, asker=LIN), State(), NOW)


def test_a_request_reads_its_room_first_and_then_what_the_use_takes() -> None:
    first = set(subjects.tags(Ask(id="ask", command=wish("hall", use="讲座"), asker=LIN), State(), NOW))
    assert first == {"subdistrict", "rules", "room:hall"}
    both = given(*GUMEI).tags_of(Ask(id="ask", command=wish("hall", use="讲座"), asker=LIN))
    assert both - first == {
        "resource:hall-half",
        "resource:hall-half:2026-11-24",
        "resource:projector",
        "resource:projector:2026-11-24",
        "person:lin:2026-11",
        "person:lin:2026-12",
    }


def test_a_request_in_a_station_s_name_reads_no_person() -> None:
    tags = given(*GUMEI).tags_of(Ask(id="ask", command=wish(person="station:wanyuan-1"), asker=LIN))
    assert not [tag for tag in tags if str(tag).startswith("person:")]


def test_a_cancellation_reads_its_booking() -> None:
    command = CancelBooking(booking="b1", reason="ill")
    assert "booking:b1" in given(*GUMEI, TABLE).tags_of(Ask(id="ask", command=command, asker=LIN))


@pytest.mark.parametrize("type_", EVENTS, ids=lambda type_: type_.__name__)
@settings(max_examples=10)
@examples(data=st.data())
def test_the_tags_of_an_event_follow_from_the_event_alone(type_: type[Event], data: st.DataObject) -> None:
    """The index of the log can be made anew from the log: written, read back and asked again, the tags are the same."""
    event = data.draw(events_of(type_))
    tags = event.tags()
    assert tags == event.tags() == msgspec.json.decode(msgspec.json.encode(event), type=type_).tags()
    assert len(tags) > 0
    assert all(isinstance(tag, str) for tag in tags)


def test_what_was_refused_is_never_read_by_a_decision() -> None:
    """However many refusals there are, no decision has more to read."""
    commands = [wish(), CancelBooking(booking="b1", reason="ill")]
    read = {str(tag) for c in commands for tag in given(*GUMEI, TABLE).tags_of(Ask(id="a", command=c, asker=LIN))}
    assert not [tag for tag in read if tag.startswith("refused:")]

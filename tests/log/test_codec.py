"""Events to the log's bytes and back: the same bytes everywhere and always, whatever version wrote them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.any_event import events_of, instants
from tests.decisions.gumei import NOW

from booking import subjects
from booking.codec import Codec, UnknownEvent
from booking.messages import Event, Recorded

GOLDEN = Path(__file__).with_name("golden") / "events.ndjson"
LINES = GOLDEN.read_bytes().splitlines()
CODEC = Codec("gumei", subjects.EVENTS, subjects.UPCASTERS)


def name_of(line: bytes) -> str:
    told = msgspec.json.decode(line)
    return f"{told['type']} {told['version']}"


def recorded(event: Event, **fields: object) -> Recorded:
    plain = Recorded(
        position=7, at=NOW, command="c", n=0, actor="lin", role="resident", channel="phone", rules=2, event=event
    )
    return msgspec.structs.replace(plain, **fields)


@pytest.mark.parametrize("type_", subjects.EVENTS, ids=lambda type_: type_.__name__)
def test_every_type_of_event_has_a_golden_line_for_each_of_its_versions(type_: type[Event]) -> None:
    """Add a line for a new type or version; those that are there are never changed."""
    there = {name_of(line) for line in LINES}
    assert {f"{type_.__name__} {version}" for version in range(1, type_.version + 1)} <= there


def test_no_golden_line_is_there_twice() -> None:
    assert len({name_of(line) for line in LINES}) == len(LINES)


@pytest.mark.parametrize("line", LINES, ids=name_of)
def test_a_golden_line_is_read_whatever_version_wrote_it(line: bytes) -> None:
    told, read = msgspec.json.decode(line), CODEC.decode(line)
    assert type(read.event).__name__ == told["type"]
    assert (read.position, read.actor, read.command, read.rules) == (
        told["position"],
        told["actor"],
        told["command"],
        told["rules"],
    )


@pytest.mark.parametrize("line", LINES, ids=name_of)
def test_a_golden_line_of_the_present_version_is_written_as_it_was(line: bytes) -> None:
    """Byte for byte: the chain of every log covers these bytes."""
    read = CODEC.decode(line)
    if type(read.event).version == msgspec.json.decode(line)["version"]:
        assert CODEC.encode(read) == line


@pytest.mark.parametrize("line", LINES, ids=name_of)
def test_a_golden_line_is_canonical_json(line: bytes) -> None:
    """Sorted keys, no white space, UTF-8 as it is."""
    assert msgspec.json.encode(msgspec.json.decode(line), order="deterministic") == line


def test_the_envelope_has_the_fields_of_the_design() -> None:
    everything = set().union(*(msgspec.json.decode(line) for line in LINES))
    assert everything == {
        "v", "subdistrict", "position", "at", "due", "type", "version", "command", "n", "cause", "actor", "for", "role",
        "channel", "rules", "data",
    }  # fmt: skip


@pytest.mark.parametrize("type_", subjects.EVENTS, ids=lambda type_: type_.__name__)
@settings(max_examples=10)
@given(data=st.data())
def test_what_is_written_is_what_is_read(type_: type[Event], data: st.DataObject) -> None:
    told = recorded(
        data.draw(events_of(type_)),
        at=data.draw(instants),
        due=data.draw(st.none() | instants),
        cause=data.draw(st.none() | st.integers(min_value=1) | st.just("tick")),
        for_person=data.draw(st.none() | st.just("wang")),
    )
    assert CODEC.decode(CODEC.encode(told)) == told


def test_what_is_not_said_takes_no_room() -> None:
    """No `due`, `cause` or `for` where there is none, and no optional field of the event."""
    told = msgspec.json.decode(CODEC.encode(CODEC.decode(LINES[1])))
    assert {"due", "cause", "for"}.isdisjoint(told)


class Greeted(Event, frozen=True, kw_only=True):
    version = 3
    words: tuple[str, ...]
    language: str

    def tags(self) -> tuple[str, ...]:
        return ("greetings",)


def in_words(data: dict[str, Any]) -> dict[str, Any]:
    return {"words": data["greeting"].split()}


def in_a_language(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "language": "zh"}


GREETINGS = Codec("toy", [Greeted], {("Greeted", 1): in_words, ("Greeted", 2): in_a_language})


def stored(version: int, data: dict[str, Any], type_: str = "Greeted") -> bytes:
    envelope = {
        "v": 1, "subdistrict": "toy", "position": 1, "at": NOW, "type": type_, "version": version, "command": "c",
        "n": 0, "actor": "a", "role": "system", "channel": "import", "rules": 0, "data": data,
    }  # fmt: skip
    return msgspec.json.encode(envelope, order="sorted")


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"greeting": "你 好"}),
        (2, {"words": ["你", "好"]}),
        (3, {"words": ["你", "好"], "language": "zh"}),
    ],
)
def test_an_event_of_an_old_version_is_read_as_one_of_the_present(version: int, data: dict[str, Any]) -> None:
    assert GREETINGS.decode(stored(version, data)).event == Greeted(words=("你", "好"), language="zh")


def test_a_version_that_a_newer_program_wrote_is_not_guessed_at() -> None:
    with pytest.raises(UnknownEvent, match="Greeted version 4"):
        GREETINGS.decode(stored(4, {"words": [], "language": "zh"}))


def test_a_type_that_a_newer_program_wrote_is_not_guessed_at() -> None:
    with pytest.raises(UnknownEvent, match="Waved version 1"):
        GREETINGS.decode(stored(1, {}, "Waved"))


def test_a_type_that_is_not_in_the_list_is_not_written() -> None:
    with pytest.raises(UnknownEvent, match="Greeted"):
        CODEC.encode(recorded(Greeted(words=(), language="zh")))


def test_a_version_without_a_way_up_is_a_fault_of_the_program() -> None:
    """It shows where the codec is made, not when an old log is read years later."""
    with pytest.raises(ValueError, match="Greeted has no upcaster from version 2"):
        Codec("toy", [Greeted], {("Greeted", 1): in_words})


@pytest.mark.parametrize("data", [b"", b"{}", b"\x00", b'{"v":1}', LINES[0][:-1]])
def test_bytes_that_are_no_event_are_no_event(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        CODEC.decode(data)

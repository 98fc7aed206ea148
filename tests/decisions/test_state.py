"""What is known while a batch is decided: one state for each tag that was read, and a fault for any other."""

from typing import Self

import msgspec
import pytest
from tests.decisions.gumei import NOW

from booking.messages import Event, Recorded
from booking.state import NotRead, State, TagRange


class Knocked(Event, frozen=True, kw_only=True):
    doors: tuple[str, ...]

    def tags(self) -> tuple[str, ...]:
        return self.doors


class Knocks(msgspec.Struct, frozen=True):
    """The positions of the events that a state was made of."""

    positions: tuple[int, ...] = ()

    def evolve(self, recorded: Recorded, tag: str) -> Self:
        return type(self)((*self.positions, recorded.position))


DAYS = TagRange("door:1", "door:3")


def knocked(position: int, *doors: str) -> Recorded:
    return Recorded(
        position=position,
        at=NOW,
        command="c",
        n=0,
        actor="a",
        role="system",
        channel="import",
        rules=0,
        event=Knocked(doors=doors),
    )


def read(*tags: str, ranges: tuple[TagRange, ...] = (), found: dict[str, list[Recorded]] | None = None) -> State:
    state = State()
    state.add(tags, ranges, found or {})
    return state


def test_a_tag_that_was_read_has_the_state_that_its_events_make() -> None:
    state = read("door:1", found={"door:1": [knocked(1, "door:1"), knocked(4, "door:1")]})
    assert state.at(Knocks, "door:1").positions == (1, 4)


def test_a_tag_that_was_read_and_has_no_event_is_an_empty_state() -> None:
    assert read("door:1").at(Knocks, "door:1") == Knocks()


def test_a_tag_that_nobody_read_is_a_fault_and_no_empty_state() -> None:
    with pytest.raises(NotRead, match="door:2"):
        read("door:1").at(Knocks, "door:2")


def test_a_range_that_nobody_read_is_a_fault() -> None:
    with pytest.raises(NotRead, match="door:1 to door:3"):
        list(read("door:1").within(Knocks, DAYS))


def test_a_tag_within_a_range_that_was_read_is_read() -> None:
    state = read(ranges=(DAYS,))
    assert state.at(Knocks, "door:2") == Knocks()
    assert not state.has("door:3")


def test_a_range_has_the_states_of_its_tags_in_their_order() -> None:
    found = {"door:2": [knocked(1, "door:2")], "door:1": [knocked(2, "door:1")]}
    assert [tag for tag, _ in read(ranges=(DAYS,), found=found).within(Knocks, DAYS)] == ["door:1", "door:2"]


def test_an_event_moves_each_of_its_tags_that_was_read() -> None:
    state = read("door:1", "door:2")
    state.evolve(knocked(5, "door:1", "door:9"), ("door:1", "door:9"))
    assert state.at(Knocks, "door:1").positions == (5,)
    assert state.at(Knocks, "door:2").positions == ()
    assert not state.has("door:9")


def test_an_event_within_a_range_that_was_read_is_found_there() -> None:
    state = read(ranges=(DAYS,))
    state.evolve(knocked(5, "door:2"), ("door:2",))
    assert [tag for tag, _ in state.within(Knocks, DAYS)] == ["door:2"]


def test_a_state_that_was_looked_at_moves_on_too() -> None:
    state = read("door:1", found={"door:1": [knocked(1, "door:1")]})
    state.at(Knocks, "door:1")
    state.evolve(knocked(2, "door:1"), ("door:1",))
    assert state.at(Knocks, "door:1").positions == (1, 2)


def test_what_is_read_a_second_time_does_not_undo_what_was_decided() -> None:
    state = read("door:1")
    state.evolve(knocked(1, "door:1"), ("door:1",))
    state.add(["door:1"], (), {})
    assert state.at(Knocks, "door:1").positions == (1,)

"""A subject as small as can be, for tests of what lies around the deciders: people knock on doors.

Its commands do, besides, whatever none should: raise, forget a tag, break a state, send what no database takes.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from booking.codec import Codec
from booking.messages import Ask, Asker, Command, Decision, Event, Reason, Recorded, Refusal
from booking.rules.events import HouseRules
from booking.state import State, TagRange

LIN = Asker(id="lin", role="resident", channel="phone", scope="own")
WANG = Asker(id="wang", role="resident", channel="phone", scope="own")


def door_tag(door: str) -> str:
    return f"door:{door}"


class Knock(Command, frozen=True, kw_only=True):
    """Knock once, unless there was enough of it."""

    door: str = "front"
    most: int = 1_000


class Stumble(Command, frozen=True, kw_only=True):
    """Raises instead of deciding, or before, while its tags are told."""

    early: bool = False


class Stray(Command, frozen=True, kw_only=True):
    """Looks at a door that it did not name."""

    door: str = "back"


class Follow(Command, frozen=True, kw_only=True):
    """Knocks on the door whose number is how often the front door was knocked on."""


class Ram(Command, frozen=True, kw_only=True):
    """Makes an event that breaks the state of its door."""

    door: str = "front"


class Scrawl(Command, frozen=True, kw_only=True):
    """Writes under a tag that no database takes or, by `reads`, asks for it."""

    reads: bool = False


class Knocked(Event, frozen=True, kw_only=True):
    door: str
    person: str
    note: str | None = None

    def tags(self) -> tuple[str, ...]:
        return (door_tag(self.door),)


class Rammed(Event, frozen=True, kw_only=True):
    door: str

    def tags(self) -> tuple[str, ...]:
        return (door_tag(self.door),)


class Scrawled(Event, frozen=True, kw_only=True):
    def tags(self) -> tuple[str, ...]:
        return ("wall:\0",)


class KnockRefused(Refusal, frozen=True, kw_only=True):
    door: str

    def tags(self) -> tuple[str, ...]:
        return (f"refused:{door_tag(self.door)}",)


class Door(msgspec.Struct, frozen=True):
    """How often somebody knocked."""

    knocks: int = 0

    def evolve(self, recorded: Recorded, tag: str) -> "Door":
        match recorded.event:
            case Rammed():
                raise RuntimeError("the door fell out of its frame")
        return Door(self.knocks + 1)


EVENTS: tuple[type[Event], ...] = (Knocked, Rammed, Scrawled, KnockRefused)
FOLLOWERS = ()


def codec(subdistrict: str = "gumei") -> Codec:
    return Codec(subdistrict, EVENTS)


def tags(ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
    match ask.command:
        case Knock(door=door) | Ram(door=door):
            yield door_tag(door)
        case Follow():
            yield door_tag("front")
            if state.has(door_tag("front")):
                yield door_tag(str(state.at(Door, door_tag("front")).knocks))
        case Stumble(early=True):
            raise RuntimeError("stumbled on the way")
        case Scrawl(reads=True):
            yield "wall:\0"


def decide(ask: Ask, state: State, now: datetime) -> Decision:
    match ask.command:
        case Knock(door=door, most=most):
            return [_knock(ask, door, most, state)]
        case Follow():
            return [_knock(ask, str(state.at(Door, door_tag("front")).knocks), 1_000, state)]
        case Stray(door=door):
            return [_knock(ask, door, 1, state)]
        case Ram(door=door):
            state.at(Door, door_tag(door))
            return [Rammed(door=door)]
        case Scrawl(reads=False):
            return [Scrawled()]
        case Scrawl():
            return []
    raise RuntimeError("stumbled")


def _knock(ask: Ask, door: str, most: int, state: State) -> Event:
    knocks = state.at(Door, door_tag(door)).knocks
    if knocks >= most:
        return KnockRefused(door=door, reasons=(Reason(rule="enough", limit=most, actual=knocks),))
    return Knocked(door=door, person=ask.asker.id, note=ask.digest_of("note"))


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    return {"id": ask.id}


def rules_in_force(state: State) -> HouseRules:
    return HouseRules(version=1)

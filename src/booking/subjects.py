"""LIST 1: the subjects, in the order in which one may know another. Desk and wiring know subjects only from here."""

from collections.abc import Callable, Iterable
from datetime import datetime

from booking.messages import Ask, Command, Decision, Event, Recorded
from booking.places import decide as places
from booking.places import events as places_events
from booking.reservations import decide as reservations
from booking.reservations import events as reservations_events
from booking.rules import decide as rules
from booking.rules import events as rules_events
from booking.state import State, TagRange

SUBJECTS = (places, rules, reservations)
FOLLOWERS = (reservations.follow,)
EVENTS: tuple[type[Event], ...] = (*places_events.EVENTS, *rules_events.EVENTS, *reservations_events.EVENTS)
UPCASTERS = places_events.UPCASTERS
COMMANDS: tuple[type[Command], ...] = tuple(command for subject in SUBJECTS for command in subject.COMMANDS)

_DECIDERS: dict[type[Command], Callable[[Ask, State, datetime], Decision]] = {
    command: subject.decide for subject in SUBJECTS for command in subject.COMMANDS
}


def tags(ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
    """What must be read before this command is decided, as far as what was read so far can tell.

    Nothing for a command that is not valid: the bounds of its fields bound the number of its tags too.
    """
    if ask.fault is not None:
        return ()
    return [tag for subject in SUBJECTS for tag in subject.tags(ask, state, now)]


def decide(ask: Ask, state: State, now: datetime) -> Decision:
    """What follows from the command, by the subject that it belongs to."""
    return _DECIDERS[type(ask.command)](ask, state, now)


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    """What the asker is told; `state` is that before the events."""
    told: dict[str, object] = {}
    for subject in SUBJECTS:
        told |= subject.answer(ask, events, state, now)
    return told


def rules_in_force(state: State) -> rules_events.HouseRules:
    """The house rules that everything in this batch is decided under."""
    return state.at(rules_events.HouseRules, rules_events.RULES)

"""What can be asked of the house rules: set them anew."""

from collections.abc import Iterable
from datetime import datetime

from booking.local_time import are_apart
from booking.messages import Ask, Command, Decision, Denied, Recorded
from booking.rules.events import RULES, HouseRules, RuleBook, RulesChanged
from booking.state import State, TagRange


class ChangeRules(Command, frozen=True, kw_only=True):
    """Set all the rules, from now on."""

    book: RuleBook


def tags(ask: Ask, state: State, now: datetime) -> Iterable[str | TagRange]:
    return (RULES,)


def decide(ask: Ask, state: State, now: datetime) -> Decision:
    """The same rules as are in force make no event."""
    if ask.asker.role not in ("staff", "admin", "system"):
        return Denied(code="forbidden", what="rules")
    match ask.command:
        case ChangeRules(book=book):
            if not are_apart(book.hours):
                return Denied(code="not_valid", what="hours")
            known = state.at(HouseRules, RULES)
            return [] if known.version and known.book == book else [RulesChanged(book=book)]
    raise TypeError(f"rules does not decide {type(ask.command).__name__}")


def answer(ask: Ask, events: list[Recorded], state: State, now: datetime) -> dict[str, object]:
    """The rules in force from now on, and their version."""
    if type(ask.command) not in COMMANDS:
        return {}
    known = state.at(HouseRules, RULES)
    for recorded in events:
        known = known.evolve(recorded, RULES)
    return {"changed": bool(events), "version": known.version, "book": known.book}


COMMANDS: tuple[type[Command], ...] = (ChangeRules,)

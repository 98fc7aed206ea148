"""Every code that a caller can meet has its words: a code without them fails here, not in front of somebody."""

import ast
from pathlib import Path
from typing import get_args

from booking.messages import Channel, Role
from booking.places.decide import CLOSE_REASONS
from booking.reservations.events import Asked, CancelReason, RejectReason
from booking.reservations.standing import Standing
from linyue.words import codes, malformed, problems, rules
from linyue.words.denials import DENIALS
from projections.grid import SlotState

SOURCES = Path(__file__).parent.parent.parent / "src"


def calls_of(name: str, folder: str) -> list[ast.Call]:
    """Every call of a function or class of this name, in the sources of a folder."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted((SOURCES / folder).rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]


def constant(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_states_roles_channels_and_actions_have_their_words() -> None:
    assert codes.STATES.keys() == set(get_args(Standing))
    assert codes.ROLES.keys() == set(get_args(Role))
    assert codes.CHANNELS.keys() == set(get_args(Channel))
    assert codes.SLOT_STATES.keys() == set(get_args(SlotState))
    assert codes.ACTIONS.keys() == set(get_args(Asked))


def test_reasons_have_their_words() -> None:
    assert codes.CANCEL_REASONS.keys() == set(get_args(CancelReason))
    assert codes.REJECT_REASONS.keys() == set(get_args(RejectReason))
    assert codes.CLOSE_REASONS.keys() == set(CLOSE_REASONS)


def test_rules_have_a_word_for_the_grid_too() -> None:
    assert rules.SHORT.keys() == {rule for rule in rules.RULES if "." not in rule}


def test_denials_have_their_words() -> None:
    found = {
        tuple(constant(k.value) for k in sorted(call.keywords, key=lambda k: str(k.arg)))
        for call in calls_of("Denied", "booking") + calls_of("Denied", "linyue")
    }
    written = {(code, what) for code, what in found if code and what}
    assert len(written) > 10
    assert written - DENIALS.keys() == set()


def test_what_cannot_be_read_has_its_words() -> None:
    found = {constant(call.args[0]) for call in calls_of("wrong", "linyue") + calls_of("Malformed", "linyue")}
    assert found - {None} - malformed.MALFORMED.keys() == set()
    assert {what for _, what in malformed._SAID} <= malformed.MALFORMED.keys()


def test_kinds_of_problems_have_their_words() -> None:
    assert problems.TITLES.keys() == problems.SENTENCES.keys() == set(get_args(problems.Kind))

"""The house rules: one event a version, all the rules in each, and bounds that keep deciders quick."""

import msgspec
import pytest
from tests.decisions.gumei import GUMEI, LIN, OFFICE, STAFF, VOLUNTEER, opened
from tests.spec import given

from booking.local_time import Hours
from booking.messages import Asker
from booking.rules.decide import ChangeRules
from booking.rules.events import RULES, HouseRules, RuleBook, RulesChanged

SHORTER = RuleBook(duration_minutes_max=120)


def test_the_rules_of_the_first_day() -> None:
    book = RuleBook()
    figures = (book.duration_minutes_max, book.lead_minutes_min, book.ahead_days_max, book.open_bookings_max)
    assert figures == (180, 30, 14, 3)
    assert (book.release, book.grace_minutes, book.check_in_minutes_before) == ("08:00", 15, 15)
    assert [(hours.weekday, hours.opens, hours.closes) for hours in book.hours] == [
        (weekday, "09:00", "21:00") for weekday in range(1, 8)
    ]


def test_the_office_sets_other_rules() -> None:
    decided = given(*GUMEI).when(ChangeRules(book=SHORTER), by=OFFICE).then(RulesChanged(book=SHORTER))
    assert decided.told["version"] == 2


def test_the_same_rules_are_no_new_version() -> None:
    given(*GUMEI).when(ChangeRules(book=RuleBook()), by=OFFICE).then()


def test_the_first_rules_are_a_version_even_where_they_are_the_defaults() -> None:
    """Every later event names the position of the rules that it was decided under."""
    given().when(ChangeRules(book=RuleBook()), by=OFFICE).then(RulesChanged(book=RuleBook()))


def test_an_event_names_the_rules_that_it_was_decided_under() -> None:
    changed = given(*GUMEI).when(ChangeRules(book=SHORTER), by=OFFICE)
    assert changed.recorded[0].rules == 2
    assert changed.and_so().when(ChangeRules(book=RuleBook()), by=OFFICE).recorded[0].rules == len(GUMEI) + 1


def test_the_farthest_horizon_that_ever_was_is_remembered() -> None:
    """A booking made under it may still lie ahead when the horizon is short again."""
    log = given(*opened(rules=RuleBook(ahead_days_max=60)), RulesChanged(book=RuleBook()))
    rules = log.state(HouseRules, RULES)
    assert (rules.book.ahead_days_max, rules.ahead_days_ever, rules.version) == (14, 60, 2)


@pytest.mark.parametrize("asker", [LIN, VOLUNTEER], ids=["resident", "volunteer"])
def test_only_staff_and_the_office_set_rules(asker: Asker) -> None:
    given(*GUMEI).when(ChangeRules(book=SHORTER), by=asker).then_denied("forbidden", "rules")


def test_staff_set_rules() -> None:
    given(*GUMEI).when(ChangeRules(book=SHORTER), by=STAFF).then_kinds(RulesChanged)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"ahead_days_max": 93}, "book.ahead_days_max"),
        ({"lead_minutes_min": -1}, "book.lead_minutes_min"),
        ({"release": "8:00"}, "book.release"),
        ({"hours": (Hours(weekday=1, opens="09:00", closes="12:00"),) * 2}, "hours"),
    ],
    ids=["a horizon of more than a quarter", "a negative lead", "no time of day", "hours that overlap"],
)
def test_rules_that_cannot_be_are_not_valid(fields: dict[str, object], what: str) -> None:
    book = msgspec.structs.replace(RuleBook(), **fields)
    given(*GUMEI).when(ChangeRules(book=book), by=OFFICE).then_denied("not_valid", what)

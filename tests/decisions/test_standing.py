"""What holds of a booking at an instant follows from its life alone."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decisions.gumei import local

from booking.reservations.standing import LIVE, Life, Standing

START, END = local("2026-11-24 14:00"), local("2026-11-24 15:00")
GRACE = timedelta(minutes=15)
MADE = local("2026-11-23 10:00")
MICROSECOND = timedelta(microseconds=1)

AWAITING = Life(start=START, end=END, grace=GRACE, made_at=MADE)
CONFIRMED = msgspec.structs.replace(AWAITING, confirmed_at=MADE)
CHECKED_IN = msgspec.structs.replace(CONFIRMED, checked_in_at=START)
CANCELLED = msgspec.structs.replace(CONFIRMED, ended_at=START, ended_as="cancelled")
LIVES = [AWAITING, CONFIRMED, CHECKED_IN, CANCELLED]


@pytest.mark.parametrize(
    ("life", "due_at", "before", "since"),
    [
        (AWAITING, START, "awaiting_approval", "expired"),
        (CONFIRMED, START + GRACE, "confirmed", "no_show"),
        (CHECKED_IN, END, "checked_in", "completed"),
    ],
    ids=["awaiting", "confirmed", "checked in"],
)
def test_what_falls_due_holds_from_its_due_instant(
    life: Life, due_at: datetime, before: Standing, since: Standing
) -> None:
    assert life.due() == (due_at, since)
    assert (life.standing(due_at - MICROSECOND), life.standing(due_at)) == (before, since)


@pytest.mark.parametrize("as_", ["cancelled", "rejected"])
def test_what_was_ended_stays_so_and_nothing_falls_due(as_: str) -> None:
    ended = msgspec.structs.replace(CONFIRMED, ended_at=MADE, ended_as=as_)
    assert ended.due() is None
    assert {ended.standing(at) for at in (MADE, START, END + timedelta(days=9))} == {as_}


def test_a_booking_made_after_its_start_has_its_grace_from_then_on() -> None:
    late = msgspec.structs.replace(
        CONFIRMED, made_at=START + timedelta(minutes=10), confirmed_at=START + timedelta(minutes=10)
    )
    assert late.due() == (START + timedelta(minutes=25), "no_show")


def test_a_booking_made_just_before_its_start_has_the_whole_grace() -> None:
    late = msgspec.structs.replace(CONFIRMED, made_at=START - MICROSECOND, confirmed_at=START - MICROSECOND)
    assert late.due() == (START + GRACE, "no_show")


def test_a_booking_confirmed_by_approval_has_its_grace_from_the_approval() -> None:
    approved = msgspec.structs.replace(AWAITING, confirmed_at=START + timedelta(minutes=5))
    assert approved.due() == (START + timedelta(minutes=20), "no_show")


def test_no_grace_outlives_the_slot() -> None:
    short = msgspec.structs.replace(CONFIRMED, end=START + timedelta(minutes=10))
    assert short.due() == (START + timedelta(minutes=10), "no_show")


@pytest.mark.parametrize(
    ("life", "at", "since"),
    [
        (CONFIRMED, START + GRACE - MICROSECOND, None),
        (CONFIRMED, START + GRACE, START + GRACE),
        (CONFIRMED, END + timedelta(days=1), START + GRACE),
        (AWAITING, START, START),
        (CHECKED_IN, END + timedelta(days=1), None),
        (CANCELLED, START, START),
    ],
    ids=["in its grace", "no-show", "long since", "expired", "completed holds its buffer", "cancelled"],
)
def test_it_releases_what_it_holds_when_missed_or_given_up(life: Life, at: datetime, since: datetime | None) -> None:
    assert life.releases_at(at) == since


@given(
    st.sampled_from(LIVES),
    st.integers(min_value=-200, max_value=200).map(lambda minutes: START + timedelta(minutes=minutes)),
)
def test_it_is_live_until_it_falls_due_and_never_again(life: Life, at: datetime) -> None:
    due = life.due()
    assert life.is_live(at) == (due is not None and at < due[0])
    assert life.is_live(at) == (life.standing(at) in LIVE)


@given(
    st.sampled_from(LIVES),
    st.integers(min_value=0, max_value=200),
    st.integers(min_value=0, max_value=200),
)
def test_what_it_once_released_it_never_holds_again(life: Life, first: int, more: int) -> None:
    at = START + timedelta(minutes=first)
    released = life.releases_at(at)
    assert released is None or life.releases_at(at + timedelta(minutes=more)) == released

"""What a request may bring, in bounds."""

from datetime import UTC, date, datetime, timedelta

import pytest

from linyue.api.bodies import BookingCancel, BookingRequest, Strict, after, days, in_bounds, key_of, known_form
from linyue.problems import Problem

NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)


def what(problem: pytest.ExceptionInfo[Problem]) -> tuple[int, object]:
    return problem.value.status, problem.value.members.get("field")


def test_a_body_is_read_strictly() -> None:
    """No number where a text is meant, no text where a number is, nothing that is not known."""
    read = Strict[BookingRequest]
    good = b'{"room": "r", "start": "2026-11-25T14:00:00+08:00", "end": "2026-11-25T15:00:00+08:00", "units": 2}'
    assert read(None).decode_bytes(good).units == 2  # type: ignore[arg-type]
    for bad in (good.replace(b"2}", b'"2"}'), good.replace(b'"r"', b"7"), good.replace(b"units", b"unit")):
        with pytest.raises(Problem):
            read(None).decode_bytes(bad)  # type: ignore[arg-type]


def test_each_body_has_a_reader_of_its_own() -> None:
    assert Strict[BookingCancel](None).decode_bytes(b'{"reason": "ill"}').reason == "ill"  # type: ignore[arg-type]


def test_an_id_is_short_and_has_no_control_characters() -> None:
    assert known_form("x" * 64, "room") == "x" * 64
    for bad in ("", "x" * 65, "a\0b", "a\nb", "a\x7fb"):
        with pytest.raises(Problem) as problem:
            known_form(bad, "room")
        assert what(problem) == (400, "room")


def test_instants_and_days_lie_where_one_can_reckon_with_them() -> None:
    assert in_bounds(NOON, "start") == NOON
    for year in (1, 1999, 2200, 9999):
        with pytest.raises(Problem):
            in_bounds(NOON.replace(year=year), "start")
        with pytest.raises(Problem):
            days(date(year, 1, 1), date(year, 1, 1), days_max=31)


def test_an_interval_ends_after_it_starts_and_is_not_too_long() -> None:
    after(NOON, NOON + timedelta(days=31), "end", 31)
    for end in (NOON, NOON - timedelta(hours=1), NOON + timedelta(days=31, seconds=1)):
        with pytest.raises(Problem) as problem:
            after(NOON, end, "end", 31)
        assert what(problem) == (400, "end")


def test_a_key_has_200_bytes_at_most() -> None:
    assert key_of(None) is None
    assert key_of("k" * 200) == "k" * 200
    for bad in ("", "k" * 201, "a\0b"):
        with pytest.raises(Problem):
            key_of(bad)

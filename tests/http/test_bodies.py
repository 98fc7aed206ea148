"""What a request may bring, in bounds."""

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import pytest

from linyue.api.bodies import Body, BookingCancel, BookingRequest, Strict, after, days, in_bounds, key_of, known_form
from linyue.problems import Problem

B = TypeVar("B", bound=Body)

NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)


class Sent:
    """As much of a connection as a reader of bodies looks at."""

    def __init__(self, content_type: str | None = None) -> None:
        self.headers = {"content-type": content_type} if content_type else {}


def read(body: type[B], value: bytes, content_type: str | None = None) -> B:
    found: B = Strict[body](Sent(content_type)).decode_bytes(value)  # type: ignore[arg-type,valid-type]
    return found


def what(problem: pytest.ExceptionInfo[Problem]) -> tuple[int, object]:
    return problem.value.status, problem.value.members.get("field")


def test_a_body_is_read_strictly() -> None:
    """No number where a text is meant, no text where a number is, nothing that is not known."""
    good = b'{"room": "r", "start": "2026-11-25T14:00:00+08:00", "end": "2026-11-25T15:00:00+08:00", "units": 2}'
    assert read(BookingRequest, good).units == 2
    for bad in (good.replace(b"2}", b'"2"}'), good.replace(b'"r"', b"7"), good.replace(b"units", b"unit")):
        with pytest.raises(Problem):
            read(BookingRequest, bad)


def test_each_body_has_a_reader_of_its_own() -> None:
    assert read(BookingCancel, b'{"reason": "ill"}').reason == "ill"


def test_what_says_that_it_is_no_json_is_not_read_as_json() -> None:
    for fine in (None, "application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"):
        assert read(BookingCancel, b"{}", fine) == BookingCancel()
    for other in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"):
        with pytest.raises(Problem) as problem:
            read(BookingCancel, b"{}", other)
        assert what(problem) == (415, None)


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

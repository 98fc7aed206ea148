"""A subdistrict's own days, hours and grid, on the days when its clocks jump too."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decisions.gumei import BERLIN, SHANGHAI, local

from booking.local_time import (
    ExtraHours,
    Hours,
    Interval,
    are_apart,
    are_valid,
    days_touched,
    grid,
    is_zone,
    local_day,
    local_instant,
    minutes_of,
    months_between,
    months_of,
    on_grid,
    open_intervals,
    peak,
)

# Berlin's clocks jump from 02:00 to 03:00 on the one, and back from 03:00 to 02:00 on the other.
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
TUESDAY = date(2026, 11, 24)
MICROSECOND = timedelta(microseconds=1)
ZONES = [SHANGHAI, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Africa/Cairo")]


def _jumps(zone: ZoneInfo) -> list[date]:
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    return [
        day
        for day in year
        if local_instant(day + timedelta(days=1), 0, zone) - local_instant(day, 0, zone) != timedelta(days=1)
    ]


def all_week(*times: tuple[str, str]) -> tuple[Hours, ...]:
    return tuple(Hours(weekday=day, opens=a, closes=b) for day in range(1, 8) for a, b in times)


def interval(start: str, end: str, zone: ZoneInfo = SHANGHAI) -> Interval:
    return Interval(local(start, zone), local(end, zone))


def extra(first_day: str, last_day: str, opens: str, closes: str, *weekdays: int) -> ExtraHours:
    return ExtraHours(first_day=first_day, last_day=last_day, opens=opens, closes=closes, weekdays=weekdays)


def on_the_wall(slots: Iterable[Interval], zone: ZoneInfo) -> list[str]:
    return [f"{slot.start.astimezone(zone):%H:%M}-{slot.end.astimezone(zone):%H:%M}" for slot in slots]


def test_intervals_that_touch_do_not_overlap() -> None:
    nine, ten = interval("2026-11-24 09:00", "2026-11-24 10:00"), interval("2026-11-24 10:00", "2026-11-24 11:00")
    assert not nine.overlaps(ten)
    assert not ten.overlaps(nine)


def test_an_interval_contains_itself() -> None:
    nine = interval("2026-11-24 09:00", "2026-11-24 10:00")
    assert nine.contains(nine)


@pytest.mark.parametrize(("text", "minutes"), [("00:00", 0), ("09:30", 570), ("24:00", 1440)])
def test_a_time_of_day_is_minutes_since_midnight(text: str, minutes: int) -> None:
    assert minutes_of(text) == minutes


def test_the_subdistrict_s_day_begins_at_its_own_midnight() -> None:
    midnight = datetime(2026, 11, 23, 16, tzinfo=UTC)
    assert (local_day(midnight - MICROSECOND, SHANGHAI), local_day(midnight, SHANGHAI)) == (date(2026, 11, 23), TUESDAY)


def test_an_interval_up_to_midnight_touches_one_day() -> None:
    assert days_touched(interval("2026-11-24 23:00", "2026-11-25 00:00"), SHANGHAI) == ("2026-11-24",)


def test_an_interval_over_midnight_touches_both_days() -> None:
    both = Interval(local("2026-11-24 23:00"), local("2026-11-25 00:00") + MICROSECOND)
    assert days_touched(both, SHANGHAI) == ("2026-11-24", "2026-11-25")


def test_an_interval_of_days_touches_each_over_the_border_of_a_year() -> None:
    days = days_touched(interval("2026-12-30 12:00", "2027-01-02 12:00"), SHANGHAI)
    assert days == ("2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02")


def test_the_months_of_days_are_told_once_each() -> None:
    assert months_of(["2026-11-29", "2026-11-30", "2026-12-01"]) == ("2026-11", "2026-12")


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), ("2026-11",)),
        (date(2026, 11, 30), date(2026, 12, 1), ("2026-11", "2026-12")),
        (date(2026, 12, 31), date(2027, 2, 1), ("2026-12", "2027-01", "2027-02")),
    ],
)
def test_the_months_between_two_days_include_both(first: date, last: date, months: tuple[str, ...]) -> None:
    assert months_between(first, last) == months


def test_hours_are_those_of_the_weekday() -> None:
    hours = (Hours(weekday=2, opens="09:00", closes="12:00"), Hours(weekday=3, opens="14:00", closes="18:00"))
    assert open_intervals(TUESDAY, hours, SHANGHAI) == (interval("2026-11-24 09:00", "2026-11-24 12:00"),)


def test_hours_are_told_in_order() -> None:
    hours = all_week(("14:00", "18:00"), ("09:00", "12:00"))
    assert on_the_wall(open_intervals(TUESDAY, hours, SHANGHAI), SHANGHAI) == ["09:00-12:00", "14:00-18:00"]


DAY_HOURS = all_week(("09:00", "17:00"))


def open_on_tuesday(*more: ExtraHours, hours: tuple[Hours, ...] = DAY_HOURS) -> list[str]:
    return on_the_wall(open_intervals(TUESDAY, hours, SHANGHAI, more), SHANGHAI)


@pytest.mark.parametrize(
    ("more", "opens"),
    [
        (extra("2026-11-24", "2026-11-24", "19:00", "21:00"), ["09:00-17:00", "19:00-21:00"]),
        (extra("2026-11-01", "2026-11-30", "17:00", "21:00"), ["09:00-21:00"]),
        (extra("2026-11-01", "2026-11-30", "15:00", "21:00"), ["09:00-21:00"]),
        (extra("2026-11-01", "2026-11-30", "08:00", "09:00"), ["08:00-17:00"]),
        (extra("2026-11-01", "2026-11-30", "10:00", "11:00"), ["09:00-17:00"]),
        (extra("2026-11-24", "2026-11-24", "19:00", "21:00", 2, 4), ["09:00-17:00", "19:00-21:00"]),
        (extra("2026-11-01", "2026-11-30", "19:00", "21:00", 1, 3), ["09:00-17:00"]),
        (extra("2026-11-25", "2026-11-30", "19:00", "21:00"), ["09:00-17:00"]),
        (extra("2026-11-01", "2026-11-23", "19:00", "21:00"), ["09:00-17:00"]),
    ],
    ids=[
        "apart", "touching", "overlapping", "before", "within", "on this weekday", "on other weekdays",
        "from the day after", "up to the day before",
    ],
)  # fmt: skip
def test_extra_hours_are_open_beside_those_of_the_week(more: ExtraHours, opens: list[str]) -> None:
    assert open_on_tuesday(more) == opens


def test_extra_hours_meet_one_another() -> None:
    evenings = [
        extra("2026-11-24", "2026-11-24", opens, closes) for opens, closes in (("19:00", "21:00"), ("17:00", "19:00"))
    ]
    assert open_on_tuesday(*evenings) == ["09:00-21:00"]


def test_a_day_without_hours_of_the_week_has_its_extra_hours() -> None:
    assert open_on_tuesday(extra("2026-11-24", "2026-11-24", "19:00", "21:00"), hours=()) == ["19:00-21:00"]


@pytest.mark.parametrize(
    ("more", "valid"),
    [
        (extra("2026-11-24", "2026-11-24", "19:00", "21:00"), True),
        (extra("2026-11-24", "2026-11-23", "19:00", "21:00"), False),
        (extra("2026-11-24", "2026-11-24", "21:00", "21:00"), False),
        (extra("2027-02-29", "2027-03-01", "19:00", "21:00"), False),
        (extra("2027-02-28", "2027-02-30", "19:00", "21:00"), False),
        (extra("2028-02-29", "2028-02-29", "23:00", "24:00"), True),
    ],
)
def test_extra_hours_end_after_they_begin_and_name_days_that_there_are(more: ExtraHours, *, valid: bool) -> None:
    assert are_valid([more]) is valid


def test_hours_that_meet_are_one_time() -> None:
    """Who books over noon is not asked to leave the room in between."""
    hours = all_week(("09:00", "12:00"), ("12:00", "18:00"))
    assert on_the_wall(open_intervals(TUESDAY, hours, SHANGHAI), SHANGHAI) == ["09:00-18:00"]


def test_the_grid_has_as_many_slots_as_fit() -> None:
    slots = grid(TUESDAY, all_week(("09:00", "12:30"), ("14:00", "16:00")), 90, SHANGHAI)
    assert on_the_wall(slots, SHANGHAI) == ["09:00-10:30", "10:30-12:00", "14:00-15:30"]


def test_a_slot_is_on_the_grid_with_both_of_its_ends() -> None:
    nine = interval("2026-11-24 09:00", "2026-11-24 12:00")
    within = interval("2026-11-24 10:00", "2026-11-24 12:00")
    assert on_grid(within, nine, 60)
    assert not on_grid(Interval(within.start, within.end - timedelta(minutes=30)), nine, 60)
    assert not on_grid(Interval(within.start + timedelta(minutes=30), within.end), nine, 60)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (TUESDAY, 24)], ids=["spring", "autumn", "any"])
def test_a_day_has_as_many_hours_as_the_clocks_give_it(day: date, hours: int) -> None:
    assert len(grid(day, all_week(("00:00", "24:00")), 60, BERLIN)) == hours


def test_the_clocks_jump_does_not_move_the_hours_of_the_day() -> None:
    """Open from nine by the clock on the wall, before and after."""
    for day in (SPRING, AUTUMN):
        slots = grid(day, all_week(("09:00", "11:00")), 60, BERLIN)
        assert on_the_wall(slots, BERLIN) == ["09:00-10:00", "10:00-11:00"]


def test_in_spring_the_hour_that_is_not_is_no_slot() -> None:
    slots = grid(SPRING, all_week(("01:00", "04:00")), 60, BERLIN)
    assert on_the_wall(slots, BERLIN) == ["01:00-03:00", "03:00-04:00"]


def test_in_autumn_the_hour_that_comes_twice_is_two_slots() -> None:
    slots = grid(AUTUMN, all_week(("01:00", "04:00")), 60, BERLIN)
    assert on_the_wall(slots, BERLIN) == ["01:00-02:00", "02:00-02:00", "02:00-03:00", "03:00-04:00"]
    assert {slot.end - slot.start for slot in slots} == {timedelta(hours=1)}


def test_in_spring_hours_around_the_jump_stay_apart() -> None:
    """02:30 is never on the wall that day; what closes then must not run into what opens at 03:00."""
    opens = open_intervals(SPRING, all_week(("01:00", "02:30"), ("03:00", "05:00")), BERLIN)
    assert all(not one.overlaps(next_) for one, next_ in pairwise(opens))


def test_an_instant_before_the_jump_is_an_hour_earlier_in_utc_than_one_after() -> None:
    assert local_instant(SPRING, 60, BERLIN) == datetime(2026, 3, 29, 0, tzinfo=UTC)
    assert local_instant(SPRING, 180, BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "known"), [("Asia/Shanghai", True), ("Asia/Gumei", False), ("", False), ("/etc", False)]
)
def test_a_zone_is_known_by_its_name(name: str, *, known: bool) -> None:
    assert is_zone(name) is known


@pytest.mark.parametrize(
    ("times", "apart"),
    [
        ([("09:00", "12:00"), ("12:00", "14:00")], True),
        ([("14:00", "18:00"), ("09:00", "12:00")], True),
        ([("09:00", "12:00"), ("11:59", "14:00")], False),
        ([("09:00", "18:00"), ("10:00", "11:00")], False),
        ([("12:00", "09:00")], False),
        ([("09:00", "09:00")], False),
    ],
)
def test_hours_of_a_weekday_are_apart_or_they_are_no_hours(times: list[tuple[str, str]], *, apart: bool) -> None:
    assert are_apart(Hours(weekday=1, opens=a, closes=b) for a, b in times) is apart


def test_hours_of_different_weekdays_never_meet() -> None:
    assert are_apart(all_week(("00:00", "24:00")))


minutes = st.integers(min_value=0, max_value=48)
intervals = st.tuples(minutes, minutes, st.integers(min_value=1, max_value=4)).map(
    lambda t: (_interval(min(t[:2]), max(t[:2]) + 1), t[2])
)


def _interval(first: int, last: int) -> Interval:
    zero = local("2026-11-24 00:00")
    return Interval(zero + timedelta(minutes=first), zero + timedelta(minutes=last))


@given(st.lists(intervals, max_size=12), intervals)
def test_the_peak_is_what_one_finds_by_looking_at_every_instant(
    taken: list[tuple[Interval, int]], within: tuple[Interval, int]
) -> None:
    around = within[0]
    looked = 0
    at = around.start
    while at < around.end:
        looked = max(looked, sum(units for slot, units in taken if slot.start <= at < slot.end))
        at += timedelta(minutes=1)
    assert peak(taken, around) == looked


# Every day on which the clocks of one of the zones jump, and any other.
some_day = st.sampled_from([day for zone in ZONES for day in _jumps(zone)]) | st.dates(
    min_value=date(2026, 1, 1), max_value=date(2027, 12, 31)
)
times_of_day = st.integers(min_value=0, max_value=288).map(lambda n: f"{n * 5 // 60:02d}:{n * 5 % 60:02d}")


@st.composite
def hours_apart(draw: st.DrawFn) -> list[tuple[str, str]]:
    ends = sorted(draw(st.sets(times_of_day, min_size=2, max_size=6)))
    return list(zip(ends[::2], ends[1::2], strict=False))


@given(
    hours_apart(),
    st.integers(min_value=5, max_value=180),
    st.sampled_from(ZONES),
    some_day,
)
def test_slots_of_a_day_never_overlap_and_lie_within_its_hours(
    times: list[tuple[str, str]], slot_minutes: int, zone: ZoneInfo, day: date
) -> None:
    hours = all_week(*times)
    slots = grid(day, hours, slot_minutes, zone)
    assert all(not one.overlaps(next_) and one < next_ for one, next_ in pairwise(slots))
    opens = open_intervals(day, hours, zone)
    assert all(any(open_.contains(slot) and on_grid(slot, open_, slot_minutes) for open_ in opens) for slot in slots)


@given(st.sampled_from(ZONES), some_day)
def test_the_days_follow_one_another_without_gap(zone: ZoneInfo, day: date) -> None:
    end = open_intervals(day, all_week(("00:00", "24:00")), zone)[0].end
    assert end == open_intervals(day + timedelta(days=1), all_week(("00:00", "24:00")), zone)[0].start

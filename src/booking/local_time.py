"""Half-open intervals, and a subdistrict's own days, opening hours and slot grid.

Instants are aware and in UTC; days and times of day are those of the subdistrict's zone.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

REMEMBERED = 8_192
"""How many answers each of the functions below remembers: the days and slots that are asked about are few, and asked
about over and over. The zone's own arithmetic is most of what drawing a grid costs."""

TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
"""A local time of day as HH:MM; 24:00 is the end of the day."""
Weekday = Annotated[int, msgspec.Meta(ge=1, le=7)]
"""1 Monday … 7 Sunday."""
LocalDay = Annotated[str, msgspec.Meta(pattern=r"^2[01]\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
"""A local day as YYYY-MM-DD, from 2000 to 2199."""


class Interval(msgspec.Struct, frozen=True, order=True, gc=False):
    """From `start` up to but not including `end`."""

    start: datetime
    end: datetime

    def overlaps(self, other: "Interval") -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Interval") -> bool:
        return self.start <= other.start and other.end <= self.end

    @property
    def minutes(self) -> int:
        return int((self.end - self.start).total_seconds() // 60)


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """Open on a weekday (1 Monday … 7 Sunday) from one local time to another."""

    weekday: Weekday
    opens: TimeOfDay
    closes: TimeOfDay


class ExtraHours(msgspec.Struct, frozen=True, kw_only=True):
    """Open for a time beside the week's hours: from `first_day` to `last_day`, both included.

    On these `weekdays`, or on every day where none is named.
    """

    first_day: LocalDay
    last_day: LocalDay
    weekdays: Annotated[tuple[Weekday, ...], msgspec.Meta(max_length=7)] = ()
    opens: TimeOfDay
    closes: TimeOfDay

    def are_on(self, day: date) -> bool:
        """Whether they hold on this local day."""
        named = not self.weekdays or day.isoweekday() in self.weekdays
        return named and self.first_day <= day.isoformat() <= self.last_day


@lru_cache(maxsize=64)
def zone_named(name: str) -> ZoneInfo:
    """The time zone of this IANA name; raises `zoneinfo.ZoneInfoNotFoundError` where there is none."""
    return ZoneInfo(name)


def is_zone(name: str) -> bool:
    """Whether a time zone has this name."""
    try:
        zone_named(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def minutes_of(time_of_day: str) -> int:
    """Minutes since midnight of an HH:MM."""
    hours, minutes = time_of_day.split(":")
    return int(hours) * 60 + int(minutes)


@lru_cache(maxsize=REMEMBERED)
def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The subdistrict's calendar day in which an instant lies."""
    return instant.astimezone(zone).date()


@lru_cache(maxsize=REMEMBERED)
def local_instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which the clock on the wall shows so many minutes after midnight of a day."""
    return (datetime.combine(day, time(), zone) + timedelta(minutes=minutes)).astimezone(UTC)


@lru_cache(maxsize=REMEMBERED)
def days_touched(interval: Interval, zone: ZoneInfo) -> tuple[str, ...]:
    """Every local day (YYYY-MM-DD) of which the interval has an instant."""
    first = local_day(interval.start, zone)
    last = local_day(interval.end - timedelta(microseconds=1), zone)
    return tuple(str(first + timedelta(days=n)) for n in range((last - first).days + 1))


def months_of(days: Iterable[str]) -> tuple[str, ...]:
    """The months (YYYY-MM) of these days, in order."""
    return tuple(dict.fromkeys(day[:7] for day in days))


@lru_cache(maxsize=REMEMBERED)
def months_between(first: date, last: date) -> tuple[str, ...]:
    """Every month (YYYY-MM) from one day's to another's, both included."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    months = (divmod(first.year * 12 + first.month - 1 + n, 12) for n in range(count))
    return tuple(f"{year:04d}-{month + 1:02d}" for year, month in months)


@lru_cache(maxsize=REMEMBERED)
def open_intervals(
    day: date, hours: tuple[Hours, ...], zone: ZoneInfo, extra: tuple[ExtraHours, ...] = ()
) -> tuple[Interval, ...]:
    """When it is open on a local day, in order and apart: hours that meet or overlap are one time."""
    weekday = day.isoweekday()
    on_the_wall = [(h.opens, h.closes) for h in hours if h.weekday == weekday]
    on_the_wall += [(more.opens, more.closes) for more in extra if more.are_on(day)]
    # In order of the instants: what the clocks jump over is read as a time after the jump.
    intervals = sorted(
        Interval(local_instant(day, minutes_of(opens), zone), local_instant(day, minutes_of(closes), zone))
        for opens, closes in on_the_wall
    )
    merged: list[Interval] = []
    for interval in intervals:
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        elif interval.start < interval.end:
            merged.append(interval)
    return tuple(merged)


def are_apart(hours: Iterable[Hours]) -> bool:
    """Whether each of these opens before it closes, and none of a weekday before the one before has closed."""
    in_order = sorted((h.weekday, minutes_of(h.opens), minutes_of(h.closes)) for h in hours)
    each = all(opens < closes for _, opens, closes in in_order)
    return each and all(
        day != next_day or closes <= opens for (day, _, closes), (next_day, opens, _) in pairwise(in_order)
    )


def are_valid(extra: Iterable[ExtraHours]) -> bool:
    """Whether each of these begins on a day that there is, ends on one no earlier, and opens before it closes."""
    return all(
        _is_day(more.first_day)
        and _is_day(more.last_day)
        and more.first_day <= more.last_day
        and minutes_of(more.opens) < minutes_of(more.closes)
        for more in extra
    )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=REMEMBERED)
def grid(
    day: date, hours: tuple[Hours, ...], slot_minutes: int, zone: ZoneInfo, extra: tuple[ExtraHours, ...] = ()
) -> tuple[Interval, ...]:
    """The slots of a local day: steps of `slot_minutes` from each opening, as many as fit before closing."""
    return tuple(_steps(open_intervals(day, hours, zone, extra), timedelta(minutes=slot_minutes)))


def _steps(opens: Iterable[Interval], step: timedelta) -> Iterator[Interval]:
    for open_ in opens:
        start = open_.start
        while start + step <= open_.end:
            yield Interval(start, start + step)
            start += step


def on_grid(interval: Interval, open_: Interval, slot_minutes: int) -> bool:
    """Whether both ends stand on the grid that begins at this opening."""
    step = timedelta(minutes=slot_minutes)
    zero = timedelta()
    return (interval.start - open_.start) % step == zero and (interval.end - open_.start) % step == zero


def peak(taken: Iterable[tuple[Interval, int]], within: Interval) -> int:
    """The most units taken at one instant of `within`, by a sweep over the ends of the intervals."""
    changes: list[tuple[datetime, int]] = []
    for interval, units in taken:
        if interval.overlaps(within):
            changes.append((interval.start, units))
            changes.append((interval.end, -units))
    most = now = 0
    # At the same instant an end (negative) comes before a start: intervals are half-open.
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most

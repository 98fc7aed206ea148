"""The house rules 预约须知: one event a version, and the state HouseRules with the defaults of the first day."""

from typing import Annotated

import msgspec

from booking.local_time import Hours, TimeOfDay
from booking.messages import Event, Recorded

RULES = "rules"

Minutes = Annotated[int, msgspec.Meta(ge=0, le=44_640)]
Few = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
# Deciders read every month up to the horizon, so it has a bound: a quarter of a year is more than any station asks.
Horizon = Annotated[int, msgspec.Meta(ge=0, le=92)]

EVERY_DAY = tuple(Hours(weekday=weekday, opens="09:00", closes="21:00") for weekday in range(1, 8))


class RuleBook(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one version. Times of day are the subdistrict's own.

    `ahead_days_max`: a day can be booked from `release` (HH:MM) of the day so many days before it.
    `grace_minutes`: how long after the start (or after a later making) an unclaimed booking is kept.
    """

    hours: tuple[Hours, ...] = EVERY_DAY
    duration_minutes_max: Minutes = 180
    lead_minutes_min: Minutes = 30
    ahead_days_max: Horizon = 14
    release: TimeOfDay = "08:00"
    open_bookings_max: Few = 3
    grace_minutes: Minutes = 15
    check_in_minutes_before: Minutes = 15


class RulesChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The office set the rules from now on: all of them, so that this event alone says what held."""

    book: RuleBook

    def tags(self) -> tuple[str, ...]:
        return (RULES,)


class HouseRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force. `version` counts from 1, 0 before the office decided any; `position` is that of their event.

    `ahead_days_ever` is the farthest horizon that any version had: how far ahead a booking can lie.
    """

    book: RuleBook = RuleBook()
    version: int = 0
    position: int = 0
    ahead_days_ever: int = RuleBook().ahead_days_max

    def evolve(self, recorded: Recorded, tag: str) -> "HouseRules":
        match recorded.event:
            case RulesChanged(book=book):
                return HouseRules(
                    book=book,
                    version=self.version + 1,
                    position=recorded.position,
                    ahead_days_ever=max(self.ahead_days_ever, book.ahead_days_max),
                )
        return self


EVENTS: tuple[type[Event], ...] = (RulesChanged,)

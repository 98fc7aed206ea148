"""A slot that is asked for, by a request or a change: what must have been read to judge it, and what was."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict
from zoneinfo import ZoneInfo

from booking.local_time import Interval, days_touched, zone_named
from booking.messages import Asker, Role
from booking.places.events import SUBDISTRICT, Resource, RoomDefinition, Subdistrict, Use
from booking.reservations import checks
from booking.reservations.checks import Known, Wanted, quota_months
from booking.reservations.events import person_month_tag
from booking.reservations.states import PersonMonth, ResourceDay
from booking.rules.events import RULES, HouseRules
from booking.state import State
from booking.takes import Take, resource_day_tag, resource_tag

STATION_PREFIX = checks.STATION_PREFIX
SLOT_MAX = timedelta(days=31)
"""The longest that any rules can allow: beyond it a request is not refused by them but not valid."""

MAY_APPROVE: frozenset[Role] = frozenset({"staff", "admin", "system"})
"""Who answers requests, and books in a station's name."""


class Said(TypedDict):
    """What every event that makes or moves a booking says of it."""

    booking: str
    room: str
    station: str
    use: str
    units: int
    start: datetime
    end: datetime
    held_until: datetime
    takes: tuple[Take, ...]
    days: tuple[str, ...]
    person: str
    grace_minutes: int
    attendees: int | None


def station_person(station: str) -> str:
    """In whose name staff book for their station; no quota binds it."""
    return STATION_PREFIX + station


def may_book_for(asker: Asker, person: str, station: str) -> bool:
    """In a station's name, and so without a quota, book only those who run it."""
    if person.startswith(STATION_PREFIX):
        named = person.removeprefix(STATION_PREFIX)
        runs_both = all(asker.may_touch(person=None, station=one) for one in (station, named))
        return runs_both and asker.role in MAY_APPROVE
    return asker.may_touch(person=person, station=station)


def is_slot(start: datetime, end: datetime) -> bool:
    """Whether a request for this time can be judged at all."""
    return timedelta() < end - start <= SLOT_MAX


def use_of(definition: RoomDefinition, use: str | None) -> Use | None:
    """The use of this name; the only one where none is named."""
    if use is None:
        return definition.uses[0] if len(definition.uses) == 1 else None
    return definition.use_named(use)


def zone_of(state: State) -> ZoneInfo:
    """The subdistrict's time zone."""
    return zone_named(state.at(Subdistrict, SUBDISTRICT).time_zone)


def tags_of_days(resources: Iterable[str], held: Interval, state: State) -> Iterable[str]:
    """The resources, and each of their days in the time that is held."""
    days = days_touched(held, zone_of(state))
    return [
        tag
        for resource in resources
        for tag in (resource_tag(resource), *(resource_day_tag(resource, d) for d in days))
    ]


def tags_of_quota(person: str, state: State, now: datetime) -> Iterable[str]:
    """The months in which the person's open bookings can lie."""
    return [
        person_month_tag(person, month)
        for month in quota_months(person, state.at(HouseRules, RULES), zone_of(state), now)
    ]


def known_of(
    wanted: Wanted, state: State, now: datetime, *, person: str | None, leaving_out: str | None = None
) -> Known:
    """What was read of the slot; without a person, no quota is asked about."""
    zone, rules = zone_of(state), state.at(HouseRules, RULES)
    resources = [take.resource for take in wanted.use.takes]
    day_tags = [resource_day_tag(r, day) for r in resources for day in days_touched(wanted.held(), zone)]
    months = [person_month_tag(person, month) for month in quota_months(person, rules, zone, now)] if person else ()
    return Known(
        rules=rules,
        zone=zone,
        resources={resource: state.at(Resource, resource_tag(resource)) for resource in resources},
        days={tag: state.at(ResourceDay, tag) for tag in day_tags},
        months=tuple(state.at(PersonMonth, tag) for tag in months) if months else None,
        leaving_out=leaving_out,
    )


def said_of(wanted: Wanted, known: Known, *, booking: str, person: str) -> Said:
    """The slot in full, as an event says it."""
    held_until = wanted.held().end
    return Said(
        booking=booking,
        room=wanted.room.room,
        station=wanted.definition.station,
        use=wanted.use.use,
        units=wanted.units,
        start=wanted.slot.start,
        end=wanted.slot.end,
        held_until=held_until,
        takes=tuple(Take(resource=take.resource, units=take.units * wanted.units) for take in wanted.use.takes),
        days=days_touched(Interval(wanted.slot.start, held_until), known.zone),
        person=person,
        grace_minutes=known.rules.book.grace_minutes,
        attendees=wanted.attendees,
    )

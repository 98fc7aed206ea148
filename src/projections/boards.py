"""Boards from states: which states a board is made of, whoever keeps them, and how. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

from booking.local_time import zone_named
from booking.messages import Reason
from booking.places.events import SUBDISTRICT, Resource, Room, Subdistrict
from booking.reservations.checks import Known, quota_months, used_up
from booking.reservations.events import person_month_tag
from booking.reservations.states import PersonMonth, ResourceDay
from booking.rules.events import RULES, HouseRules
from booking.state import Kind
from booking.takes import resource_day_tag, resource_tag
from projections.grid import Board

Tag = str
K = TypeVar("K", bound=Kind)


class NotOpened(LookupError):
    """The subdistrict is not open yet: its catalogue must be loaded first."""


class Sought(NamedTuple):
    """Which rooms (of one id, of a station, with a use), from one local day to another, and by whose quota."""

    first_day: date
    last_day: date
    room: str | None = None
    station: str | None = None
    use: str | None = None
    person: str | None = None


class Extent(NamedTuple):
    """The rooms that are sought and what they take, and the tags of its days: the same until places change."""

    rooms: Mapping[str, Room]
    resources: Mapping[str, Resource]
    days: tuple[Tag, ...]


def extent_of(sought: Sought, places: Mapping[Tag, Kind]) -> Extent:
    """What of the places is sought."""
    chosen = rooms_of(places, sought.room, sought.station, sought.use)
    names = dict.fromkeys(r for room_ in chosen.values() if room_.definition for r in room_.definition.resources())
    # The days of the grid, and the one into which the last slot's buffer may reach.
    last = (sought.last_day - sought.first_day).days + 1
    days = [str(sought.first_day + timedelta(days=n)) for n in range(last + 1)]
    return Extent(
        rooms=chosen,
        resources={name: at(Resource, resource_tag(name), places) for name in names},
        days=tuple(resource_day_tag(name, day) for name in names for day in days),
    )


def tags_of(sought: Sought, extent: Extent, places: Mapping[Tag, Kind], now: datetime) -> list[Tag]:
    """The states of which a board is made, beside those of places. Raises `NotOpened`."""
    return [*extent.days, *month_tags(sought.person, places, now)]


def month_tags(person: str | None, places: Mapping[Tag, Kind], now: datetime) -> list[Tag]:
    """The months that a person's quota counts; none where no quota binds. Raises `NotOpened`."""
    if person is None:
        return []
    months = quota_months(person, at(HouseRules, RULES, places), zone_of(places), now)
    return [person_month_tag(person, month) for month in months]


def board_of(
    sought: Sought, extent: Extent, places: Mapping[Tag, Kind], kept: Mapping[Tag, Kind], now: datetime
) -> Board:
    """The board of these states, in which all tags are that `tags_of` names. Raises `NotOpened`."""
    months = month_tags(sought.person, places, now)
    known = Known(
        rules=at(HouseRules, RULES, places),
        zone=zone_of(places),
        resources=extent.resources,
        days={tag: at(ResourceDay, tag, kept) for tag in extent.days},
        months=tuple(at(PersonMonth, tag, kept) for tag in months) if months else None,
    )
    return Board(rooms=extent.rooms, known=known, first_day=sought.first_day, last_day=sought.last_day, now=now)


def quota_of(person: str, places: Mapping[Tag, Kind], kept: Mapping[Tag, Kind], now: datetime) -> Reason | None:
    """What keeps a person, whose `month_tags` are kept, from booking anything more, if so. Raises `NotOpened`."""
    months = tuple(at(PersonMonth, tag, kept) for tag in month_tags(person, places, now))
    rules, zone = at(HouseRules, RULES, places), zone_of(places)
    return used_up(Known(rules=rules, zone=zone, resources={}, days={}, months=months or None), now)


def rooms_of(places: Mapping[Tag, Kind], id_: str | None, station: str | None, use: str | None) -> dict[str, Room]:
    return {
        found.room: found
        for found in all_of(Room, places)
        if (definition := found.definition)
        and id_ in (None, found.room)
        and station in (None, definition.station)
        and (use is None or definition.use_named(use))
    }


def zone_of(found: Mapping[Tag, Kind]) -> ZoneInfo:
    name = at(Subdistrict, SUBDISTRICT, found).time_zone
    if not name:
        raise NotOpened("no event has opened this subdistrict")
    return zone_named(name)


def at(kind: type[K], tag: str, found: Mapping[Tag, Kind]) -> K:
    """The state of a tag, empty where it has had no event, as the deciders have it."""
    return cast(K, found[tag]) if tag in found else kind()


def all_of(kind: type[K], found: Mapping[Tag, Kind]) -> list[K]:
    return [state for _, state in of_kind(kind, found)]


def of_kind(kind: type[K], found: Mapping[Tag, Kind]) -> list[tuple[Tag, K]]:
    """All states of a kind, with their tags."""
    return [(tag, state) for tag, state in found.items() if isinstance(state, kind)]

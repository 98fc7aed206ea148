"""A catalogue of stations, spaces, rooms and resources in TOML, brought in by commands, as often as one likes."""

import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET

from booking.desk import new_command_id
from booking.local_time import Hours
from booking.messages import Answer, Ask, Asker, Command, Outcome, Slug
from booking.places.decide import (
    ChangeResource,
    ChangeRoom,
    OpenResource,
    OpenRoom,
    OpenSpace,
    OpenStation,
    OpenSubdistrict,
)
from booking.places.events import RoomDefinition, Use
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take

IMPORTER = Asker(id="catalogue", role="system", channel="import", scope="all")

WeekHours = dict[Annotated[str, msgspec.Meta(pattern=r"^[1-7](-[1-7])?$")], list[str]]


class CatalogueInvalid(Exception):
    """The catalogue cannot be read or brought in; the message says where it is wrong."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelt name in the file is an error, not a silence."""


class _Use(_Strict, frozen=True, kw_only=True):
    use: str
    takes: list[str]
    units: int = 1
    slot_minutes: int = 60
    approval: bool = False


class _Room(_Strict, frozen=True, kw_only=True):
    id: Slug
    name: str
    uses: list[_Use]
    hours: WeekHours = {}
    buffer_minutes: int = 0
    seats: int | None = None
    sample: bool = False


class _Space(_Strict, frozen=True, kw_only=True):
    id: Slug
    name: str
    rooms: list[_Room] = []


class _Resource(_Strict, frozen=True, kw_only=True):
    id: Slug
    name: str
    capacity: int


class _Station(_Strict, frozen=True, kw_only=True):
    id: Slug
    name: str
    power: str
    theme: str
    resources: list[_Resource] = []
    spaces: list[_Space] = []


class _Subdistrict(_Strict, frozen=True, kw_only=True):
    name: str
    time_zone: str


class Catalogue(_Strict, frozen=True, kw_only=True):
    """The whole file."""

    subdistrict: _Subdistrict
    rules: dict[str, object] = {}
    stations: list[_Station] = []


def read(path: Path) -> Catalogue:
    """The catalogue in a file. Raises `CatalogueInvalid` with the place of what is wrong."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Catalogue)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueInvalid(f"{path.name}: {error}") from error


def commands(catalogue: Catalogue) -> Iterator[Command]:
    """What opens all that the catalogue lists, in an order in which each finds what it stands on."""
    yield OpenSubdistrict(name=catalogue.subdistrict.name, time_zone=catalogue.subdistrict.time_zone)
    yield ChangeRules(book=_rule_book(catalogue.rules))
    for station in catalogue.stations:
        yield OpenStation(station=station.id, name=station.name, power=station.power, theme=station.theme)
        for resource in station.resources:
            yield OpenResource(resource=resource.id, station=station.id, name=resource.name, capacity=resource.capacity)
        for space in station.spaces:
            yield OpenSpace(space=space.id, station=station.id, name=space.name)
            for room in space.rooms:
                yield OpenRoom(room=room.id, definition=_definition(room, station.id, space.id))


async def bring_in(catalogue: Catalogue, ask: Callable[[Ask], Awaitable[Answer]]) -> int:
    """Ask for all that the catalogue lists. Returns how many changed: what differs is changed, the rest stays.

    Raises `CatalogueInvalid` where a command is refused, as when live bookings do not fit a changed room.
    """
    changed = 0
    for command in commands(catalogue):
        change = _as_change(command)
        # Whether it is there already is asked without writing: that it is would else be a refusal in the log.
        known = change is not None and (await _asked(ask, command, dry_run=True)).outcome is Outcome.REFUSED
        answer = await _asked(ask, change if change is not None and known else command)
        if answer.outcome is not Outcome.DONE:
            raise CatalogueInvalid(f"{command} was answered {answer.body.decode()}")
        changed += msgspec.json.decode(answer.body)["changed"]
    return changed


async def _asked(ask: Callable[[Ask], Awaitable[Answer]], command: Command, *, dry_run: bool = False) -> Answer:
    return await ask(Ask(id=new_command_id(), command=command, asker=IMPORTER, dry_run=dry_run))


def _as_change(command: Command) -> Command | None:
    match command:
        case OpenRoom(room=room, definition=definition):
            # The file knows no extra hours: those that staff have given a room stay.
            return msgspec.structs.replace(ChangeRoom.to(room, definition), extra_hours=UNSET)
        case OpenResource(resource=resource, name=name, capacity=capacity):
            return ChangeResource(resource=resource, name=name, capacity=capacity)
    return None


def _definition(room: _Room, station: str, space: str) -> RoomDefinition:
    return RoomDefinition(
        name=room.name,
        station=station,
        space=space,
        uses=tuple(
            Use(
                use=u.use,
                takes=tuple(map(_take, u.takes)),
                units=u.units,
                slot_minutes=u.slot_minutes,
                approval=u.approval,
            )
            for u in room.uses
        ),
        hours=_hours(room.hours),
        buffer_minutes=room.buffer_minutes,
        seats=room.seats,
        sample=room.sample,
    )


def _take(text: str) -> Take:
    """`resource`, or `resource x 2`."""
    resource, _, units = text.partition(" x ")
    return Take(resource=resource, units=int(units or 1))


def _hours(hours: WeekHours) -> tuple[Hours, ...]:
    """`{"1-5" = ["09:00-12:00"]}`, a line for each weekday."""
    return tuple(
        Hours(weekday=weekday, opens=opens, closes=closes)
        for days, times in hours.items()
        for weekday in range(int(days[0]), int(days[-1]) + 1)
        for opens, closes in (time.split("-") for time in times)
    )


def _rule_book(rules: dict[str, object]) -> RuleBook:
    given = dict(rules)
    if "hours" in given:
        given["hours"] = _hours(msgspec.convert(given["hours"], WeekHours))
    return msgspec.convert(given, RuleBook)

"""Bookings told to whoever looks: with the names of their places and people, what comes next, and who did what."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from booking.reservations.decide import STATION_PREFIX
from booking.vault import text_id
from linyue.api.agenda import seen, sees_texts
from linyue.api.history import HistoryItem, history_item, rooms_moved_to
from linyue.api.people import names, texts
from linyue.pages.page import Visit
from linyue.words import Words, codes
from projections import availability, history
from projections.agenda import Item
from projections.history import Row

SEE = "GET bookings/{booking}"
EARLY = Words("{since} 起可以签到。", "Check-in opens at {since}.")
NOW = Words("现在可以签到，最晚到 {until}。", "Check in now, at the latest by {until}.")
WAITS = Words(
    "等工作人员答复；到开始时还没有答复，预约自动失效。", "The staff will answer; unanswered at its start, it expires."
)
WHO = Words("{name}（{role}）", "{name} ({role})")
WAY = Words("{who}，{way}", "{who}, {way}")


class Step(NamedTuple):
    """Something that happened: a sentence, who did it and by which way, when; and what they said beside it."""

    text: str
    who: str
    at: datetime
    note: str | None


async def visible(visit: Visit, booking: str) -> Item:
    """A booking that the visitor may see. Raises a Problem; another's booking is as good as none."""
    async with visit.reading("agenda") as snapshot:
        return await seen(snapshot, visit.caller(SEE), booking, visit.now)


async def rows(visit: Visit, items: Iterable[Item]) -> list[dict[str, Any]]:
    """Bookings with the names of their room, station and person."""
    items = list(items)
    if not items:
        return []
    async with visit.reading("availability") as snapshot:
        rooms = await availability.room_names(snapshot)
    people = await names(visit.parts, {item.person for item in items})
    return [
        {
            **msgspec.structs.asdict(item),
            "room_name": rooms[item.room].name,
            "station_name": rooms[item.room].station,
            "person_name": _person(visit, item.person, rooms[item.room].station, people),
        }
        for item in items
    ]


def may_check_in(visit: Visit, item: Item, early: timedelta) -> bool:
    """Whether it is time for somebody who is here; `early` is how long before the start it begins to be."""
    return item.state == "confirmed" and visit.now >= item.start - early


def next_step(visit: Visit, item: Item, early: timedelta) -> str | None:
    """What comes next, in a sentence."""
    if item.state == "awaiting_approval":
        return WAITS.say(visit.language)
    if item.state != "confirmed" or item.due_at is None:
        return None
    if may_check_in(visit, item, early):
        return NOW.say(visit.language, until=visit.calendar.clock(item.due_at))
    return EARLY.say(visit.language, since=visit.calendar.moment(item.start - early))


async def steps(visit: Visit, item: Item) -> list[Step]:
    """Who did what with a booking, oldest first."""
    caller = visit.caller(SEE)
    async with visit.reading("history") as snapshot:
        happened = await history.of_booking(snapshot, item.id)
    known = await names(visit.parts, {row.actor for row in happened if row.role != "system"})
    told = await texts(visit.parts, _notes(happened)) if sees_texts(caller, item) else {}
    rooms = await rooms_moved_to(visit.parts, happened)
    found = [history_item(row, caller, known, told, visit.zone, rooms) for row in happened]
    return [Step(one.text, _who(visit, one), one.at, one.note) for one in found]


def _who(visit: Visit, one: HistoryItem) -> str:
    """Who it was and by which way: 王秀英（居民），本人手机. The program itself is its way."""
    language = visit.language
    role, way = codes.ROLES[one.actor.role].say(language), codes.CHANNELS[one.channel].say(language)
    if one.actor.role == "system":
        return way
    named = one.actor.name if one.actor.name == role else WHO.say(language, name=one.actor.name, role=role)
    return WAY.say(language, who=named, way=way)


def _notes(happened: list[Row]) -> list[str]:
    return [text_id(row.command, "note") for row in happened if "note" in row.data]


def _person(visit: Visit, person: str, station: str, people: dict[str, str]) -> str:
    if person.startswith(STATION_PREFIX):
        return station
    return people.get(person) or codes.ERASED.say(visit.language)

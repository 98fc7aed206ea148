"""What a process keeps of availability: states that it has read, moved on to the read model's position when asked.

Most requests ask about the same days, of which few have changed since: only those are read and decoded again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.messages import Reason
from booking.state import Kind
from projections import availability
from projections.boards import Extent, Sought, Tag, board_of, extent_of, month_tags, quota_of, tags_of
from projections.grid import Board
from projections.reading import PAUSES_SECONDS, WAIT_SECONDS, NotBuilt, Reader
from projections.together import Together

# Some 50 MB where every day is full: the days of 200 rooms for three weeks, and who is looking at them.
KEPT_MAX = 10_000
# Who has slept through more events starts afresh: half a second of a busy morning.
BEHIND_MAX = 2_000
# What of the places was sought: some megabytes. A month of everything is sought by few.
EXTENTS_MAX = 200
EXTENT_DAYS_MAX = 1_024

_PLACES = [kind.__name__ for kind in availability.PLACES]


class TagState(NamedTuple):
    """The state of a tag, from its first event's position on, as its last event's position left it; not yet decoded."""

    tag: Tag
    kind: str
    since: int
    position: int
    state: str


class News(NamedTuple):
    """What the read model holds at `position`, whose event has `hash`, and which of its states were asked for.

    `table` is another for another read model of the same name, and `followed` is the hash that the log has at the
    position from which on changes were asked for.
    """

    position: int
    at: datetime | None
    hash: bytes
    shape: str
    table: int
    followed: bytes | None
    states: list[TagState]


class Kept:
    """States of availability, all of them at one position of the log: between two awaits nothing of it changes.

    `position` and `at` are those of the last event that it reflects, `places` all states that are neither days nor
    people, in the order in which they were opened.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._together: Together[Collection[Tag], None] = Together(self._move_on)
        self._since: dict[Tag, int] = {}
        self._states: dict[Tag, Kind] = {}
        self._changed: dict[Tag, int] = {}
        self._extents: dict[Sought, Extent] = {}
        self.places: Mapping[Tag, Kind] = {}
        self.places_changed = 0
        self.position = 0
        self.at: datetime | None = None
        self._hash = b""
        self._table = 0

    def now(self, clock: datetime) -> datetime:
        """The `now` that a decision would have here: time in the log does not run backwards."""
        return max(clock, self.at) if self.at else clock

    async def reach(self, tags: Callable[[], Iterable[Tag]], position: int = 0) -> None:
        """Move on to where the read model is from this call on, to `position` if it gets there in time; have the tags.

        `tags` is asked again whenever places may have changed. Raises `NotBuilt`, and what the database's being away
        raises.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_SECONDS
        missing: Collection[Tag] = self._missing(tags()) if self.places else ()
        for pause in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
            late = loop.time() >= until
            try:
                await self._together.ask(missing)
                missing = self._missing(tags())
            except NotBuilt:
                if late:
                    raise
                missing = ()
            else:
                if not missing and (late or self.position >= position):
                    return
                if late:
                    raise NotBuilt(availability.NAME)
                if missing:
                    continue
            await asyncio.sleep(pause)

    async def have(self, tags: Callable[[], Iterable[Tag]]) -> None:
        """Have these tags as well."""
        if self._missing(tags()):
            await self.reach(tags)

    def tags(self, sought: Sought, clock: datetime) -> list[Tag]:
        """The tags that a board needs, beside places. Raises `NotOpened`."""
        return tags_of(sought, self._extent(sought), self.places, self.now(clock))

    def month_tags(self, person: str | None, clock: datetime) -> list[Tag]:
        """The tags that a person's quota needs. Raises `NotOpened`."""
        return month_tags(person, self.places, self.now(clock))

    def board(self, sought: Sought, clock: datetime) -> Board:
        """The board of what is kept, which must have its tags. Raises `NotOpened`."""
        return board_of(sought, self._extent(sought), self.places, self._states, self.now(clock))

    def _extent(self, sought: Sought) -> Extent:
        whoever = sought._replace(person=None)
        found = self._extents.get(whoever)
        if found is None:
            found = extent_of(whoever, self.places)
            if len(self._extents) >= EXTENTS_MAX:
                self._extents.clear()
            if len(found.days) <= EXTENT_DAYS_MAX:
                self._extents[whoever] = found
        return found

    def quota_of(self, person: str, clock: datetime) -> Reason | None:
        """What keeps a person, whose months must be kept, from booking anything more. Raises `NotOpened`."""
        return quota_of(person, self.places, self._states, self.now(clock))

    def changed(self, tags: Iterable[Tag]) -> int | None:
        """The position of the last event that changed one of these, or a place; None where one is not kept."""
        try:
            return max(self.places_changed, *map(self._changed.__getitem__, tags))
        except KeyError:
            return None

    def _missing(self, tags: Iterable[Tag]) -> list[Tag]:
        return [tag for tag in tags if tag not in self._states]

    async def _move_on(self, asked: Sequence[Collection[Tag]]) -> list[None]:
        missing = set().union(*asked)
        news = await self._read(self.position, missing) if self.position else None
        if news is not None and self._goes_on_with(news):
            self._take(news, missing)
        else:
            missing |= self._states.keys()
            self._take_afresh(await self._read(None, missing), missing)
        return [None] * len(asked)

    def _goes_on_with(self, news: News) -> bool:
        """Whether all that has changed is among the news: not for who is far behind.

        Nor where another read model, or a log restored from elsewhere, has taken the place of the one that was read.
        """
        same = (news.table, news.followed) == (self._table, self._hash)
        return same and self.position <= news.position <= self.position + BEHIND_MAX

    async def _read(self, after: int | None, tags: Iterable[Tag]) -> News:
        async def read(connection: AsyncConnection) -> News | None:
            return await read_news(connection, self._reader.subdistrict, after, tags)

        news = await self._reader.at_once(availability.NAME, read)
        if news is None or not self._reader.can_read(availability.NAME, news.shape):
            raise NotBuilt(availability.NAME)
        return news

    def _take_afresh(self, news: News, missing: Collection[Tag]) -> None:
        self._since, self._states, self._changed, self.places, self.places_changed = {}, {}, {}, {}, 0
        self._take(news, missing)

    def _take(self, news: News, missing: Collection[Tag]) -> None:
        """All in one step: whoever looks finds all states at one position."""
        if len(self._states) + len(missing) > KEPT_MAX:
            self._states, self._changed = {}, {}
        self._states |= {tag: availability.empty(tag) for tag in missing}
        self._changed |= dict.fromkeys(missing, 0)
        places: dict[Tag, Kind] = {}
        for tag, kind, since, position, state in news.states:
            if kind in _PLACES:
                places[tag], self._since[tag] = availability.decoded(kind, state), since
                self.places_changed = max(self.places_changed, position)
            elif tag in self._states:
                self._states[tag], self._changed[tag] = availability.decoded(kind, state), position
        if places:
            places = {**self.places, **places}
            self._extents.clear()
            self.places = dict(sorted(places.items(), key=lambda place: (self._since[place[0]], place[0])))
        self.position, self.at, self._hash, self._table = news.position, news.at, news.hash, news.table


# The checkpoint, what has changed since a position, all of these kinds, and these tags: one statement, so one snapshot.
# Each by an index, whatever the statistics say: a range has two ends, and OFFSET keeps a lookup a lookup.
_NEWS = text("""
SELECT '' AS tag, '' AS kind, 0::bigint AS since, c.position, '' AS state, c.at, c.hash, c.shape,
    c.tableoid AS "table", (SELECT hash FROM booking.events
        WHERE subdistrict = :subdistrict AND position = CAST(:after AS bigint)) AS followed
FROM availability.checkpoints c WHERE c.subdistrict = :subdistrict
UNION ALL
SELECT tag, kind, since, position, state, NULL, NULL, NULL, NULL, NULL FROM availability.states
WHERE subdistrict = :subdistrict AND position > CAST(:after AS bigint) AND position <= CAST(:until AS bigint)
UNION ALL
SELECT s.tag, s.kind, s.since, s.position, s.state, NULL, NULL, NULL, NULL, NULL
FROM unnest(CAST(:kinds AS text[])) AS asked(kind) CROSS JOIN LATERAL (
    SELECT * FROM availability.states WHERE subdistrict = :subdistrict AND kind = asked.kind OFFSET 0) AS s
UNION ALL
SELECT s.tag, s.kind, s.since, s.position, s.state, NULL, NULL, NULL, NULL, NULL
FROM unnest(CAST(:tags AS text[])) AS asked(tag) CROSS JOIN LATERAL (
    SELECT * FROM availability.states WHERE subdistrict = :subdistrict AND tag = asked.tag OFFSET 0) AS s
""")


async def read_news(
    connection: AsyncConnection, subdistrict: str, after: int | None, tags: Iterable[Tag]
) -> News | None:
    """What has changed within `BEHIND_MAX` positions after one, and these tags. Without a position, all places.

    None where there is no such read model yet.
    """
    asked = {
        "subdistrict": subdistrict,
        "after": after or 0,
        "until": after + BEHIND_MAX if after else 0,
        "kinds": [] if after else _PLACES,
        "tags": list(tags),
    }
    rows = (await connection.execute(_NEWS, asked)).all()
    head = next((row for row in rows if not row.tag), None)
    if head is None:
        return None
    found = [TagState(*row[:5]) for row in rows if row.tag]
    return News(head.position, head.at, head.hash, head.shape, head.table, head.followed, found)

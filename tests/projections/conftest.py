"""A subdistrict written by a real desk into a test's own database, and followers that the tests move."""

import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest_asyncio
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase

from booking import log, subjects
from booking.codec import Codec
from booking.desk import Desk
from booking.messages import Answer, Ask, Asker, Command, Outcome, RefusedBody, SealedText
from booking.places.decide import OpenResource, OpenRoom, OpenSpace, OpenStation, OpenSubdistrict
from booking.places.events import RoomDefinition, Use
from booking.reservations.decide import RequestBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from booking.vault import Vault
from linyue.postgres import engine
from projections.projector import Follower
from projections.questions import QUESTIONS
from projections.read_model import Question
from projections.reading import Reader

ZONE = ZoneInfo("Asia/Shanghai")
# A Tuesday, half past nine in Shanghai: that day's slots from 10:00 on can be booked, and 14 days ahead.
NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
DESK = Asker(id="desk", role="staff", channel="desk", scope="all")

STATION = (
    OpenSubdistrict(name="古美路街道", time_zone=ZONE.key),
    OpenStation(station="wanyuan", name="万源一居", power="创新创造力", theme="青春智慧"),
    OpenStation(station="gulong", name="古龙六村", power="浪漫生活力", theme="诗意栖居"),
    OpenSpace(space="create", station="wanyuan", name="星创造"),
    OpenSpace(space="poem", station="gulong", name="诗香生活馆"),
    OpenResource(resource="tables", station="wanyuan", name="乒乓球台", capacity=3),
    OpenResource(resource="billiard", station="wanyuan", name="台球桌", capacity=1),
    OpenResource(resource="bats", station="wanyuan", name="球拍", capacity=2),
    OpenResource(resource="east", station="gulong", name="东半厅", capacity=1),
    OpenResource(resource="west", station="gulong", name="西半厅", capacity=1),
    OpenRoom(
        room="tribe",
        definition=RoomDefinition(
            name="活力·星部落",
            station="wanyuan",
            space="create",
            uses=(
                Use(use="乒乓球", takes=(Take(resource="tables"), Take(resource="bats")), units=3),
                Use(use="桌球", takes=(Take(resource="billiard"),)),
            ),
            sample=True,
        ),
    ),
    OpenRoom(
        room="hall",
        definition=RoomDefinition(
            name="欢乐多彩厅",
            station="gulong",
            space="poem",
            buffer_minutes=15,
            uses=(
                Use(use="整场", takes=(Take(resource="east"), Take(resource="west")), slot_minutes=90, approval=True),
                Use(use="东半场", takes=(Take(resource="east"),)),
                Use(use="西半场", takes=(Take(resource="west"),)),
            ),
            seats=20,
        ),
    ),
    ChangeRules(book=RuleBook()),
)


def at(hour: float, day: int = 24) -> datetime:
    """An instant by Shanghai's clock of a day of November 2026."""
    return datetime(2026, 11, day, tzinfo=ZONE).astimezone(UTC) + timedelta(hours=hour)


class Town:
    """A subdistrict whose clock stands where a test puts it; every command goes through a desk of its own."""

    def __init__(self, database: TestDatabase, subdistrict: str = "gumei") -> None:
        self.now = NOW
        self.codec = Codec(subdistrict, subjects.EVENTS, subjects.UPCASTERS)
        self.reading, self.projecting = engine(database.app), engine(database.projector)
        self.reader = Reader(self.reading, subdistrict)
        vault = Vault(subdistrict, [Fernet.generate_key().decode()])
        self.desk = Desk(subjects, self.codec, vault, partial(_writer, database), lambda: self.now)
        self.followers = [self.follower(question) for question in QUESTIONS]
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> "Town":
        await self.desk.__aenter__()
        for command in STATION:
            await self.do(command)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.desk.__aexit__()
        await self.reading.dispose()
        await self.projecting.dispose()

    def follower(self, question: Question, schema: str | None = None) -> Follower:
        """Another follower of a question."""
        return Follower(self.projecting, self.codec, question, schema)

    async def ask(
        self, command: Command, by: Asker = DESK, texts: Mapping[str, str] = {}, *, dry_run: bool = False
    ) -> Answer:
        """Ask the desk; its answer, whatever it is."""
        sealed = {kind: SealedText(text=text, key=b"key") for kind, text in texts.items()}
        id_ = f"{self.codec.subdistrict}-{next(self._numbers)}"
        return await self.desk.ask(Ask(id=id_, command=command, asker=by, texts=sealed, dry_run=dry_run))

    async def do(self, command: Command, by: Asker = DESK, texts: Mapping[str, str] = {}) -> dict[str, object]:
        """Ask for what must be done; the body of the answer."""
        answer = await self.ask(command, by, texts)
        assert answer.outcome is Outcome.DONE, answer
        return msgspec.json.decode(answer.body, type=dict[str, object])

    async def refused(self, command: Command, by: Asker = DESK) -> set[str]:
        """Ask for what must be refused; the rules that say so."""
        answer = await self.ask(command, by)
        assert answer.outcome is Outcome.REFUSED, answer
        return {reason.rule for reason in msgspec.json.decode(answer.body, type=RefusedBody).reasons}

    async def book(
        self,
        start: datetime,
        end: datetime | None = None,
        *,
        room: str = "tribe",
        use: str = "乒乓球",
        units: int = 1,
        person: str = "li",
        texts: Mapping[str, str] = {},
    ) -> str:
        """The id of a booking that is made, of an hour where no end is given."""
        request = wanted(start, end, room=room, use=use, units=units, person=person)
        return str((await self.do(request, DESK, texts))["id"])

    async def follow(self) -> int:
        """Let the read models of all questions catch up; returns their position."""
        positions = {await follower.catch_up() for follower in self.followers}
        assert len(positions) == 1
        return positions.pop()


def wanted(
    start: datetime,
    end: datetime | None = None,
    *,
    room: str = "tribe",
    use: str = "乒乓球",
    units: int = 1,
    person: str = "li",
) -> RequestBooking:
    """A request for a booking, of an hour where no end is given."""
    end = end or start + timedelta(hours=1)
    return RequestBooking(room=room, use=use, start=start, end=end, person=person, units=units)


async def _writer(database: TestDatabase) -> "asyncpg.Connection[Any]":
    return await asyncpg.connect(database.app, server_settings=dict(log.WRITER_SETTINGS))


@pytest_asyncio.fixture
async def town(database: TestDatabase) -> AsyncIterator[Town]:
    """万源一居 with tables that share bats, beside a billiard table; 古龙六村 with a hall and its halves."""
    async with Town(database) as town:
        yield town

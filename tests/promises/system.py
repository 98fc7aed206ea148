"""The system under the model's test: a desk, followers and a reader on a real Postgres, and places to begin with."""

import asyncio
import itertools
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import ClassVar, TypeVar

import asyncpg
from cryptography.fernet import Fernet
from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.conftest import TestDatabase
from tests.promises.model import HOUR, MINUTE, Model, Room, Use

from booking import subjects
from booking.desk import Desk
from booking.messages import Answer, Ask, Asker, Command, Outcome
from booking.places import decide as places
from booking.places import events as place_events
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from booking.vault import Vault
from booking.verify import Report, verify
from linyue.wiring import codec_of, writer
from projections import agenda, due
from projections.projector import Follower
from projections.questions import QUESTIONS
from projections.reading import Reader, Snapshot

T = TypeVar("T")

SHANGHAI = timezone(timedelta(hours=8))
FIRST_DAY = datetime(2026, 12, 1, tzinfo=SHANGHAI)
ROOMS = {
    "tables": Room({"乒乓球": Use({"table": 1, "bats": 1}, units=3), "桌球": Use({"billiards": 1})}),
    "hall": Room({"整场": Use({"half": 2, "speaker": 1}, approval=True), "半场": Use({"half": 1}, units=2)}),
    "kitchen": Room({"烘焙": Use({"oven": 1}, slot=30 * MINUTE)}, buffer=30 * MINUTE),
    "dance": Room({"舞蹈": Use({"floor": 1, "speaker": 1}, approval=True)}),
}
CAPACITY = {"table": 3, "bats": 4, "billiards": 1, "half": 2, "speaker": 1, "oven": 1, "floor": 1}
PEOPLE = ("anna", "boris", "chen", "dora")
STAFF = Asker(id="staff", role="staff", channel="desk", scope="all")
TICKER = Asker(id="system", role="system", channel="scheduler", scope="all")


def instant(seconds: int) -> datetime:
    return (FIRST_DAY + timedelta(seconds=seconds)).astimezone(UTC)


class System(RuleBasedStateMachine):
    """The system on a real Postgres, and the model; each run is a subdistrict of its own on one database."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[TestDatabase]
    engines: ClassVar[tuple[AsyncEngine, AsyncEngine]]
    numbers: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.subdistrict = f"run-{next(self.numbers)}"
        self.asked = 0
        self.model = Model(rooms=ROOMS, capacity=dict(CAPACITY), clock=7 * HOUR)
        vault = Vault(self.subdistrict, [Fernet.generate_key().decode()])
        connect = partial(writer, self.database)
        self.desk = Desk(subjects, codec_of(self.subdistrict), vault, connect, lambda: instant(self.model.clock))
        projector, app = self.engines
        self.followers = [Follower(projector, codec_of(self.subdistrict), question) for question in QUESTIONS]
        self.reader = Reader(app, self.subdistrict)
        self.wait(self.desk.__aenter__())
        self.open_places()

    def wait(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def teardown(self) -> None:
        self.wait(self.desk.__aexit__(None, None, None))
        report = self.wait(self._proof())
        assert report.ok, report.findings

    async def _proof(self) -> Report:
        connection = await asyncpg.connect(self.database.app)
        try:
            return await verify(connection, self.subdistrict, lambda _: None)
        finally:
            await connection.close()

    def ask(self, command: Command, asker: Asker, *, dry_run: bool = False) -> Answer:
        # Ids of this run's own, so that a story told again has the same bookings in the same order.
        self.asked += 1
        return self.wait(self.desk.ask(Ask(id=f"{self.asked}", command=command, asker=asker, dry_run=dry_run), 60))

    def open_places(self) -> None:
        opened: list[Command] = [
            places.OpenSubdistrict(name="试", time_zone="Asia/Shanghai"),
            ChangeRules(book=RuleBook()),
            places.OpenStation(station="station", name="站", power="力", theme="题"),
            places.OpenSpace(space="space", station="station", name="空间"),
            *(places.OpenResource(resource=r, station="station", name=r, capacity=n) for r, n in CAPACITY.items()),
            *(places.OpenRoom(room=name, definition=self.definition(name)) for name in ROOMS),
        ]
        for command in opened:
            assert self.ask(command, STAFF).outcome is Outcome.DONE
            self.model.wrote(1)

    @staticmethod
    def definition(room: str) -> place_events.RoomDefinition:
        return place_events.RoomDefinition(
            name=room,
            station="station",
            space="space",
            buffer_minutes=ROOMS[room].buffer // MINUTE,
            uses=tuple(
                place_events.Use(
                    use=name,
                    takes=tuple(Take(resource=r, units=n) for r, n in use.takes.items()),
                    units=use.units,
                    slot_minutes=use.slot // MINUTE,
                    approval=use.approval,
                )
                for name, use in ROOMS[room].uses.items()
            ),
        )

    def due_now(self) -> list[str]:
        async def asked() -> list[str]:
            await self.catch_up()
            async with self.reader.of("due") as snapshot:
                return [row.booking for row in await due.by(snapshot, instant(self.model.now), limit=500)]

        return self.wait(asked())

    async def catch_up(self) -> None:
        for follower in self.followers:
            await follower.catch_up()

    async def all_of(self, snapshot: Snapshot, who: str, now: datetime) -> list[agenda.Item]:
        items: list[agenda.Item] = []
        after: str | None = None
        while True:
            page = await agenda.of_person(snapshot, who, now, paging=agenda.Paging(after=after))
            items += page.items
            after = page.next
            if after is None:
                return items

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
from tests.promises.model import CLOSES, HOUR, MINUTE, OPENS, Model, Room, Use

from booking import subjects
from booking.desk import Desk
from booking.local_time import ExtraHours, Hours
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
    "court": Room({"羽毛球": Use({"net": 1}, units=2)}),
}
# What the court is split into, and merged from: the one is tidied after each booking, the other has a net.
HALVES = {
    "east": Room({"羽毛球": Use({"east-net": 1})}, buffer=HOUR),
    "west": Room({"羽毛球": Use({"west-net": 1})}),
}
CAPACITY = {
    "table": 3, "bats": 4, "billiards": 1, "half": 2, "speaker": 1, "oven": 1, "floor": 1,
    "net": 2, "east-net": 1, "west-net": 1,
}  # fmt: skip
PEOPLE = ("anna", "boris", "chen", "dora")
STAFF = Asker(id="staff", role="staff", channel="desk", scope="all")
TICKER = Asker(id="system", role="system", channel="scheduler", scope="all")


def instant(seconds: int) -> datetime:
    return (FIRST_DAY + timedelta(seconds=seconds)).astimezone(UTC)


def clock(second: int) -> str:
    """A time of day as the rules write it."""
    return f"{second // HOUR:02d}:{second % HOUR // MINUTE:02d}"


def week(room: Room) -> tuple[Hours, ...]:
    """The hours of a room's week; none of its own where they are those of the house."""
    if (room.opens, room.closes) == (OPENS, CLOSES):
        return ()
    return tuple(Hours(weekday=day, opens=clock(room.opens), closes=clock(room.closes)) for day in range(1, 8))


def for_a_time(room: Room) -> tuple[ExtraHours, ...]:
    """What it is open for beside that."""
    return tuple(
        ExtraHours(
            first_day=str(FIRST_DAY.date() + timedelta(days=extra.first_day)),
            last_day=str(FIRST_DAY.date() + timedelta(days=extra.last_day)),
            opens=clock(extra.opens),
            closes=clock(extra.closes),
        )
        for extra in room.extra
    )


class System(RuleBasedStateMachine):
    """The system on a real Postgres, and the model; each run is a subdistrict of its own on one database."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[TestDatabase]
    engines: ClassVar[tuple[AsyncEngine, AsyncEngine]]
    numbers: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.number = next(self.numbers)
        self.subdistrict = f"run-{self.number}"
        self.rebuilt = False
        self.asked = 0
        self.model = Model(rooms=dict(ROOMS), capacity=dict(CAPACITY), clock=7 * HOUR)
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
            *(places.OpenRoom(room=name, definition=self.definition(name, room)) for name, room in ROOMS.items()),
        ]
        for command in opened:
            assert self.ask(command, STAFF).outcome is Outcome.DONE
            self.model.wrote(1)

    @staticmethod
    def definition(name: str, room: Room) -> place_events.RoomDefinition:
        return place_events.RoomDefinition(
            name=name,
            station="station",
            space="space",
            buffer_minutes=room.buffer // MINUTE,
            hours=week(room),
            extra_hours=for_a_time(room),
            uses=tuple(
                place_events.Use(
                    use=use_name,
                    takes=tuple(Take(resource=r, units=n) for r, n in use.takes.items()),
                    units=use.units,
                    slot_minutes=use.slot // MINUTE,
                    approval=use.approval,
                )
                for use_name, use in room.uses.items()
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

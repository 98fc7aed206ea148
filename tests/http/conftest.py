"""A small subdistrict served over HTTP by two real apps; only the clock stands where tests put it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

import httpx
import pytest_asyncio
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase

from booking.desk import new_command_id, new_person_id
from booking.messages import Answer, Ask, Asker, Command, Outcome, Role
from booking.places.decide import OpenResource, OpenRoom, OpenSpace, OpenStation, OpenSubdistrict
from booking.places.events import RoomDefinition, Use
from booking.reservations.decide import CloseOut
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from linyue.clock import SimulatedClock
from linyue.identity import Budget
from linyue.postgres import engine
from linyue.settings import Settings
from linyue.web import create_app
from linyue.wiring import Parts, codec_of, name_people, wire
from projections.projector import follow_all
from projections.questions import NAMES, QUESTIONS
from projections.reading import NotBuilt

ZONE = ZoneInfo("Asia/Shanghai")
# A Tuesday, half past nine in Shanghai: that day's slots from 10:00 on can be booked, and 14 days ahead.
NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
OPENER = Asker(id="opener", role="system", channel="import", scope="all")
API = "/api/v1/"

STATION: tuple[Command, ...] = (
    OpenSubdistrict(name="古美路街道", time_zone=ZONE.key),
    ChangeRules(book=RuleBook()),
    OpenStation(station="wanyuan", name="万源一居", power="创新创造力", theme="青春智慧"),
    OpenStation(station="gulong", name="古龙六村", power="浪漫生活力", theme="诗意栖居"),
    OpenSpace(space="create", station="wanyuan", name="星创造"),
    OpenSpace(space="poem", station="gulong", name="诗香生活馆"),
    OpenResource(resource="tables", station="wanyuan", name="乒乓球台", capacity=3),
    OpenResource(resource="billiard", station="wanyuan", name="台球桌", capacity=1),
    OpenResource(resource="floor", station="wanyuan", name="书画室", capacity=1),
    OpenResource(resource="ink", station="gulong", name="墨香文化坊", capacity=1),
    OpenResource(resource="hall", station="gulong", name="厅", capacity=1),
    OpenRoom(
        room="tribe",
        definition=RoomDefinition(
            name="活力·星部落",
            station="wanyuan",
            space="create",
            uses=(
                Use(use="乒乓球", takes=(Take(resource="tables"),), units=3),
                Use(use="桌球", takes=(Take(resource="billiard"),)),
            ),
            sample=True,
        ),
    ),
    OpenRoom(
        room="painting",
        definition=RoomDefinition(
            name="星光字画坊",
            station="wanyuan",
            space="create",
            uses=(Use(use="书画", takes=(Take(resource="floor"),)),),
            seats=12,
        ),
    ),
    OpenRoom(
        room="ink",
        definition=RoomDefinition(
            name="墨香文化坊",
            station="gulong",
            space="poem",
            uses=(Use(use="书画", takes=(Take(resource="ink"),)),),
        ),
    ),
    OpenRoom(
        room="hall",
        definition=RoomDefinition(
            name="欢乐多彩厅",
            station="gulong",
            space="poem",
            uses=(Use(use="整场", takes=(Take(resource="hall"),), approval=True),),
        ),
    ),
)

PEOPLE: tuple[tuple[str, Role, str, tuple[str, ...]], ...] = (
    ("resident", "resident", "王秀英", ()),
    ("resident2", "resident", "李建国", ()),
    ("volunteer", "volunteer", "陈美华", ()),
    ("staff", "staff", "张敏", ("wanyuan",)),
    ("staff2", "staff", "刘洋", ("gulong",)),
    ("auditor", "auditor", "周正", ()),
    ("admin", "admin", "吴桂芳", ()),
)

# Tests ask more in a minute than people do.
PLENTY = (Budget(seconds=60, commands=100_000),)


def at(hour: int, minute: int = 0, *, day: int = 25) -> str:
    """An instant of November 2026 in Shanghai, as one writes it in a request."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE).isoformat()


def slot(room: str = "painting", hour: int = 14, hours: int = 1, *, day: int = 25, **more: object) -> dict[str, Any]:
    """The body of a request for a slot."""
    return {"room": room, "start": at(hour, day=day), "end": at(hour + hours, day=day), **more}


class Served:
    """The subdistrict as its callers see it. `app` serves it; `other` is a second worker on the same log."""

    def __init__(self, database: TestDatabase, clock: SimulatedClock) -> None:
        self.database = database
        self.clock = clock
        self.people: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.parts: list[Parts] = []
        self.clients: list[httpx.AsyncClient] = []

    async def call(
        self,
        who: str | None,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        worker: int = 0,
    ) -> httpx.Response:
        """A call as somebody, to one of the workers; paths are below `/api/v1/` unless they begin with a slash."""
        sent = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        url = path if path.startswith("/") else API + path
        client = self.clients[worker]
        return await client.request(method, url, json=body, headers={**sent, **(headers or {})}, params=query)

    async def get(
        self,
        who: str | None,
        path: str,
        position: int = 0,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A read that waits until it reflects a position."""
        sent = {"X-Log-Position": str(position), **(headers or {})}
        return await self.call(who, "GET", path, query=query, headers=sent)

    async def post(
        self,
        who: str | None,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        worker: int = 0,
    ) -> httpx.Response:
        """A write."""
        return await self.call(who, "POST", path, body=body, headers=headers, worker=worker)

    async def book(self, who: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A booking that is made."""
        answer = await self.post(who, "bookings", body or slot())
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def ask(self, command: Command) -> Answer:
        """A command of the machine itself, past HTTP."""
        answer = await self.parts[0].desk.ask(Ask(id=new_command_id(), command=command, asker=OPENER))
        assert answer.outcome is Outcome.DONE, answer
        return answer

    async def close_out(self, booking: str) -> None:
        """What the scheduler does when a booking's time is over."""
        await self.ask(CloseOut(booking=booking))

    async def level(self, position: int) -> None:
        """Wait until every read model reflects a position: on a busy machine the first one takes its time."""
        async with asyncio.timeout(60):
            for question in NAMES:
                positions = [0]
                while positions[-1] < position:
                    with suppress(NotBuilt):
                        async with self.parts[0].reader.of(question, position) as snapshot:
                            positions.append(snapshot.position)

    async def seed(self) -> None:
        """Places, rules, people with names and tokens."""
        await asyncio.gather(*map(self.ask, STATION))
        await self.level(len(STATION))
        identity, vault = self.parts[0].identity, self.parts[0].vault
        names = {}
        for part, role, name, stations in PEOPLE:
            person = self.people[part] = new_person_id()
            await identity.open_account(person, role, stations)
            self.tokens[part] = await identity.issue_token(person, label=part)
            names[person] = name
        await name_people(self.parts[0].subdistrict, self.database, vault, names, self.clock.now())


def settings_for(data: Path) -> Settings:
    return Settings(data=data, vault_keys=(Fernet.generate_key().decode(),))


@asynccontextmanager
async def serving(database: TestDatabase, data: Path) -> AsyncIterator[Served]:
    """Two workers on one log, followed; a clock that stands at NOW."""
    clock = SimulatedClock(NOW, 0.0)
    settings = settings_for(data)
    served = Served(database, clock)
    projector = engine(database.projector)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(projector.dispose)
        following = asyncio.create_task(follow_all(projector, codec_of(settings.subdistrict), QUESTIONS))
        stack.push_async_callback(_ended, following)
        for _ in range(2):
            app = create_app(settings, lambda: wire(settings, database, clock))
            await stack.enter_async_context(app.lifespan())
            parts = app.state["parts"]
            parts.identity.allow(dict.fromkeys(get_args(Role), PLENTY))
            served.parts.append(parts)
            # httpx has its own types for the same protocol.
            transport = httpx.ASGITransport(cast("Any", app))
            client = httpx.AsyncClient(transport=transport, base_url="http://linyue.test")
            served.clients.append(await stack.enter_async_context(client))
        await served.seed()
        yield served


@pytest_asyncio.fixture
async def served(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Served]:
    """The subdistrict, served for one test."""
    # A task of its own, as what Litestar's lifespan opens must be closed by the task that opened it.
    begun: asyncio.Future[Served] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            async with serving(database, tmp_path) as found:
                begun.set_result(found)
                await ended.wait()
        except BaseException as error:
            if not begun.done():
                begun.set_exception(error)
            raise

    task = asyncio.create_task(serve())
    yield await begun
    ended.set()
    await task


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])

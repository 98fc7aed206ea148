"""Gumei served to a browser: the real app on its own port and database, with people to be and a clock that stands."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import uvicorn
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase

from booking.desk import new_command_id, new_person_id
from booking.messages import Ask, Asker, Command, Outcome, Role
from linyue import catalogue
from linyue.clock import SimulatedClock
from linyue.demo_people import DemoPerson, remember_demo_people
from linyue.identity import Budget
from linyue.postgres import engine
from linyue.settings import Settings
from linyue.shipped import catalogue_file
from linyue.web import create_app
from linyue.wiring import Parts, codec_of, name_people, wire
from projections.projector import follow_all
from projections.questions import NAMES, QUESTIONS

# A Tuesday, half past nine in Shanghai.
NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
STATIONS = ("wanyuan-1", "gulong-6", "pingji-5")
PEOPLE: tuple[tuple[str, Role, str, tuple[str, ...]], ...] = (
    ("resident", "resident", "王秀英", ()),
    ("resident2", "resident", "李建国", ()),
    ("volunteer", "volunteer", "陈美华", STATIONS),
    ("staff", "staff", "张敏", STATIONS),
    ("auditor", "auditor", "周正", ()),
    ("admin", "admin", "吴桂芳", ()),
)
OPENER = Asker(id="opener", role="system", channel="import", scope="all")
# Tests press more buttons in a minute than people do.
PLENTY = (Budget(seconds=60, commands=100_000),)
START_SECONDS_MAX = 60.0
CALL_SECONDS_MAX = 30.0

T = TypeVar("T")


class Station:
    """The service as its tests hold it: the address, the clock, the people, and a way to the desk past the pages."""

    def __init__(self, database: TestDatabase, data: Path, *, demo: bool = True) -> None:
        self.database = database
        self.clock = SimulatedClock(NOW, 0.0)
        self.people = {part: new_person_id() for part, *_ in PEOPLE}
        self.settings = Settings(data=data, vault_keys=(Fernet.generate_key().decode(),), demo=demo)
        self.parts: Parts
        self._loop = asyncio.new_event_loop()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="station", daemon=True)

    def __enter__(self) -> "Station":
        self._thread.start()
        assert self._ready.wait(START_SECONDS_MAX), "the app did not start"
        if self._failed:
            raise RuntimeError("the app did not start") from self._failed
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS_MAX)

    def ask(self, command: Command, part: str | None = None) -> dict[str, Any]:
        """A command at the desk, as somebody or as the machine itself; what it was answered."""
        asker = OPENER
        if part is not None:
            role = next(role for known, role, *_ in PEOPLE if known == part)
            asker = Asker(id=self.people[part], role=role, channel="desk", scope="all")
        asked = Ask(id=new_command_id(), command=command, asker=asker)
        answer = self.call(lambda: self.parts.desk.ask(asked))
        assert answer.outcome is Outcome.DONE, answer
        self.call(lambda: self._followed(answer.position))
        read: dict[str, Any] = msgspec.json.decode(answer.body)
        return read

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run something on the service's loop."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(CALL_SECONDS_MAX)

    async def _followed(self, position: int) -> None:
        """Every read model is as far as this position."""
        for name in NAMES:
            async with self.parts.reader.of(name, position):
                pass

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failed = error
            self._ready.set()
            raise
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            projector = engine(self.database.projector)
            stack.push_async_callback(projector.dispose)
            await stack.enter_async_context(
                _running(follow_all(projector, codec_of(self.settings.subdistrict), QUESTIONS))
            )
            self.parts = await stack.enter_async_context(wire(self.settings, self.database, self.clock))
            await self._fill()
            # Wired anew by the app, which then knows whom one can be.
            app = create_app(self.settings, lambda: wire(self.settings, self.database, self.clock))
            server = _Server(uvicorn.Config(app, log_config=None, log_level="warning", lifespan="on", ws="none"))
            serving = asyncio.create_task(server.serve(sockets=[self._listening]))
            await asyncio.wait([serving, asyncio.ensure_future(server.up.wait())], return_when=asyncio.FIRST_COMPLETED)
            app.state["parts"].identity.allow(dict.fromkeys(get_args(Role), PLENTY))
            self._ready.set()
            await self._stop.wait()
            server.should_exit = True
            await serving

    async def _fill(self) -> None:
        """Gumei's stations and rooms, and people with names."""
        await catalogue.bring_in(catalogue.read(catalogue_file()), self.parts.desk.ask)
        people = []
        for part, role, name, stations in PEOPLE:
            await self.parts.identity.open_account(self.people[part], role, stations)
            people.append(
                DemoPerson(part=part, role=role, name=name, person=self.people[part], token="", stations=stations)
            )
        remember_demo_people(self.settings.data, tuple(people))
        names = {person.person: person.name for person in people}
        await name_people(self.settings.subdistrict, self.database, self.parts.vault, names, self.clock.now())


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Something that goes on meanwhile, and is ended afterwards."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])

"""The demo: Gumei, people to be, and a lived-in fortnight up to the first start; later starts go on from there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from booking import answers
from booking.desk import Desk, new_person_id
from booking.local_time import local_day, local_instant, zone_named
from booking.messages import Answer, Ask, Role
from booking.vault import Vault
from linyue import catalogue, serving
from linyue.clock import RealClock, SimulatedClock, clock_of
from linyue.demo_people import (
    Cast,
    DemoPerson,
    known_demo_people,
    remember_demo_people,
    remember_unfinished,
    unfinished_cast,
)
from linyue.fortnight import DAYS, Fortnight
from linyue.identity import Identity, new_secret
from linyue.postgres import Databases, engine
from linyue.settings import Settings, vault_keys
from linyue.shipped import catalogue_file
from linyue.wiring import desk_of, name_people, writer

READY_FILE = "demo.json"
STATIONS = ("wanyuan-1", "gulong-6", "pingji-5")
# Part, role, name and stations of those whom a visitor can be.
PARTS: tuple[tuple[str, Role, str, tuple[str, ...]], ...] = (
    ("resident", "resident", "王秀英", ()),
    ("resident2", "resident", "李建国", ()),
    ("volunteer", "volunteer", "陈美华", STATIONS),
    ("staff", "staff", "张敏", STATIONS),
    ("auditor", "auditor", "周正", ()),
    ("admin", "admin", "吴桂芳", ()),
)
_SURNAMES = ("赵", "钱", "孙", "周", "郑", "冯", "沈", "韩", "杨", "朱", "秦", "许")
_GIVEN_NAMES = ("玉兰", "伟民", "丽萍", "国强", "秀珍", "小红", "佳怡", "晓东", "凤仙", "根宝")
NEIGHBOURS = tuple(surname + given for surname in _SURNAMES for given in _GIVEN_NAMES)

Progress = Callable[[float], None]


_INSTEAD = "Serve it with `linyue serve`, or give the demo a DATA or a database of its own."


class LogInUse(Exception):
    """The database holds a log that is no demo's; what to do is in the message."""


def run(
    settings: Settings, on_progress: Progress = lambda _: None, on_ready: Callable[[str], None] = lambda _: None
) -> int:
    """Make the demo where there is none, and serve it until told to stop; the exit code."""
    settings = msgspec.structs.replace(settings, demo=True)

    ours = False

    async def fill(databases: Databases) -> None:
        nonlocal ours
        # Only now is it sure that no other demo serves this DATA: its demo.json would be gone.
        ours = True
        withdraw(settings.data)
        await make(settings, databases, on_progress)

    def ready(url: str) -> None:
        announce(settings.data, url)
        on_ready(url)

    try:
        return serving.serve(settings, fill=fill, on_ready=ready)
    finally:
        if ours:
            withdraw(settings.data)


async def make(settings: Settings, databases: Databases, on_progress: Progress = lambda _: None) -> None:
    """Fill a new log with the demo, or go on where that was interrupted; do nothing where it is complete.

    The fortnight ends at `settings.clock`, or now. To be called after migrating and before the clock of DATA starts.
    """
    if known_demo_people(settings.data):
        return
    last = await serving.last_instant(settings.subdistrict, databases)
    cast = unfinished_cast(settings.data)
    if cast is None and last is not None:
        raise LogInUse(f"The log of {settings.subdistrict} has begun, and not as a demo. {_INSTEAD}")
    end = settings.clock or RealClock().now()
    gumei = catalogue.read(catalogue_file())
    if cast is None:
        cast = _cast(end, zone_named(gumei.subdistrict.time_zone))
        remember_unfinished(settings.data, cast)
    clock = SimulatedClock(cast.begin, 0.0)
    vault = Vault(settings.subdistrict, vault_keys(settings))

    def now() -> datetime:
        """After an interruption time stands in the log until the fortnight has come to where it was."""
        return max(clock.now(), last or cast.begin)

    async with (
        desk_of(settings.subdistrict, databases, vault, now) as desk,
        _asking(settings, databases, desk, again=last is not None) as ask,
    ):
        await catalogue.bring_in(gumei, desk.ask)
        await _let_in(settings, databases, vault, now, cast)
        visitors = tuple(person.person for person in cast.people if person.role == "resident")
        staff = next(person.person for person in cast.people if person.role == "staff")
        residents = visitors + tuple(cast.neighbours)
        fortnight = Fortnight(ask, clock, gumei.subdistrict.time_zone, residents, frozenset(visitors), staff)
        await fortnight.live(cast.begin, end, on_progress)
    remember_demo_people(settings.data, cast.people)


def announce(data: Path, url: str) -> None:
    """Write `demo.json`: where the demo answers, and with which tokens. It is there only while the demo serves."""
    tokens = {person.part: person.token for person in known_demo_people(data)}
    path = data / READY_FILE
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode({"url": url, "tokens": tokens}), indent=2))
    fresh.replace(path)


def clock_said(data: Path) -> str | None:
    """What a simulated clock of DATA shows at the stations, and how fast it runs; None where time is the real one."""
    clock = clock_of(data)
    if not isinstance(clock, SimulatedClock):
        return None
    zone = zone_named(catalogue.read(catalogue_file()).subdistrict.time_zone)
    shown = clock.now().astimezone(zone).isoformat(sep=" ", timespec="minutes")
    return f"Its clock shows {shown} and passes {clock.speed:,g} seconds in one."


def withdraw(data: Path) -> None:
    """Take `demo.json` away: the demo does not serve, or not yet."""
    (data / READY_FILE).unlink(missing_ok=True)


def _cast(end: datetime, zone: ZoneInfo) -> Cast:
    """New people, from a fortnight before `end` on."""
    people = tuple(
        DemoPerson(part=part, role=role, name=name, person=new_person_id(), token=new_secret(), stations=stations)
        for part, role, name, stations in PARTS
    )
    begin = local_instant(local_day(end, zone) - timedelta(days=DAYS), 7 * 60, zone)
    return Cast(begin=begin, people=people, neighbours={new_person_id(): name for name in NEIGHBOURS})


async def _let_in(
    settings: Settings, databases: Databases, vault: Vault, now: Callable[[], datetime], cast: Cast
) -> None:
    """An account and a token for each whom one can be, a name in the vault for all; nothing twice."""
    accounts = engine(databases.app)
    try:
        identity = Identity(accounts, settings.subdistrict, now)
        for person in cast.people:
            await identity.open_account(person.person, person.role, person.stations)
            await identity.issue_token(person.person, f"demo {person.part}", token=person.token)
    finally:
        await accounts.dispose()
    names = {person.person: person.name for person in cast.people} | dict(cast.neighbours)
    await name_people(settings.subdistrict, databases, vault, names, now())


@asynccontextmanager
async def _asking(
    settings: Settings, databases: Databases, desk: Desk, *, again: bool
) -> AsyncIterator[Callable[[Ask], Awaitable[Answer]]]:
    """How the fortnight asks. `again`, it is told what was answered before; only what was not is asked."""
    if not again:
        yield desk.ask
        return
    connection = await writer(databases)

    async def ask(asked: Ask) -> Answer:
        kept = await answers.known(connection, settings.subdistrict, [(asked.asker.id, asked.key or "")])
        return kept[0].answer if kept else await desk.ask(asked)

    try:
        yield ask
    finally:
        await connection.close()

"""A small station, desks and askers for the promises that need no HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from cryptography.fernet import Fernet

from booking import subjects
from booking.desk import Desk, new_command_id
from booking.messages import Answer, Ask, Asker, Command, Outcome
from booking.places.decide import OpenResource, OpenRoom, OpenSpace, OpenStation, OpenSubdistrict
from booking.places.events import RoomDefinition, Use
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from booking.vault import Vault
from linyue.postgres import Databases
from linyue.wiring import codec_of, writer

OPENER = Asker(id="opener", role="system", channel="import", scope="all")


def resident(person: str) -> Asker:
    """Who asks for what is their own."""
    return Asker(id=person, role="resident", channel="phone", scope="own")


@asynccontextmanager
async def a_desk(databases: Databases, subdistrict: str, now: Callable[[], datetime]) -> AsyncIterator[Desk]:
    """A desk on a real log, with a vault key of its own."""
    vault = Vault(subdistrict, [Fernet.generate_key().decode()])
    async with Desk(subjects, codec_of(subdistrict), vault, partial(writer, databases), now) as desk:
        yield desk


async def open_station(desk: Desk, rules: RuleBook | None = None) -> None:
    """A station with a studio held whole and a room of three tables."""
    for command in (
        OpenSubdistrict(name="试", time_zone="Asia/Shanghai"),
        ChangeRules(book=rules or RuleBook()),
        OpenStation(station="station", name="站", power="力", theme="题"),
        OpenSpace(space="space", station="station", name="空间"),
        OpenResource(resource="floor", station="station", name="场地", capacity=1),
        OpenResource(resource="table", station="station", name="球桌", capacity=3),
        OpenRoom(room="studio", definition=_room("书画", "floor", 1)),
        OpenRoom(room="tables", definition=_room("乒乓球", "table", 3)),
    ):
        assert (await ask(desk, command, OPENER)).outcome is Outcome.DONE


async def ask(desk: Desk, command: Command, asker: Asker) -> Answer:
    """The desk's answer to a command under an id of its own; waits as long as a test can hang."""
    return await desk.ask(Ask(id=new_command_id(), command=command, asker=asker), wait_seconds=60)


def _room(use: str, resource: str, units: int) -> RoomDefinition:
    uses = (Use(use=use, takes=(Take(resource=resource),), units=units),)
    return RoomDefinition(name=use, station="station", space="space", uses=uses)

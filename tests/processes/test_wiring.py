"""The background of an installation, as real processes: what falls due is recorded once, by whichever is there."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase
from tests.promises.places import PLAZAS, STATION, commands
from tests.promises.station import OPENER, ask

from booking import log
from booking.messages import Command, Outcome
from booking.places.decide import OpenResource, OpenRoom
from booking.places.events import RoomDefinition, Use
from booking.reservations.decide import CheckIn, RequestBooking, station_person
from booking.takes import Take
from booking.vault import Vault
from linyue.clock import SimulatedClock, clock_of, remember, start_clock
from linyue.scheduler import tick_seconds_at
from linyue.wiring import desk_of

START = datetime(2026, 12, 1, 9, 40, tzinfo=timezone(timedelta(hours=8)))
# Half an hour passes in six seconds.
SPEED = 300.0
BOOKINGS = 25
# Both schedulers tick each second.
FAST = 60.0
HOURS = 4
PARLOUR: tuple[Command, ...] = (
    OpenResource(resource="parlour-floor", station=STATION, name="会客室", capacity=1),
    OpenRoom(
        room="parlour",
        definition=RoomDefinition(
            name="会客室",
            station=STATION,
            space="space",
            uses=(Use(use="会客", takes=(Take(resource="parlour-floor"),), approval=True),),
        ),
    ),
)
SECONDS_MAX = 60.0


def _environment(database: TestDatabase, data: Path, key: str) -> dict[str, str]:
    return {
        "LINYUE_DATABASE_URL": database.app,
        "LINYUE_PROJECTOR_URL": database.projector,
        "LINYUE_VAULT_KEYS": key,
        "DATA": str(data),
        "PATH": "/usr/bin:/bin",
    }


def _background(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    work = "import asyncio; from linyue.wiring import background; asyncio.run(background())"
    return subprocess.Popen([sys.executable, "-c", work], env=environment, stderr=subprocess.DEVNULL)


async def _lived(database: TestDatabase, key: str, start: datetime) -> dict[str, tuple[str, datetime]]:
    """Each hour nobody comes to one booking, somebody to another, and nobody approves a third.

    What is to be recorded of each, and when it fell due.
    """
    fates: dict[str, tuple[str, datetime]] = {}
    clock = SimulatedClock(START, 0.0)
    async with desk_of("gumei", database, Vault("gumei", [key]), clock.now) as desk:
        for command in PARLOUR:
            assert (await ask(desk, command, OPENER)).outcome is Outcome.DONE
        for begin in (start + timedelta(hours=n) for n in range(HOURS)):
            end = begin + timedelta(hours=1)
            for room, fate, due in (
                (PLAZAS[0], "NoShowRecorded", begin + timedelta(minutes=15)),
                (PLAZAS[1], "BookingCompleted", end),
                ("parlour", "BookingExpired", begin),
            ):
                request = RequestBooking(room=room, start=begin, end=end, person=station_person(STATION))
                booking = msgspec.json.decode((await ask(desk, request, OPENER)).body)["id"]
                fates[booking] = (fate, due)
        for booking, (fate, end) in fates.items():
            if fate == "BookingCompleted":
                clock.move_to(end - timedelta(minutes=65))
                assert (await ask(desk, CheckIn(booking=booking), OPENER)).outcome is Outcome.DONE
    return fates


async def _book(database: TestDatabase, data: Path, key: str, start: datetime) -> None:
    vault = Vault("gumei", [key])
    async with desk_of("gumei", database, vault, clock_of(data).now) as desk:
        for n in range(BOOKINGS):
            command = RequestBooking(
                room=PLAZAS[n % len(PLAZAS)],
                start=start,
                end=start + timedelta(hours=1),
                person=station_person(STATION),
            )
            assert (await ask(desk, command, OPENER)).outcome is Outcome.DONE


async def _open(database: TestDatabase, data: Path, key: str) -> None:
    async with desk_of("gumei", database, Vault("gumei", [key]), clock_of(data).now) as desk:
        for command in commands():
            assert (await ask(desk, command, OPENER)).outcome is Outcome.DONE


async def _recorded(database: TestDatabase) -> Counter[str]:
    """How often each booking was recorded as a no-show."""
    events = await _events(database)
    return Counter(event["data"]["booking"] for event in events if event["type"] == "NoShowRecorded")


async def _events(database: TestDatabase) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database.app)
    try:
        return [msgspec.json.decode(row.data) for row in await log.follow(connection, "gumei", 0, 10_000)]
    finally:
        await connection.close()


def _until(check: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not check():
        assert time.monotonic() < until, "never"
        time.sleep(0.1)


@pytest.mark.serial
def test_two_backgrounds_record_each_no_show_once_and_one_goes_on_alone(database: TestDatabase, tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    start_clock(tmp_path, START, SPEED)
    environment = _environment(database, tmp_path, key)
    asyncio.run(_open(database, tmp_path, key))
    ten = START.replace(hour=10, minute=0)
    asyncio.run(_book(database, tmp_path, key, ten))
    asyncio.run(_book(database, tmp_path, key, ten + timedelta(hours=1)))
    backgrounds = [_background(environment), _background(environment)]
    try:
        _until(lambda: len(asyncio.run(_recorded(database))) >= BOOKINGS)
        backgrounds[0].kill()
        backgrounds[0].wait()
        _until(lambda: len(asyncio.run(_recorded(database))) == 2 * BOOKINGS)
    finally:
        for background in backgrounds:
            background.kill()
            background.wait()
    assert set(asyncio.run(_recorded(database)).values()) == {1}


async def _closed_out(database: TestDatabase) -> list[dict[str, Any]]:
    return [event for event in await _events(database) if event["channel"] == "scheduler"]


@pytest.mark.serial
def test_after_a_day_of_downtime_two_starts_at_once_record_all_that_fell_due_once(
    database: TestDatabase, tmp_path: Path
) -> None:
    """Each at its own instant of the day before, whatever it was that fell due; then there is nothing left to do."""
    key = Fernet.generate_key().decode()
    environment = _environment(database, tmp_path, key)
    remember(tmp_path, SimulatedClock(START, 0.0), stopped=True)
    asyncio.run(_open(database, tmp_path, key))
    fates = asyncio.run(_lived(database, key, START.replace(hour=10, minute=0)))
    start_clock(tmp_path, START + timedelta(days=1), FAST)
    backgrounds = [_background(environment), _background(environment)]
    try:
        _until(lambda: len(asyncio.run(_closed_out(database))) == len(fates))
        # Some ticks more of both.
        time.sleep(3 * tick_seconds_at(FAST))
    finally:
        for background in backgrounds:
            background.kill()
            background.wait()
    found = asyncio.run(_closed_out(database))
    assert len(found) == len(fates)
    told = {event["data"]["booking"]: (event["type"], datetime.fromisoformat(event["due"])) for event in found}
    assert told == fates
    assert all(datetime.fromisoformat(event["at"]) >= START + timedelta(days=1) for event in found)

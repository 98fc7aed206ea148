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
from booking.messages import Outcome
from booking.reservations.decide import RequestBooking, station_person
from booking.vault import Vault
from linyue.clock import clock_of, start_clock
from linyue.wiring import desk_of

START = datetime(2026, 12, 1, 9, 40, tzinfo=timezone(timedelta(hours=8)))
# Half an hour passes in six seconds.
SPEED = 300.0
BOOKINGS = 25
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
    connection = await asyncpg.connect(database.app)
    try:
        events: list[dict[str, Any]] = [
            msgspec.json.decode(row.data) for row in await log.follow(connection, "gumei", 0, 10_000)
        ]
    finally:
        await connection.close()
    return Counter(event["data"]["booking"] for event in events if event["type"] == "NoShowRecorded")


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

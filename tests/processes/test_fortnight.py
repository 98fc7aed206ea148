"""The demo's fortnight is lived by real commands, ends when it should, and is the same each time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
from tests.conftest import TestDatabase, cloned
from tests.promises.station import a_desk

from booking import log
from booking.verify import verify
from linyue import catalogue, demo
from linyue.clock import SimulatedClock
from linyue.demo_people import UNFINISHED_FILE, known_demo_people
from linyue.fortnight import DAYS, Fortnight
from linyue.settings import Settings
from linyue.shipped import catalogue_file

END = datetime(2026, 12, 1, 6, 30, tzinfo=UTC)
KEY = "A" * 43 + "="
PEOPLE = tuple(f"resident{n:012}" for n in range(40))
VISITORS = frozenset(PEOPLE[:2])


async def _lived(database: TestDatabase, subdistrict: str) -> list[dict[str, object]]:
    clock = SimulatedClock(END - timedelta(days=DAYS, hours=8), 0.0)
    async with a_desk(database, subdistrict, clock.now) as desk:
        await catalogue.bring_in(catalogue.read(catalogue_file()), desk.ask)
        fortnight = Fortnight(desk.ask, clock, "Asia/Shanghai", PEOPLE, VISITORS, "staff-of-the-demo")
        await fortnight.live(clock.now(), END)
    assert clock.now() < END
    return await _proved(database, subdistrict)


async def _proved(database: TestDatabase, subdistrict: str) -> list[dict[str, object]]:
    """The events of a log in which nothing is wrong."""
    connection = await asyncpg.connect(database.app)
    try:
        report = await verify(connection, subdistrict, lambda _: None)
        assert report.ok, report.findings
        return [msgspec.json.decode(row.data) for row in await log.follow(connection, subdistrict, 0, 5_000)]
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_a_fortnight_has_all_that_happens_to_bookings(database: TestDatabase) -> None:
    """Confirmed, approved, rejected, cancelled, refused, come, stayed away; a closure; and it proves itself."""
    events = await _lived(database, "gumei")
    assert {
        "BookingConfirmed", "BookingRequested", "BookingApproved", "BookingCancelled", "BookingCheckedIn",
        "BookingCompleted", "NoShowRecorded", "BookingRefused", "RoomClosed",
    } <= {event["type"] for event in events}  # fmt: skip


@pytest.mark.asyncio
async def test_the_people_whom_a_visitor_can_be_have_no_open_bookings(database: TestDatabase) -> None:
    """Their quota is the visitor's."""
    made = [
        event["data"]
        for event in await _lived(database, "gumei")
        if event["type"] in ("BookingConfirmed", "BookingRequested")
    ]
    ends = [msgspec.convert(data["end"], datetime) for data in made if data["person"] in VISITORS]  # type: ignore[index]
    assert ends
    assert all(end <= END for end in ends)


@pytest.mark.asyncio
async def test_the_same_fortnight_is_lived_again(database: TestDatabase) -> None:
    """What people do is drawn from a hash and not from chance."""
    first, second = [
        [(event["type"], event["at"]) for event in await _lived(database, subdistrict)]
        for subdistrict in ("one", "two")
    ]
    assert first == second


class Interrupted(Exception):
    """What Ctrl-C, a power cut or a full disk do."""


@pytest.mark.asyncio
async def test_a_demo_that_was_interrupted_while_it_was_made_has_all_of_its_past_in_the_end(
    database: TestDatabase, postgres_socket: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The second start goes on where the first stood: the same people do the same at the same time, nothing twice."""

    def interrupt(part: float) -> None:
        if part > 0.4:
            raise Interrupted

    async def made(addresses: TestDatabase, folder: Path, on_progress: demo.Progress = lambda _: None) -> None:
        await demo.make(Settings(data=folder, clock=END, vault_keys=(KEY,)), addresses, on_progress)

    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    with pytest.raises(Interrupted):
        await made(database, one, interrupt)
    assert known_demo_people(one) == ()
    begun = await _proved(database, "gumei")
    await made(database, one)
    whole = await _proved(database, "gumei")
    assert whole[: len(begun)] == begun
    with cloned(postgres_socket) as other:
        await made(other, two)
        expected = await _proved(other, "gumei")
    assert [(event["type"], event["at"]) for event in whole] == [(event["type"], event["at"]) for event in expected]
    assert len(known_demo_people(one)) == len(demo.PARTS)
    assert not (one / UNFINISHED_FILE).exists()

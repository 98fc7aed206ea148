"""Gumei's catalogue, and any other: read strictly, brought in by commands, as often as one likes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
from tests.conftest import TestDatabase
from tests.promises.station import a_desk, ask, resident

from booking import log
from booking.local_time import ExtraHours
from booking.messages import Ask, Outcome
from booking.places.decide import ChangeRoom, OpenRoom
from booking.reservations.decide import RequestBooking
from linyue import catalogue
from linyue.shipped import catalogue_file

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


async def _events(database: TestDatabase) -> list[str]:
    connection = await asyncpg.connect(database.app)
    try:
        return [msgspec.json.decode(row.data)["type"] for row in await log.follow(connection, "gumei", 0, 1_000)]
    finally:
        await connection.close()


def _opened() -> dict[str, OpenRoom]:
    listed = catalogue.commands(catalogue.read(catalogue_file()))
    return {command.room: command for command in listed if isinstance(command, OpenRoom)}


@pytest.mark.asyncio
async def test_gumei_comes_in_once_however_often_it_is_brought_in(database: TestDatabase) -> None:
    gumei = catalogue.read(catalogue_file())
    async with a_desk(database, "gumei", lambda: NOW) as desk:
        assert await catalogue.bring_in(gumei, desk.ask) == len(list(catalogue.commands(gumei)))
        events = await _events(database)
        assert await catalogue.bring_in(gumei, desk.ask) == 0
    assert await _events(database) == events
    assert events.count("StationOpened") == 6


@pytest.mark.asyncio
async def test_what_differs_in_the_file_is_changed_in_the_log(database: TestDatabase, tmp_path: Path) -> None:
    """More seats and one more table: two changes."""
    text = catalogue_file().read_text(encoding="utf-8")
    changed = tmp_path / "changed.toml"
    for before, after in (("seats = 24", "seats = 30"), ('球桌"\ncapacity = 3', '球桌"\ncapacity = 4')):
        text = text.replace(before, after)
    changed.write_text(text, encoding="utf-8")
    async with a_desk(database, "gumei", lambda: NOW) as desk:
        await catalogue.bring_in(catalogue.read(catalogue_file()), desk.ask)
        assert await catalogue.bring_in(catalogue.read(changed), desk.ask) == 2
    assert (await _events(database))[-2:] == ["ResourceChanged", "RoomChanged"]


@pytest.mark.asyncio
async def test_the_file_leaves_extra_hours_alone_and_renames_what_it_calls_otherwise(
    database: TestDatabase, tmp_path: Path
) -> None:
    """It knows none, so what staff have opened for a time stays open."""
    changed = tmp_path / "changed.toml"
    text = catalogue_file().read_text(encoding="utf-8")
    changed.write_text(text.replace("乒乓球桌", "新乒乓球桌", 1), encoding="utf-8")
    evening = ExtraHours(first_day="2026-12-24", last_day="2026-12-24", opens="21:00", closes="23:00")
    longer = ChangeRoom(room="wanyuan-1-painting", extra_hours=(evening,))
    async with a_desk(database, "gumei", lambda: NOW) as desk:
        await catalogue.bring_in(catalogue.read(catalogue_file()), desk.ask)
        assert (await desk.ask(Ask(id="longer", command=longer, asker=catalogue.IMPORTER))).outcome is Outcome.DONE
        assert await catalogue.bring_in(catalogue.read(changed), desk.ask) == 1
    assert (await _events(database))[-2:] == ["RoomChanged", "ResourceChanged"]


@pytest.mark.asyncio
async def test_a_file_that_live_bookings_do_not_fit_is_refused(database: TestDatabase, tmp_path: Path) -> None:
    """One who has booked until nine keeps it, and whoever brings the file in is told."""
    text = catalogue_file().read_text(encoding="utf-8")
    shorter = tmp_path / "shorter.toml"
    room = 'id = "wanyuan-1-painting"'
    shorter.write_text(text.replace(room, room + '\nhours = { "1-7" = ["09:00-18:00"] }'), encoding="utf-8")
    start = datetime(2026, 12, 2, 12, 0, tzinfo=UTC)
    booking = RequestBooking(
        room="wanyuan-1-painting", start=start, end=start + timedelta(hours=1), person="anna-the-painter"
    )
    async with a_desk(database, "gumei", lambda: NOW) as desk:
        await catalogue.bring_in(catalogue.read(catalogue_file()), desk.ask)
        assert (await ask(desk, booking, resident("anna-the-painter"))).outcome is Outcome.DONE
        with pytest.raises(catalogue.CatalogueInvalid, match="bookings_do_not_fit"):
            await catalogue.bring_in(catalogue.read(shorter), desk.ask)


def test_the_vitality_room_has_tables_by_the_unit_with_bats_and_billiards_beside_them() -> None:
    uses = {use.use: use for use in _opened()["wanyuan-1-vitality"].definition.uses}
    assert uses["乒乓球"].units > 1
    assert {take.resource for take in uses["乒乓球"].takes} == {"wanyuan-1-table-tennis-table", "wanyuan-1-bats"}
    assert not {take.resource for take in uses["桌球"].takes} & {take.resource for take in uses["乒乓球"].takes}


def test_the_hall_is_held_whole_or_by_halves() -> None:
    uses = {use.use: use for use in _opened()["wanyuan-1-hall"].definition.uses}
    whole = next(take for take in uses["整场"].takes if take.resource == "wanyuan-1-hall-half")
    half = next(take for take in uses["半场"].takes if take.resource == "wanyuan-1-hall-half")
    assert (whole.units, half.units, uses["半场"].units) == (2, 1, 2)


def test_every_room_with_made_up_figures_says_so() -> None:
    """Hours, seats and tables are not known: each room of the catalogue is marked as a sample (示例值)."""
    assert all(command.definition.sample for command in _opened().values())


def test_a_misspelt_name_is_an_error_that_says_where(tmp_path: Path) -> None:
    file = tmp_path / "misspelt.toml"
    file.write_text('[subdistrict]\nname = "试"\ntime_zone = "Asia/Shanghai"\nnmae = "x"\n', encoding="utf-8")
    with pytest.raises(catalogue.CatalogueInvalid, match=r"misspelt.toml.*nmae.*subdistrict"):
        catalogue.read(file)

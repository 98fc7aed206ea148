"""What is free, and why the rest is not."""

from collections.abc import Iterator
from datetime import date, timedelta

import asyncpg
import msgspec
import pytest
from sqlalchemy import event, text
from tests.conftest import TestDatabase
from tests.projections.conftest import DESK, ZONE, Town, at

from booking import log
from booking.local_time import ExtraHours, Hours
from booking.messages import Reason
from booking.places.decide import ChangeResource, ChangeRoom, CloseRoom, OpenResource, ReplaceRooms
from booking.places.events import NewRoom, RoomDefinition, Use
from booking.reservations.decide import CancelBooking, CheckIn, EndBooking, ExtendBooking, RescheduleBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.state import State
from booking.takes import Take
from projections import availability
from projections.availability import NotOpened, RoomUse, Slot

pytestmark = pytest.mark.asyncio

TODAY = date(2026, 11, 24)


async def of(
    town: Town, *, room: str | None = None, use: str | None = None, person: str | None = None, day: date = TODAY
) -> list[RoomUse]:
    """A day's grid."""
    async with town.reader.of("availability", await town.follow()) as snapshot:
        return await availability.of(snapshot, day, day, town.now, room=room, use=use, person=person)


async def slot(town: Town, hour: float, *, room: str = "tribe", use: str = "乒乓球", person: str | None = None) -> Slot:
    """The slot of a use that begins at an hour of today."""
    (found,) = await of(town, room=room, use=use, person=person)
    return next(slot for slot in found.days[0].slots if slot.start == at(hour))


async def test_an_empty_room_has_as_many_units_as_the_scarcest_of_what_they_take(town: Town) -> None:
    """Three tables, and two sets of bats."""
    (found,) = await of(town, use="乒乓球")
    assert (found.room, found.use, found.name, found.station, found.units) == (
        "tribe", "乒乓球", "活力·星部落", "wanyuan", 2
    )  # fmt: skip
    assert await slot(town, 14) == Slot(start=at(14), end=at(15), free=2, state="free")


async def test_what_is_booked_is_not_free_and_cancelling_frees_it(town: Town) -> None:
    first = await town.book(at(14))
    assert (await slot(town, 14)).free == 1
    await town.book(at(14), person="wang")
    full = await slot(town, 14)
    assert (full.free, full.state) == (0, "full")
    assert full.reasons == (Reason(rule="slot_taken", limit=2, actual=2),)
    assert (await slot(town, 15)).free == 2
    await town.do(CancelBooking(booking=first, reason="ill"))
    assert (await slot(town, 14)).free == 1


async def test_uses_of_a_room_that_take_other_things_do_not_hinder_each_other(town: Town) -> None:
    await town.book(at(14), units=2)
    assert (await slot(town, 14, use="桌球")).free == 1


async def test_a_hall_held_whole_leaves_no_half_and_a_half_leaves_the_other(town: Town) -> None:
    await town.book(at(12), at(13.5), room="hall", use="整场")
    await town.book(at(16), room="hall", use="东半场", person="wang")
    states = {
        (use, hour): (await slot(town, hour, room="hall", use=use)).state
        for use, hour in (("东半场", 12), ("西半场", 13), ("整场", 15), ("东半场", 16), ("西半场", 16), ("东半场", 18))
    }
    assert states == {
        ("东半场", 12): "full",
        ("西半场", 13): "full",
        ("整场", 15): "full",
        ("东半场", 16): "full",
        ("西半场", 16): "free",
        ("东半场", 18): "free",
    }


async def test_the_buffer_after_a_slot_is_not_free_either(town: Town) -> None:
    """A booking that ends when another begins would leave no time between them."""
    await town.book(at(16), room="hall", use="东半场")
    assert [(await slot(town, hour, room="hall", use="东半场")).state for hour in (15, 17)] == ["full", "full"]


async def test_each_state_of_a_slot_has_its_reasons(town: Town) -> None:
    await town.do(CloseRoom(room="tribe", start=at(17), end=at(18), reason="cleaning"))
    await town.book(at(18), units=2)
    told = {hour: await slot(town, hour) for hour in (9, 10, 17, 18, 19)}
    assert {hour: found.state for hour, found in told.items()} == {
        9: "past", 10: "free", 17: "closed", 18: "full", 19: "free"
    }  # fmt: skip
    assert [reason.rule for reason in told[9].reasons] == ["in_the_past"]
    assert told[17].reasons == (Reason(rule="room_closed", possible_from=at(18)),)
    town.now += timedelta(minutes=1)
    soon = await slot(town, 10)
    assert (soon.state, soon.free, soon.reasons) == ("not_bookable", 0, (Reason(rule="too_soon", limit=30, actual=29),))


async def test_a_day_beyond_the_horizon_is_not_bookable_before_its_release(town: Town) -> None:
    day = TODAY + timedelta(days=15)
    (found,) = await of(town, use="乒乓球", day=day)
    assert {slot.state for slot in found.days[0].slots} == {"not_bookable"}
    assert found.days[0].slots[0].reasons[0].possible_from == at(8, day=25)
    town.now = at(8, day=25)
    (found,) = await of(town, use="乒乓球", day=day)
    assert {slot.state for slot in found.days[0].slots} == {"free"}


async def test_a_person_whose_quota_is_used_up_is_told_and_others_are_not(town: Town) -> None:
    for hour in (12, 13, 14):
        await town.book(at(hour), person="li")
    used_up = await slot(town, 19, person="li")
    assert (used_up.state, used_up.reasons) == ("not_bookable", (Reason(rule="quota_reached", limit=3, actual=3),))
    assert (await slot(town, 19, person="wang")).free == 2
    assert (await slot(town, 19)).free == 2


async def test_no_quota_binds_a_station(town: Town) -> None:
    for hour in (12, 13, 14):
        await town.book(at(hour), person="station:wanyuan")
    assert (await slot(town, 19, person="station:wanyuan")).free == 2


async def test_what_falls_due_is_free_again_though_nobody_has_recorded_it(town: Town) -> None:
    """Nobody came for a booking of three hours: the rest of its time is free after the grace."""
    await town.book(at(10), at(13), units=2)
    town.now = at(10.2)
    assert (await slot(town, 11)).state == "full"
    town.now = at(10.25)
    assert (await slot(town, 11)).free == 2


async def test_rooms_and_stations_come_in_the_order_in_which_they_were_opened(town: Town) -> None:
    async with town.reader.of("availability", await town.follow()) as snapshot:
        stations = await availability.stations(snapshot)
        rooms = await availability.rooms(snapshot)
        assert [(s.id, [space.id for space in s.spaces]) for s in stations] == [
            ("wanyuan", ["create"]), ("gulong", ["poem"])
        ]  # fmt: skip
        assert [room.id for room in rooms] == ["tribe", "hall"]
        assert [room.id for room in await availability.rooms(snapshot, station="gulong")] == ["hall"]
        assert [room.id for room in await availability.rooms(snapshot, use="桌球")] == ["tribe"]
        assert await availability.room(snapshot, "nowhere") is None
        assert await availability.zone(snapshot) == ZONE
    tribe = rooms[0]
    assert (tribe.station.name, tribe.space.name, tribe.sample) == ("万源一居", "星创造", True)
    assert [(use.use, use.units, use.slot_minutes, use.approval) for use in tribe.uses] == [
        ("乒乓球", 2, 60, False), ("桌球", 1, 60, False)
    ]  # fmt: skip


async def test_a_room_is_open_by_its_own_hours_or_those_of_the_rules(town: Town) -> None:
    mornings = (Hours(weekday=2, opens="09:00", closes="12:00"),)
    await town.do(ChangeRoom.to("hall", await definition(town, "hall", hours=mornings)))
    every_day = tuple(Hours(weekday=day, opens="08:00", closes="22:00") for day in range(1, 8))
    await town.do(ChangeRules(book=RuleBook(hours=every_day)))
    async with town.reader.of("availability", await town.follow()) as snapshot:
        tribe, hall = await availability.rooms(snapshot)
        assert (tribe.open, hall.open) == (every_day, mornings)
        assert (await availability.rules(snapshot)).version == 2
    (found,) = await of(town, use="东半场")
    assert [slot.start for slot in found.days[0].slots] == [at(9), at(10), at(11)]


async def test_extra_hours_are_drawn_on_their_days_and_on_no_other(town: Town) -> None:
    evening = ExtraHours(first_day=str(TODAY), last_day=str(TODAY), opens="21:00", closes="23:00")
    await town.do(ChangeRoom(room="tribe", extra_hours=(evening,)))
    last = [(await of(town, use="桌球", day=day))[0].days[0].slots[-1] for day in (TODAY, TODAY + timedelta(days=1))]
    assert [slot.start for slot in last] == [at(22), at(20, day=25)]
    assert (await town.book(at(20), at(22), use="桌球")) is not None
    assert (await slot(town, 21, use="桌球")).state == "full"


async def test_a_retired_room_is_in_no_list_and_keeps_its_name(town: Town) -> None:
    booking = await town.book(at(14))
    await town.do(CancelBooking(booking=booking, reason="ill"))
    await town.do(ReplaceRooms(retire=("tribe",)))
    async with town.reader.of("availability", await town.follow()) as snapshot:
        assert [room.id for room in await availability.rooms(snapshot)] == ["hall"]
        assert await availability.room(snapshot, "tribe") is None
        names = await availability.room_names(snapshot)
    assert (names["tribe"].name, names["tribe"].station) == ("活力·星部落", "万源一居")
    assert names.keys() == {"tribe", "hall"}
    assert await of(town, room="tribe") == []


async def test_what_moves_with_its_room_is_taken_there_and_nowhere_else(town: Town) -> None:
    await town.do(OpenResource(resource="net", station="wanyuan", name="网", capacity=2))
    await town.book(at(14))
    net = Use(use="乒乓球", takes=(Take(resource="net"),), units=2)
    tribe = await definition(town, "tribe", hours=())
    new = NewRoom(room="new", definition=msgspec.structs.replace(tribe, uses=(net,)))
    await town.do(ReplaceRooms(retire=("tribe",), open=(new,)))
    assert (await slot(town, 14, room="new")).free == 1
    async with town.reader.of("availability") as snapshot:
        board = await availability.board(snapshot, TODAY, TODAY, town.now, room="new")
    assert {hold.room for day in board.known.days.values() for hold in day.holds.values()} == {"new"}


async def test_resources_are_listed_as_they_are_now(town: Town) -> None:
    await town.do(ChangeResource(resource="tables", capacity=4, name="新球台"))
    async with town.reader.of("availability", await town.follow()) as snapshot:
        found = await availability.resources(snapshot, "wanyuan")
    assert [(one.id, one.name, one.capacity) for one in found] == [
        ("tables", "新球台", 4), ("billiard", "台球桌", 1), ("bats", "球拍", 2),
    ]  # fmt: skip


async def definition(town: Town, room: str, *, hours: tuple[Hours, ...]) -> RoomDefinition:
    """A room as it is, with other hours."""
    async with town.reader.of("availability", await town.follow()) as snapshot:
        known = (await availability.board(snapshot, TODAY, TODAY, town.now, room=room)).rooms[room].definition
    assert known is not None
    return RoomDefinition(
        name=known.name,
        station=known.station,
        space=known.space,
        uses=known.uses,
        hours=hours,
        buffer_minutes=known.buffer_minutes,
    )


async def test_the_kept_states_are_those_that_a_decider_would_read(town: Town, database: TestDatabase) -> None:
    booking = await town.book(at(14))
    await town.book(at(12), at(13.5), room="hall", use="整场", person="wang")
    await town.do(CancelBooking(booking=booking, reason="other"), DESK)
    await town.do(CloseRoom(room="hall", start=at(9, day=25), reason="other"))
    await _move_about(town)
    await town.follow()
    read = await read_by_tag(town, database)
    async with town.reader.of("availability") as snapshot:
        kept = await availability._kept(snapshot.connection, snapshot.subdistrict, list(tags_of(read)))
    assert {type(state) for state in kept.values()} == set(availability.KINDS)
    assert kept == {tag: read.at(type(state), tag) for tag, state in kept.items()}


async def _move_about(town: Town) -> None:
    """One that is moved to another resource and day, and one that is extended and ended early."""
    moved, used = await town.book(at(15), person="zhao"), await town.book(at(10), person="zhao")
    there = RescheduleBooking(booking=moved, start=at(15, day=26), end=at(16, day=26), room="tribe", use="桌球")
    await town.do(there)
    town.now = at(10)
    await town.do(CheckIn(booking=used))
    await town.do(ExtendBooking(booking=used, end=at(12)))
    town.now = at(10.5)
    await town.do(EndBooking(booking=used))


async def test_what_is_moved_frees_its_old_slot_and_takes_its_new_one(town: Town) -> None:
    booking = await town.book(at(14), units=2)
    assert [await _free(town, hour) for hour in (14, 16)] == [0, 2]
    await town.do(RescheduleBooking(booking=booking, start=at(16), end=at(17)))
    assert [await _free(town, hour) for hour in (14, 16)] == [2, 0]
    town.now = at(16)
    await town.do(CheckIn(booking=booking))
    await town.do(ExtendBooking(booking=booking, end=at(18)))
    assert await _free(town, 17) == 0
    town.now = at(16.5)
    await town.do(EndBooking(booking=booking))
    assert await _free(town, 17) == 2


async def _free(town: Town, hour: float) -> int:
    """How many tables are free at an hour of today, where the bats suffice for two."""
    async with town.reader.of("availability", await town.follow()) as snapshot:
        (tables,) = await availability.of(snapshot, TODAY, TODAY, town.now, room="tribe", use="乒乓球")
    return next(slot.free for slot in tables.days[0].slots if slot.start == at(hour))


async def read_by_tag(town: Town, database: TestDatabase) -> State:
    """Every tag of the log, as the desk reads them."""
    connection = await asyncpg.connect(database.app)
    rows = await log.follow(connection, town.codec.subdistrict, 0, 1000)
    await connection.close()
    state = State()
    for recorded in (town.codec.decode(row.data) for row in rows):
        state.add([tag for tag in recorded.tags() if not state.has(tag)], (), {})
        state.evolve(recorded, recorded.tags())
    return state


def tags_of(state: State) -> Iterator[str]:
    return (tag for tag in state.tags if availability.kind_of(tag))


async def test_a_week_of_everything_takes_three_statements(town: Town) -> None:
    """However many rooms there are: one for the position, one for the places, one for days and people."""
    await town.follow()
    statements: list[str] = []
    event.listen(town.reading.sync_engine, "before_cursor_execute", lambda *told: statements.append(str(told[2])))
    async with town.reader.of("availability") as snapshot:
        await availability.of(snapshot, TODAY, TODAY + timedelta(days=6), town.now, person="li")
    assert len(statements) == 3


async def test_states_are_read_by_primary_key_also_while_there_are_no_statistics(town: Town) -> None:
    await town.follow()
    many = """
        INSERT INTO availability.states (subdistrict, tag, kind, since, position, state)
        SELECT 'gumei', 'resource:tables:' || date '2020-01-01' + n, 'ResourceDay', n, n, repeat('x', 200)
        FROM generate_series(1, 20000) n
    """
    tags = [f"resource:tables:{date(2026, 1, 1) + timedelta(days=n)}" for n in range(300)]
    asked = availability.states_at("gumei", tags).compile(
        dialect=town.projecting.dialect, compile_kwargs={"literal_binds": True}
    )
    async with town.projecting.begin() as connection:
        await connection.exec_driver_sql(many)
        plan = "\n".join(await connection.scalars(text(f"EXPLAIN {asked}")))
    assert "Index Scan using states_pkey" in plan
    assert "Seq Scan" not in plan
    assert "Bitmap" not in plan


async def test_a_subdistrict_that_is_not_open_has_no_grid(town: Town, database: TestDatabase) -> None:
    await town.follow()
    empty = Town(database, "pujin")
    await empty.follow()
    async with empty.reader.of("availability") as snapshot:
        assert await availability.rooms(snapshot) == []
        with pytest.raises(NotOpened):
            await availability.of(snapshot, TODAY, TODAY, town.now)
    await empty.__aexit__()

"""Opening and changing places: as often as one likes, by whom it belongs to, and never into what cannot be."""

from datetime import timedelta

import msgspec
import pytest
from tests.decisions.gumei import GUMEI, KITCHEN, LIN, NOW, OFFICE, STAFF, TRIBE, VOLUNTEER, local
from tests.spec import given

from booking.local_time import ExtraHours, Hours
from booking.messages import Asker, Command, Reason, SealedText
from booking.places.decide import (
    ChangeResource,
    ChangeRoom,
    CloseRoom,
    OpenResource,
    OpenRoom,
    OpenSpace,
    OpenStation,
    OpenSubdistrict,
    ReopenRoom,
)
from booking.places.events import (
    ChangeRefused,
    Resource,
    ResourceChanged,
    ResourceOpened,
    Room,
    RoomChanged,
    RoomClosed,
    RoomDefinition,
    RoomOpened,
    RoomReopened,
    SpaceOpened,
    StationOpened,
    SubdistrictOpened,
    Use,
)
from booking.reservations.room_view import RoomView
from booking.takes import Take, resource_day_tag, resource_days

GULONG_STAFF = Asker(id="bai", role="staff", channel="desk", scope="stations", stations=frozenset({"gulong-6"}))
SUBDISTRICT = OpenSubdistrict(name="古美路街道", time_zone="Asia/Shanghai")
STATION = OpenStation(station="wanyuan-1", name="万源一居", power="创新创造力", theme="青春智慧")
SPACE = OpenSpace(space="creating", station="wanyuan-1", name="星创造")
RESOURCE = OpenResource(resource="kitchen", station="wanyuan-1", name="kitchen", capacity=1)
ROOM = OpenRoom(room="kitchen", definition=KITCHEN)
OPENING = {
    "subdistrict": (SUBDISTRICT, SubdistrictOpened(name="古美路街道", time_zone="Asia/Shanghai")),
    "station": (STATION, StationOpened(station="wanyuan-1", name="万源一居", power="创新创造力", theme="青春智慧")),
    "space": (SPACE, SpaceOpened(space="creating", station="wanyuan-1", name="星创造")),
    "resource": (RESOURCE, ResourceOpened(resource="kitchen", station="wanyuan-1", name="kitchen", capacity=1)),
    "room": (ROOM, RoomOpened(room="kitchen", definition=KITCHEN)),
}
ALL = list(OPENING.values())


def other(definition: RoomDefinition, **fields: object) -> RoomDefinition:
    return msgspec.structs.replace(definition, **fields)


@pytest.mark.parametrize("place", range(len(ALL)), ids=OPENING)
def test_what_is_not_there_yet_is_opened(place: int) -> None:
    command, opened = ALL[place]
    given(*(event for _, event in ALL[:place])).when(command, by=OFFICE).then(opened)


@pytest.mark.parametrize("command", [command for command, _ in ALL], ids=OPENING)
def test_what_is_there_exactly_so_is_not_opened_again(command: Command) -> None:
    decided = given(*(event for _, event in ALL)).when(command, by=OFFICE).then()
    assert decided.told["changed"] is False


@pytest.mark.parametrize(
    ("command", "renamed"),
    [
        (msgspec.structs.replace(command, name="新名"), msgspec.structs.replace(event, name="新名"))
        for command, event in ALL[:3]
    ],
    ids=list(OPENING)[:3],
)
def test_a_new_name_is_taken_over(command: Command, renamed: SubdistrictOpened) -> None:
    given(*(event for _, event in ALL)).when(command, by=OFFICE).then(renamed)


def test_a_subdistrict_never_changes_its_zone() -> None:
    elsewhere = OpenSubdistrict(name="古美路街道", time_zone="Europe/Berlin")
    given(*GUMEI).when(elsewhere, by=OFFICE).then_denied("not_valid", "time_zone")


@pytest.mark.parametrize("zone", ["Asia/Gumei", "", "../etc/passwd"])
def test_a_zone_that_nobody_knows_is_not_valid(zone: str) -> None:
    given().when(OpenSubdistrict(name="古美路街道", time_zone=zone), by=OFFICE).then_denied("not_valid", "time_zone")


def test_a_resource_opened_otherwise_is_refused() -> None:
    """Live bookings may stand on it: a change asks for them."""
    twice = OpenResource(resource="kitchen", station="wanyuan-1", name="kitchen", capacity=2)
    given(*GUMEI).when(twice, by=OFFICE).then(
        ChangeRefused(asked="open", resource="kitchen", reasons=(Reason(rule="already_open", actual="kitchen"),))
    )


def test_a_room_opened_otherwise_is_refused() -> None:
    quieter = OpenRoom(room="kitchen", definition=other(KITCHEN, buffer_minutes=0))
    given(*GUMEI).when(quieter, by=OFFICE).then(
        ChangeRefused(asked="open", room="kitchen", reasons=(Reason(rule="already_open", actual="kitchen"),))
    )


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (OpenSpace(space="s", station="nowhere", name="s"), "station"),
        (OpenResource(resource="r", station="nowhere", name="r", capacity=1), "station"),
        (OpenRoom(room="r", definition=other(KITCHEN, station="nowhere")), "station"),
        (OpenRoom(room="r", definition=other(KITCHEN, space="nowhere")), "space"),
        (ChangeRoom.to("r", KITCHEN), "room"),
        (CloseRoom(room="r", start=local("2026-11-25 09:00"), reason="other"), "room"),
        (ReopenRoom(room="r", start=local("2026-11-25 09:00")), "room"),
        (ChangeResource(resource="r", capacity=2), "resource"),
    ],
)
def test_what_nobody_opened_is_not_found(command: Command, missing: str) -> None:
    given(*GUMEI).when(command, by=OFFICE).then_denied("not_found", missing)


def test_a_room_takes_up_only_resources_that_are_open() -> None:
    takes = other(KITCHEN, uses=(Use(use="烘焙", takes=(Take(resource="oven"),)),))
    given(*GUMEI).when(OpenRoom(room="r", definition=takes), by=OFFICE).then_denied("not_found", "resource")


def test_a_room_takes_up_only_resources_of_its_own_station() -> None:
    takes = other(KITCHEN, uses=(Use(use="会议", takes=(Take(resource="parlour"),)),))
    given(*GUMEI).when(OpenRoom(room="r", definition=takes), by=OFFICE).then_denied("not_valid", "resource")


def test_a_room_lies_in_a_space_of_its_own_station() -> None:
    misplaced = other(KITCHEN, space="reading")
    given(*GUMEI).when(OpenRoom(room="r", definition=misplaced), by=OFFICE).then_denied("not_valid", "space")


TWICE = Use(use="烘焙", takes=(Take(resource="kitchen"), Take(resource="kitchen")))
ONCE = KITCHEN.uses[0]
NOON = Hours(weekday=1, opens="09:00", closes="12:00")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"uses": ()}, "uses"),
        ({"uses": (Use(use="烘焙", takes=()),)}, "uses"),
        ({"uses": (ONCE, ONCE)}, "uses"),
        ({"uses": (TWICE,)}, "uses"),
        ({"hours": (NOON, Hours(weekday=1, opens="11:00", closes="13:00"))}, "hours"),
        ({"hours": (Hours(weekday=1, opens="12:00", closes="09:00"),)}, "hours"),
        ({"hours": (Hours(weekday=8, opens="09:00", closes="10:00"),)}, "definition.hours[0].weekday"),
        ({"buffer_minutes": -1}, "definition.buffer_minutes"),
        ({"seats": 0}, "definition.seats"),
        ({"uses": (Use(use="烘焙", takes=(Take(resource="kitchen", units=0),)),)}, "definition.uses[0].takes[0].units"),
        ({"name": "厨\0房"}, "definition"),
    ],
    ids=[
        "no use", "a use that takes nothing", "a use twice", "a resource twice in a use", "hours that overlap",
        "hours that run backwards", "an eighth day", "a negative buffer", "no seat", "nothing of a resource", "no text",
    ],
)  # fmt: skip
def test_a_room_that_cannot_be_is_not_valid(fields: dict[str, object], what: str) -> None:
    """Two takes of one resource would each be checked alone; hours that overlap would draw slots that do."""
    room = OpenRoom(room="r", definition=other(KITCHEN, **fields))
    given(*GUMEI).when(room, by=OFFICE).then_denied("not_valid", what)


def test_hours_that_touch_are_as_good_as_one() -> None:
    after = Hours(weekday=1, opens="12:00", closes="13:00")
    room = OpenRoom(room="r", definition=other(KITCHEN, hours=(after, NOON)))
    given(*GUMEI).when(room, by=OFFICE).then_kinds(RoomOpened)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (OpenSpace(space="s", station="wanyuan-1", name="s"), "station"),
        (OpenResource(resource="r", station="wanyuan-1", name="r", capacity=1), "station"),
        (OpenRoom(room="r", definition=KITCHEN), "station"),
        (ChangeRoom.to("kitchen", other(KITCHEN, seats=4)), "room"),
        (CloseRoom(room="kitchen", start=local("2026-11-25 09:00"), reason="other"), "room"),
        (ReopenRoom(room="kitchen", start=local("2026-11-25 09:00")), "room"),
        (ChangeResource(resource="kitchen", capacity=2), "resource"),
    ],
)
@pytest.mark.parametrize("asker", [GULONG_STAFF, LIN], ids=["staff of another station", "a resident"])
def test_places_belong_to_who_runs_their_station(command: Command, what: str, asker: Asker) -> None:
    given(*GUMEI).when(command, by=asker).then_denied("forbidden", what)


@pytest.mark.parametrize("command", [SUBDISTRICT, OpenStation(station="new", name="新站", power="力", theme="题")])
@pytest.mark.parametrize("asker", [STAFF, VOLUNTEER, LIN], ids=["staff", "volunteer", "resident"])
def test_the_subdistrict_and_its_stations_are_the_office_s_to_open(command: Command, asker: Asker) -> None:
    given().when(command, by=asker).then_denied("forbidden", "subdistrict")


def test_staff_open_a_room_at_their_station() -> None:
    given(*GUMEI).when(OpenRoom(room="r", definition=KITCHEN), by=STAFF).then(RoomOpened(room="r", definition=KITCHEN))


def test_a_changed_room_has_its_new_definition() -> None:
    larger = other(TRIBE, seats=20)
    given(*GUMEI).when(ChangeRoom.to("tribe", larger), by=STAFF).then(RoomChanged(room="tribe", definition=larger))


def test_a_room_changed_to_what_it_is_stays_as_it_is() -> None:
    given(*GUMEI).when(ChangeRoom.to("tribe", TRIBE), by=STAFF).then()


def test_a_room_does_not_move_to_another_station() -> None:
    moved = ChangeRoom.to("kitchen", other(KITCHEN, station="gulong-6", space="reading"))
    given(*GUMEI).when(moved, by=OFFICE).then_denied("not_valid", "station")


def test_a_resource_gets_another_capacity() -> None:
    given(*GUMEI).when(ChangeResource(resource="kitchen", capacity=2), by=STAFF).then(
        ResourceChanged(resource="kitchen", capacity=2)
    )


def test_a_resource_keeps_the_capacity_that_it_has() -> None:
    given(*GUMEI).when(ChangeResource(resource="kitchen", capacity=1), by=STAFF).then()


def test_a_closure_s_reason_is_one_of_the_list_and_no_text_of_somebody() -> None:
    told = CloseRoom(room="tribe", start=local("2026-11-25 09:00"), reason="王阿姨病了")
    given(*GUMEI).when(told, by=STAFF).then_denied("not_valid", "reason")


def test_a_closure_carries_its_reason_and_the_digest_of_its_note() -> None:
    note = SealedText(text="灯坏了", key=b"k" * 32)
    start, end = local("2026-11-25 09:00"), local("2026-11-25 12:00")
    decided = given(*GUMEI).when(
        CloseRoom(room="tribe", start=start, end=end, reason="maintenance"), by=STAFF, texts={"note": note}
    )
    decided.then(RoomClosed(room="tribe", start=start, end=end, reason="maintenance", note=note.digest()))


@pytest.mark.parametrize("kind", [CloseRoom, ReopenRoom])
def test_a_closure_that_ends_before_it_starts_is_not_valid(kind: type[CloseRoom] | type[ReopenRoom]) -> None:
    start = local("2026-11-25 09:00")
    reason = {"reason": "other"} if kind is CloseRoom else {}
    command = kind(room="tribe", start=start, end=start, **reason)
    given(*GUMEI).when(command, by=STAFF).then_denied("not_valid", "end")


def test_a_closure_is_taken_back() -> None:
    start = local("2026-11-25 09:00")
    log = given(*GUMEI, _closed(8, 10))
    log.when(ReopenRoom(room="tribe", start=start), by=STAFF).then(RoomReopened(room="tribe", start=start))


@pytest.mark.parametrize(
    "reopening",
    [
        ReopenRoom(room="tribe", start=local("2026-11-25 10:00")),
        ReopenRoom(room="tribe", start=local("2026-11-24 07:00"), end=local("2026-11-25 08:00")),
    ],
    ids=["after the closure", "before it"],
)
def test_where_nothing_is_closed_there_is_nothing_to_take_back(reopening: ReopenRoom) -> None:
    decided = given(*GUMEI, _closed(8, 10)).when(reopening, by=STAFF).then()
    assert decided.told["changed"] is False


def test_a_closure_that_has_passed_is_not_taken_back() -> None:
    """That the room was closed then stays true."""
    reopening = ReopenRoom(room="tribe", start=NOW - timedelta(hours=2), end=NOW)
    past = RoomClosed(room="tribe", start=NOW - timedelta(hours=3), end=NOW, reason="other")
    given(*GUMEI, past).when(reopening, by=STAFF).then_refused("in_the_past")


def test_a_week_is_closed_but_for_what_is_opened_within_it() -> None:
    """And a closure within that opening closes part of it again: the last word about a time holds."""
    log = given(
        *GUMEI,
        RoomClosed(room="tribe", start=local("2026-11-23 00:00"), end=local("2026-11-30 00:00"), reason="holiday"),
        RoomReopened(room="tribe", start=local("2026-11-25 14:00"), end=local("2026-11-25 16:00")),
        RoomClosed(room="tribe", start=local("2026-11-25 15:00"), end=local("2026-11-25 15:30"), reason="cleaning"),
    )
    room = log.room("tribe")
    hours = ("13:59", "14:00", "14:59", "15:00", "15:29", "15:30", "15:59", "16:00")
    closed = [room.is_closed(local(f"2026-11-25 {hour}")) for hour in hours]
    assert closed == [True, False, False, True, True, False, False, True]
    assert not room.is_closed(local("2026-11-30 00:00"))


def test_a_closure_within_a_closure_outlives_it() -> None:
    """Safety closes Wednesday in a week of maintenance; when the maintenance is over by Tuesday, that is taken back."""
    log = given(
        *GUMEI,
        RoomClosed(room="tribe", start=local("2026-11-23 00:00"), end=local("2026-11-30 00:00"), reason="maintenance"),
        RoomClosed(room="tribe", start=local("2026-11-25 00:00"), end=local("2026-11-26 00:00"), reason="safety"),
        RoomReopened(room="tribe", start=local("2026-11-24 12:00"), end=local("2026-11-25 00:00")),
    )
    days = [log.room("tribe").is_closed(local(f"2026-11-{day} 12:00")) for day in (23, 24, 25, 26, 30)]
    assert days == [True, False, True, True, False]


EVENING = ExtraHours(first_day="2026-11-24", last_day="2026-12-24", opens="21:00", closes="22:00")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "新名"},
        {"seats": 4},
        {"seats": None},
        {"sample": True},
        {"buffer_minutes": 15},
        {"hours": (Hours(weekday=2, opens="09:00", closes="21:00"),)},
        {"extra_hours": (EVENING,)},
        {"uses": TRIBE.uses[:1]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_change_changes_what_it_says_and_nothing_else(fields: dict[str, object]) -> None:
    decided = given(*GUMEI).when(ChangeRoom(room="tribe", **fields), by=STAFF)  # type: ignore[arg-type]
    decided.then(RoomChanged(room="tribe", definition=other(TRIBE, **fields)))


def test_two_who_change_different_things_both_have_their_way() -> None:
    """Each says what is to change; what the other changed meanwhile stays."""
    first = given(*GUMEI).when(ChangeRoom(room="tribe", seats=4), by=STAFF).and_so()
    second = first.when(ChangeRoom(room="tribe", buffer_minutes=15), by=OFFICE).and_so()
    assert second.room("tribe").definition == other(TRIBE, seats=4, buffer_minutes=15)


def test_a_change_is_told_with_the_room_as_it_is_then() -> None:
    told = given(*GUMEI).when(ChangeRoom(room="tribe", seats=4, extra_hours=(EVENING,)), by=STAFF).told["room"]
    room = msgspec.convert(told, RoomView)
    assert (room.id, room.seats, room.extra_hours, len(room.open)) == ("tribe", 4, (EVENING,), 7)
    assert (room.station.name, room.space.name, room.uses[0].units) == ("万源一居", "星创造", 3)


def test_extra_hours_that_cannot_be_are_not_valid() -> None:
    turned = msgspec.structs.replace(EVENING, opens="22:00", closes="21:00")
    given(*GUMEI).when(ChangeRoom(room="tribe", extra_hours=(turned,)), by=STAFF).then_denied(
        "not_valid", "extra_hours"
    )


def test_a_resource_is_renamed_and_keeps_its_capacity() -> None:
    renamed = given(*GUMEI).when(ChangeResource(resource="kitchen", name="新厨房"), by=STAFF)
    renamed.then(ResourceChanged(resource="kitchen", capacity=1, name="新厨房"))
    assert renamed.told["resource"] == {"id": "kitchen", "name": "新厨房", "station": "wanyuan-1", "capacity": 1}
    again = renamed.and_so().when(ChangeResource(resource="kitchen", name="新厨房", capacity=1), by=STAFF)
    again.then()


def test_the_days_of_a_resource_are_a_range_of_its_tags() -> None:
    days = resource_days("hall", "2026-11-24", "2026-12-01")
    within = [resource_day_tag("hall", day) for day in ("2026-11-24", "2026-11-30", "2026-12-01")]
    without = [resource_day_tag("hall", day) for day in ("2026-11-23", "2026-12-02")]
    without += [resource_day_tag("hall-half", "2026-11-24"), "resource:hall"]
    assert [tag in days for tag in within + without] == [True] * 3 + [False] * 4


def test_all_the_days_ahead_of_a_resource_are_a_range_without_end() -> None:
    ahead = resource_days("hall", "2026-11-24", None)
    assert resource_day_tag("hall", "2199-12-31") in ahead
    assert resource_day_tag("hall-half", "2026-11-25") not in ahead


def test_an_empty_state_is_a_place_that_is_not_there() -> None:
    assert (Resource().capacity, Room().definition) == (0, None)


def test_a_room_opens_after_all_the_closures_that_follow_one_another() -> None:
    room = given(*GUMEI, *(_closed(hour, hour + 1) for hour in (9, 10, 12))).room("tribe")
    assert room.opens_after(local("2026-11-25 09:30")) == local("2026-11-25 11:00")


def _closed(first: int, last: int) -> RoomClosed:
    day = local("2026-11-25 00:00")
    return RoomClosed(
        room="tribe", start=day + timedelta(hours=first), end=day + timedelta(hours=last), reason="cleaning"
    )


def test_a_time_that_has_passed_is_not_closed_any_more() -> None:
    """It would cancel nothing, and say of a day that was open that it was not."""
    closing = CloseRoom(room="tribe", start=NOW - timedelta(hours=2), end=NOW, reason="other")
    given(*GUMEI).when(closing, by=STAFF).then_refused("in_the_past")

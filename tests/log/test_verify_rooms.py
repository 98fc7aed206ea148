"""Rooms that retire are proved: all at once, with their bookings taken along or given up, and gone from then on."""

import copy
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
import pytest_asyncio
from tests.conftest import TestDatabase
from tests.log.history import LIN, STAFF, SUBDISTRICT, TRIBE, WANG, Station, at, opened, station
from tests.log.tampering import Connection, Envelope, past_the_triggers, rewrite, rows_of, write

from booking.messages import Outcome
from booking.places.decide import OpenResource, ReplaceRooms
from booking.places.events import NewRoom, Use
from booking.reservations.decide import CheckIn, RequestBooking
from booking.takes import Take
from booking.verify import verify

pytestmark = pytest.mark.asyncio

Forgery = Callable[[list[Envelope]], Envelope]
HALL = NewRoom(
    room="hall",
    definition=msgspec.structs.replace(
        TRIBE,
        uses=(
            Use(use="乒乓球", takes=(Take(resource="court"),)),
            Use(use="书画", takes=(Take(resource="floor"),), approval=True),
        ),
    ),
)


@pytest_asyncio.fixture
async def tampered(log_database: TestDatabase) -> AsyncIterator[Connection]:
    """Two rooms became one while somebody played in the first, and another awaited approval for the second."""
    async with station(log_database.app) as there:
        await opened(there)
        await _replaced(there)
    async with past_the_triggers(log_database.superuser) as connection:
        yield connection


async def _replaced(there: Station) -> None:
    await there.ask(STAFF, OpenResource(resource="court", station="wanyuan-1", name="场", capacity=1))
    playing = await there.book(LIN, "tribe", "24 09:00", "24 10:00")
    there.now = at("24 08:01")
    second = await there.book(WANG, "tribe", "24 09:00", "24 10:00")
    there.now = at("24 08:02")
    await there.book(WANG, "studio", "25 10:00", "25 11:00")
    there.now = at("24 09:05")
    await there.ask(LIN, CheckIn(booking=playing))
    refused = await there.ask(STAFF, ReplaceRooms(retire=("tribe", "studio"), open=(HALL,)))
    assert refused.outcome is Outcome.REFUSED
    done = await there.ask(STAFF, ReplaceRooms(retire=("tribe", "studio"), open=(HALL,), cancels=(second,)))
    told = msgspec.json.decode(done.body)
    assert (len(told["moved"]), told["cancelled"]) == (2, [second])
    request = RequestBooking(room="hall", use="乒乓球", start=at("25 14:00"), end=at("25 15:00"), person="lin")
    await there.ask(LIN, request)


def _last(envelopes: list[Envelope], type_: str, nth: int = -1) -> Envelope:
    return [envelope for envelope in envelopes if envelope["type"] == type_][nth]


def _changed(type_: str, nth: int = -1, envelope: dict[str, object] | None = None, **data: object) -> Forgery:
    """An event as it was, but for this."""

    def forge(envelopes: list[Envelope]) -> Envelope:
        one = _last(envelopes, type_, nth)
        one["data"].update(data)
        one.update(envelope or {})
        return one

    return forge


def _left_out(type_: str, nth: int = -1) -> Forgery:
    """The command without one of its events; what is odd is seen at the last of its retirements."""

    def forge(envelopes: list[Envelope]) -> Envelope:
        one = _last(envelopes, type_, nth)
        envelopes.remove(one)
        for later in envelopes:
            if later["command"] == one["command"] and later["n"] > one["n"]:
                later["n"] -= 1
        return _last(envelopes, "RoomRetired")

    return forge


def _booked_in_a_retired_room(envelopes: list[Envelope]) -> Envelope:
    one = copy.deepcopy(_last(envelopes, "BookingConfirmed", 0))
    day = {"start": "2026-11-26T06:00:00Z", "end": "2026-11-26T07:00:00Z", "held_until": "2026-11-26T07:10:00Z"}
    one["data"] |= {"booking": "new", "days": ["2026-11-26"], **day}
    one.update(command="forged", at=envelopes[-1]["at"], rules=envelopes[-1]["rules"])
    envelopes.append(one)
    return one


FORGERIES: dict[str, Forgery] = {
    "a booking of a room that has retired": _booked_in_a_retired_room,
    "a booking that stayed behind": _left_out("BookingRescheduled"),
    "a booking that was neither moved nor given up": _left_out("BookingCancelled"),
    "a room that did not retire beside the other": _changed("RoomRetired", beside=["studio"]),
    "a new room that was never opened": _changed("RoomRetired", into=[]),
    "a room that was not there": _changed("RoomRetired", room="cellar", beside=["tribe", "cellar"]),
    "a room that is opened twice": _changed("RoomOpened", 1, room="tribe"),
    "a booking that moves to where nothing was opened": _changed("BookingRescheduled", room="studio"),
    "a booking that moves to another time": _changed(
        "BookingRescheduled", start="2026-11-25T01:00:00Z", days=["2026-11-25"]
    ),
    "a booking that needs no approval any more": _changed("BookingRescheduled", awaits=False),
    "a move without a cause, against the approval": _changed("BookingRescheduled", awaits=False, envelope={"cause": 1}),
}
"""What cannot have been, and the event at which it must be found."""


async def found_in(connection: Connection) -> list[tuple[int, str]]:
    report = await verify(connection, SUBDISTRICT, lambda _: None)
    return [(finding.position, finding.message) for finding in report.findings]


async def test_rooms_that_became_one_with_their_bookings_are_proved(tampered: Connection) -> None:
    assert await found_in(tampered) == []


async def test_a_sound_chain_does_not_hide_a_room_that_was_changed_half(tampered: Connection) -> None:
    log = await rows_of(tampered)
    wrong = {}
    for what, forgery in FORGERIES.items():
        await write(tampered, [row.data for row in log])
        at_: list[Envelope] = []
        await rewrite(tampered, lambda envelopes, f=forgery, at_=at_: at_.append(f(envelopes)))  # type: ignore[misc]
        found = await found_in(tampered)
        if at_[0]["position"] not in {position for position, _ in found}:
            wrong[what] = at_[0]["position"], found
    assert wrong == {}

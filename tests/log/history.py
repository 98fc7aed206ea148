"""A day at one station, through a real desk on a clock that is moved by hand: every event type, in 41 events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec
from cryptography.fernet import Fernet

from booking import log, subjects
from booking.codec import Codec
from booking.desk import Desk, new_command_id, sealed_text_key
from booking.messages import SYSTEM, Answer, Ask, Asker, Command, Outcome, SealedText
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
    ReplaceRooms,
)
from booking.places.events import RoomDefinition, Use
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    CloseOut,
    EndBooking,
    ExtendBooking,
    RejectBooking,
    RequestBooking,
    RescheduleBooking,
)
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from booking.vault import Vault

SUBDISTRICT = "gumei"
CODEC = Codec(SUBDISTRICT, subjects.EVENTS, subjects.UPCASTERS)

LIN, WANG, ZHAO = (Asker(id=id_, role="resident", channel="phone", scope="own") for id_ in ("lin", "wang", "zhao"))
STAFF = Asker(id="chen", role="staff", channel="desk", scope="all")

TRIBE = RoomDefinition(
    name="活力·星部落",
    station="wanyuan-1",
    space="creating",
    uses=(Use(use="乒乓球", takes=(Take(resource="table"),), units=2),),
    buffer_minutes=10,
)
STUDIO = RoomDefinition(
    name="星光字画坊",
    station="wanyuan-1",
    space="creating",
    uses=(Use(use="书画", takes=(Take(resource="floor"),), approval=True),),
)


def at(text: str) -> datetime:
    """An instant by the station's wall clock, `24 14:00` for two in the afternoon of 24 November 2026."""
    return datetime.fromisoformat(f"2026-11-{text}:00+08:00").astimezone(UTC)


class Station:
    """A desk, and the time on its clock."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = at("24 08:00")

    async def ask(self, asker: Asker, command: Command, note: str | None = None) -> Answer:
        """One command, carried out or refused; a note goes to the vault."""
        texts = {"note": SealedText(text=note, key=sealed_text_key())} if note else {}
        answer = await self.desk.ask(Ask(id=new_command_id(), command=command, asker=asker, texts=texts))
        assert answer.outcome in (Outcome.DONE, Outcome.REFUSED), answer
        return answer

    async def book(self, asker: Asker, room: str, start: str, end: str) -> str:
        """The id of a new booking of one unit."""
        answer = await self.ask(asker, RequestBooking(room=room, start=at(start), end=at(end), person=asker.id))
        assert answer.outcome is Outcome.DONE, answer
        return str(msgspec.json.decode(answer.body)["id"])


@asynccontextmanager
async def station(address: str) -> AsyncIterator[Station]:
    """A desk on a database, with nothing opened yet."""

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(address, server_settings=dict(log.WRITER_SETTINGS))

    vault = Vault(SUBDISTRICT, [Fernet.generate_key().decode()])
    async with Desk(subjects, CODEC, vault, connect, lambda: there.now) as desk:
        there = Station(desk)
        yield there


async def opened(there: Station) -> None:
    """Two tables in one room, a floor that is held upon approval in another."""
    await there.ask(STAFF, OpenSubdistrict(name="古美路街道", time_zone="Asia/Shanghai"))
    await there.ask(STAFF, OpenStation(station="wanyuan-1", name="万源一居", power="创新创造力", theme="青春智慧"))
    await there.ask(STAFF, OpenSpace(space="creating", station="wanyuan-1", name="星创造"))
    await there.ask(STAFF, OpenResource(resource="table", station="wanyuan-1", name="球台", capacity=2))
    await there.ask(STAFF, OpenResource(resource="floor", station="wanyuan-1", name="字画坊", capacity=1))
    await there.ask(STAFF, OpenRoom(room="tribe", definition=TRIBE))
    await there.ask(STAFF, OpenRoom(room="studio", definition=STUDIO))
    await there.ask(STAFF, ChangeRules(book=RuleBook(grace_minutes=20)))


async def lived(there: Station) -> None:
    """From 08:00 to 17:30: all that can happen to a booking, and to a room under its bookings."""
    came = await there.book(LIN, "tribe", "24 09:00", "24 10:00")
    missed = await there.book(WANG, "tribe", "24 09:00", "24 10:00")
    await there.ask(ZHAO, RequestBooking(room="tribe", start=at("24 09:00"), end=at("24 10:00"), person="zhao"))
    approved = await there.book(LIN, "studio", "24 10:00", "24 11:00")
    rejected = await there.book(WANG, "studio", "24 13:00", "24 14:00")
    expired = await there.book(ZHAO, "studio", "24 15:00", "24 16:00")
    await there.ask(STAFF, ApproveBooking(booking=approved))
    await there.ask(STAFF, RejectBooking(booking=rejected, reason="not_suitable"), note="请改用会议室")
    await there.ask(STAFF, ApproveBooking(booking=rejected))
    there.now = at("24 08:50")
    await there.ask(LIN, CheckIn(booking=came))
    there.now = at("24 10:05")
    await there.ask(SYSTEM, CloseOut(booking=came))
    await there.ask(SYSTEM, CloseOut(booking=missed))
    given_up = await there.book(ZHAO, "tribe", "24 14:00", "24 15:00")
    await there.ask(ZHAO, CancelBooking(booking=given_up, reason="changed_plans"))
    await _moved_about(there)
    there.now = at("24 11:30")
    await there.ask(SYSTEM, CloseOut(booking=approved))
    await _changed_under_bookings(there)
    there.now = at("24 17:30")
    await there.ask(SYSTEM, CloseOut(booking=expired))
    await there.ask(STAFF, OpenRoom(room="attic", definition=STUDIO))
    await there.ask(STAFF, ReplaceRooms(retire=("attic",)))


async def _moved_about(there: Station) -> None:
    """From 10:05 to 11:20: a booking for the afternoon that takes place at noon, and not to its end."""
    moved = await there.book(ZHAO, "tribe", "24 15:00", "24 16:00")
    await there.ask(ZHAO, RescheduleBooking(booking=moved, start=at("24 11:00"), end=at("24 12:00")))
    there.now = at("24 11:00")
    await there.ask(ZHAO, CheckIn(booking=moved))
    await there.ask(ZHAO, ExtendBooking(booking=moved, end=at("24 13:00")))
    there.now = at("24 11:20")
    await there.ask(ZHAO, EndBooking(booking=moved))


async def _changed_under_bookings(there: Station) -> None:
    await there.book(WANG, "tribe", "25 09:00", "25 10:00")
    last = await there.book(LIN, "tribe", "25 09:00", "25 10:00")
    await there.ask(STAFF, ChangeResource(resource="table", capacity=1))
    await there.ask(STAFF, ChangeResource(resource="table", capacity=1, cancels=(last,)))
    await there.ask(STAFF, ChangeRoom.to("tribe", msgspec.structs.replace(TRIBE, seats=8)))
    await there.ask(STAFF, CloseRoom(room="tribe", start=at("25 08:00"), end=at("25 20:00"), reason="cleaning"))
    await there.ask(STAFF, ReopenRoom(room="tribe", start=at("25 12:00"), end=at("25 20:00")))
    await there.book(WANG, "tribe", "25 14:00", "25 15:00")

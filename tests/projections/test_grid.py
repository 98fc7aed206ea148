"""The grid never shows as free what would be refused, nor hides what could be had."""

import asyncio
import itertools
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.conftest import TestDatabase
from tests.projections.conftest import STATION, Town, at, wanted

from booking.local_time import ExtraHours, Hours
from booking.messages import Answer, Command, Outcome, RefusedBody
from booking.places.decide import ChangeResource, ChangeRoom, CloseRoom, OpenRoom, ReopenRoom
from booking.reservations.decide import ApproveBooking, CancelBooking, CheckIn, CloseOut, RejectBooking, RequestBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from projections import availability
from projections.grid import RoomUse, Slot

PEOPLE = ("li", "wang", "station:wanyuan")
USES = (("tribe", "乒乓球"), ("tribe", "桌球"), ("hall", "整场"), ("hall", "东半场"), ("hall", "西半场"))
DEFINITIONS = {command.room: command.definition for command in STATION if isinstance(command, OpenRoom)}
FIRST_DAY = date(2026, 11, 24)

LATER = FIRST_DAY + timedelta(days=14)


class Change(NamedTuple):
    """Something asked of the n-th of the bookings that were made."""

    kind: type[CancelBooking | CheckIn | ApproveBooking | RejectBooking | CloseOut]
    n: int

    def of(self, made: list[str]) -> Command:
        booking = made[self.n % len(made)]
        if self.kind is CancelBooking or self.kind is RejectBooking:
            return self.kind(booking=booking, reason="other")
        return self.kind(booking=booking)  # type: ignore[call-arg]


Step = Command | Change | timedelta
"""A command, a change of what was booked, or how far the clock moves."""

# Somebody is about to reach the quota, tables and bats are short, a hall awaits approval, one booking is in its grace.
BUSY: tuple[Step, ...] = (
    wanted(at(10), person="li"),
    wanted(at(10), units=2, person="station:wanyuan"),
    wanted(at(12), person="li"),
    wanted(at(12), at(13.5), room="hall", use="整场", person="wang"),
    wanted(at(15), room="hall", use="东半场", person="wang"),
    wanted(at(9, day=25), person="wang"),
)


def instants(step: int, last: int) -> st.SearchStrategy[datetime]:
    """Instants of the first two days, so many minutes apart, from 09:00 on."""
    return st.integers(0, last // step).map(lambda n: at(9) + timedelta(minutes=step * n))


@st.composite
def requests(draw: st.DrawFn) -> Step:
    (room, use), person = draw(st.sampled_from(USES)), draw(st.sampled_from(PEOPLE))
    start = draw(st.one_of(instants(60, 700), instants(60, 700), instants(90, 700), instants(15, 2500)))
    length = timedelta(minutes=draw(st.sampled_from((60, 60, 90, 120, 300))))
    return wanted(start, start + length, room=room, use=use, units=draw(st.integers(1, 4)), person=person)


@st.composite
def closures(draw: st.DrawFn) -> Step:
    room, start = draw(st.sampled_from(("tribe", "hall"))), draw(instants(30, 2500))
    end = draw(st.sampled_from((None, start + timedelta(hours=2), start + timedelta(days=1))))
    if draw(st.booleans()):
        return CloseRoom(room=room, start=start, end=end, reason="cleaning")
    return ReopenRoom(room=room, start=start, end=end)


@st.composite
def changed_rooms(draw: st.DrawFn) -> Step:
    """Another buffer, another grid, fewer units, a day cut short and opened again for a time."""
    room, buffer = draw(st.sampled_from(("tribe", "hall"))), draw(st.sampled_from((0, 15, 60)))
    minutes, units = draw(st.sampled_from((30, 60, 90))), draw(st.integers(1, 3))
    uses = tuple(
        msgspec.structs.replace(use, slot_minutes=minutes, units=min(use.units, units))
        for use in DEFINITIONS[room].uses
    )
    closes = draw(st.sampled_from((None, None, "12:00", "17:30")))
    hours = tuple(Hours(weekday=day, opens="09:00", closes=closes) for day in range(1, 8)) if closes else ()
    more = ExtraHours(
        first_day=str(FIRST_DAY),
        last_day=str(FIRST_DAY + timedelta(days=draw(st.integers(0, 1)))),
        weekdays=draw(st.sampled_from(((), (3,)))),
        opens=draw(st.sampled_from(("07:45", "12:00", "17:00", "21:00"))),
        closes="23:00",
    )
    definition = msgspec.structs.replace(
        DEFINITIONS[room],
        buffer_minutes=buffer,
        uses=uses,
        hours=hours,
        extra_hours=(more,) if draw(st.booleans()) else (),
    )
    return ChangeRoom.to(room, definition)


@st.composite
def rule_books(draw: st.DrawFn) -> Step:
    book = RuleBook(
        duration_minutes_max=draw(st.sampled_from((45, 60, 180))),
        lead_minutes_min=draw(st.sampled_from((0, 30, 240))),
        ahead_days_max=draw(st.sampled_from((0, 1, 14))),
        open_bookings_max=draw(st.sampled_from((1, 3))),
        grace_minutes=draw(st.sampled_from((0, 15))),
    )
    return ChangeRules(book=book)


CHANGES = st.builds(
    Change, st.sampled_from((CancelBooking, CheckIn, ApproveBooking, RejectBooking, CloseOut)), st.integers(0, 20)
)
CAPACITIES = st.builds(ChangeResource, resource=st.sampled_from(("tables", "bats", "east")), capacity=st.integers(1, 3))
# Up to and just past the ends of a lead time, a grace, a slot; and past the day's release.
MOVES = st.sampled_from((0, 1, 14, 15, 29, 30, 31, 44, 45, 46, 59, 60, 89, 90, 300, 1350)).map(
    lambda minutes: timedelta(minutes=minutes)
)
STEPS = st.one_of(requests(), requests(), CHANGES, MOVES, closures(), changed_rooms(), CAPACITIES, rule_books())


async def live_through(town: Town, steps: Iterable[Step], made: list[str] | None = None) -> None:
    """Ask for what the steps say; `made` are the bookings so far."""
    made = [] if made is None else made
    for step in steps:
        if isinstance(step, timedelta):
            town.now += step
            continue
        command = step.of(made) if isinstance(step, Change) else step
        if isinstance(command, ChangeRoom | ChangeResource):
            # Whatever does not fit is given up.
            command = msgspec.structs.replace(command, cancels=tuple(made))
        answer = await town.ask(command)
        if answer.outcome is Outcome.DONE and isinstance(command, RequestBooking):
            made.append(msgspec.json.decode(answer.body)["id"])


async def drawn(town: Town, person: str) -> list[RoomUse]:
    """Two days from today's, and the day that is just within or just beyond the horizon."""
    position = await town.follow()
    async with town.reader.of("availability", position) as snapshot:
        today = await availability.board(snapshot, FIRST_DAY, FIRST_DAY + timedelta(days=1), town.now, person=person)
        return today.draw() + await availability.of(snapshot, LATER, LATER, town.now, person=person)


def slots(found: list[RoomUse]) -> Iterator[tuple[RoomUse, Slot]]:
    for room_use in found:
        for day in room_use.days:
            for slot in day.slots:
                yield room_use, slot


async def would_be(town: Town, room_use: RoomUse, slot: Slot, person: str, units: int) -> Answer:
    """What the desk would answer to a request, without its being made."""
    asked = wanted(slot.start, slot.end, room=room_use.room, use=room_use.use, units=units, person=person)
    return await town.ask(asked, dry_run=True)


async def check_slot(town: Town, room_use: RoomUse, slot: Slot, person: str) -> None:
    assert (slot.state == "free") == (slot.free > 0) == (not slot.reasons)
    answers = await asyncio.gather(
        *(would_be(town, room_use, slot, person, units) for units in range(1, slot.free + 2))
    )
    outcomes = [answer.outcome for answer in answers]
    assert outcomes == [Outcome.DONE] * slot.free + [Outcome.REFUSED], (room_use.room, room_use.use, slot, answers)
    if not slot.free:
        told = msgspec.json.decode(answers[0].body, type=RefusedBody).reasons
        assert [reason.rule for reason in told] == [reason.rule for reason in slot.reasons]


async def check_history(database: TestDatabase, steps: list[Step], person: str, number: int) -> None:
    async with Town(database, f"town-{number}") as town:
        await live_through(town, (*BUSY, *steps))
        found = list(slots(await drawn(town, person)))
        assert found
        await asyncio.gather(*(check_slot(town, room_use, slot, person) for room_use, slot in found))


NUMBERS = itertools.count()


def check(database: TestDatabase, examples: int, phases: Collection[Phase]) -> None:
    """Each history has a subdistrict of its own, and ends with a move of the clock."""
    histories = st.builds(lambda steps, last: [*steps, last], st.lists(STEPS, max_size=20), MOVES)

    @settings(max_examples=examples, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(steps=histories, person=st.sampled_from(PEOPLE))
    def holds(steps: list[Step], person: str) -> None:
        asyncio.run(check_history(database, steps, person, next(NUMBERS)))

    holds()


def test_a_slot_is_free_for_as_many_units_as_a_request_would_get(database: TestDatabase) -> None:
    # To make a failing history smaller takes minutes: the long test does.
    check(database, examples=12, phases=(Phase.reuse, Phase.generate))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_slot_is_free_for_as_many_units_as_a_request_would_get_in_many_histories(database: TestDatabase) -> None:
    check(database, examples=400, phases=tuple(Phase))

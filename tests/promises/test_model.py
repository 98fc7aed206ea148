"""Random commands, clock moves, and late, double or missing ticks, against a simple model."""

import asyncio
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run
from tests.conftest import TestDatabase
from tests.promises.model import DAY, HOUR, LIVE, MINUTE
from tests.promises.system import FIRST_DAY, PEOPLE, ROOMS, STAFF, TICKER, System, instant

from booking.messages import Answer, Asker, Outcome
from booking.places import decide as places
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    CloseOut,
    RejectBooking,
    RequestBooking,
)
from linyue.postgres import engine
from projections import availability, due, history

# What hypothesis takes for a bundle: the id of one booking, or `multiple()` for none; it types it as anything.
Made = Any

# In the long run each command must have been accepted and refused so often.
LONG_RUN_MIN = 100
ROUNDS_MAX = 12

people = st.sampled_from(PEOPLE)
# What asks for approval is wanted more often, as each answer to it must come up a hundred times in the long run.
ASKED_FOR = [(room, use) for room, known in ROOMS.items() for use in known.uses]
uses = st.sampled_from([*ASKED_FOR, ("hall", "整场"), ("dance", "舞蹈"), ("dance", "舞蹈")])
# Most days are near, so that people want the same; some are beyond the horizon or behind.
days_ahead = st.sampled_from([0, 0, 0, 0, 1, 1, 14, 15, -1])
starts = st.sampled_from([8 * HOUR, *[h * HOUR for h in range(9, 21)], 10 * HOUR + 30 * MINUTE])
lengths = st.sampled_from([HOUR, HOUR, 2 * HOUR, 30 * MINUTE, 4 * HOUR])
counted: Counter[tuple[str, str]] = Counter()


class World(System):
    """What people, staff, clocks and schedulers do, in any order."""

    bookings = Bundle("bookings")

    @rule(
        target=bookings,
        person=people,
        where=uses,
        units=st.sampled_from([1, 1, 1, 2, 3, 4]),
        day=days_ahead,
        start=starts,
        length=lengths,
    )
    def request(self, person: str, where: tuple[str, str], units: int, day: int, start: int, length: int) -> Made:
        room, use = where
        start += (self.model.now // DAY + day) * DAY
        return self._request(person, room, use, units, start, start + length)

    @rule(target=bookings, person=people, where=uses, wait=st.integers(0, 3))
    def request_what_is_near(self, person: str, where: tuple[str, str], wait: int) -> Made:
        """Within the hours of today, so that people come, stay away and take each other's places."""
        room, use = where
        start = (self.model.now // HOUR + 1 + wait) * HOUR
        return self._request(person, room, use, 1, start, start + HOUR)

    def _request(self, person: str, room: str, use: str, units: int, start: int, end: int) -> Made:
        rules = self.model.broken(room, use, units, start, end, person)
        command = RequestBooking(room=room, use=use, units=units, start=instant(start), end=instant(end), person=person)
        answer = self.ask(command, self._as(person))
        self._agrees("request", answer, rules, (person, room, use, units, start, end))
        if rules:
            return multiple()
        id_: str = msgspec.json.decode(answer.body)["id"]
        self.model.make(id_, room, use, units, start, end, person)
        return id_

    @rule(booking=bookings, person=people, mine=st.booleans())
    def cancel(self, booking: str, person: str, mine: bool) -> None:
        self._cancel(booking, self.model.bookings[booking].person if mine else person)

    @rule(pick=st.integers(0, 20))
    def give_up_what_lies_ahead(self, pick: int) -> None:
        ahead = [b for b in self.model.bookings.values() if b.standing(self.model.now) in LIVE]
        if ahead:
            booking = ahead[pick % len(ahead)]
            self._cancel(booking.id, booking.person)

    def _cancel(self, booking: str, person: str) -> None:
        known = self.model.bookings[booking]
        standing = known.standing(self.model.now)
        rules = set()
        if standing not in LIVE:
            rules.add("wrong_state")
        elif standing != "awaiting_approval" and self.model.now >= known.start:
            rules.add("already_started")
        answer = self.ask(CancelBooking(booking=booking, reason="ill"), self._as(person))
        if person != known.person:
            assert answer.outcome is Outcome.DENIED
            return
        self._agrees("cancel", answer, frozenset(rules), ("cancel", person, booking))
        if not rules:
            self.model.end({booking}, "cancelled")
            self.model.wrote(1)

    @rule(booking=bookings)
    def check_in(self, booking: str) -> None:
        self._check_in(booking)

    @rule(booking=bookings)
    def come_in_time(self, booking: str) -> None:
        """As most do: a few minutes before the start."""
        known = self.model.bookings[booking]
        if known.standing(self.model.now) == "confirmed" and known.start - self.model.now < DAY:
            self.model.clock = max(self.model.clock, known.start - 5 * MINUTE)
        self._check_in(booking)

    def _check_in(self, booking: str) -> None:
        known = self.model.bookings[booking]
        standing = known.standing(self.model.now)
        early = standing == "confirmed" and self.model.now < known.start - 15 * MINUTE
        rules = {"too_early"} if early else set() if standing == "confirmed" else {"wrong_state"}
        answer = self.ask(CheckIn(booking=booking), self._as(known.person))
        self._agrees("check_in", answer, frozenset(rules), ("check_in", known.person, booking))
        if not rules:
            known.checked_in = self.model.now
            self.model.wrote(1)

    @rule(booking=bookings, yes=st.booleans())
    def answer_request(self, booking: str, yes: bool) -> None:
        self._answer_request(booking, yes)

    @rule(pick=st.integers(0, 20), yes=st.booleans())
    def answer_one_that_waits(self, pick: int, yes: bool) -> None:
        waiting = [b.id for b in self.model.bookings.values() if b.standing(self.model.now) == "awaiting_approval"]
        if waiting:
            self._answer_request(waiting[pick % len(waiting)], yes)

    def _answer_request(self, booking: str, yes: bool) -> None:
        known = self.model.bookings[booking]
        rules = frozenset() if known.standing(self.model.now) == "awaiting_approval" else frozenset({"wrong_state"})
        command = ApproveBooking(booking=booking) if yes else RejectBooking(booking=booking, reason="other")
        answer = self.ask(command, STAFF)
        self._agrees("approve" if yes else "reject", answer, rules, (yes, booking))
        if rules:
            return
        if yes:
            known.confirmed = self.model.now
        else:
            self.model.end({booking}, "rejected")
        self.model.wrote(1)

    @rule(room=st.sampled_from(list(ROOMS)), hours=st.integers(1, 6), ahead=st.integers(-2, 30), dry_run=st.booleans())
    def close(self, room: str, hours: int, ahead: int, dry_run: bool) -> None:
        start = (self.model.now // HOUR + ahead) * HOUR
        command = places.CloseRoom(
            room=room, start=instant(start), end=instant(start + hours * HOUR), reason="maintenance"
        )
        lost = self.model.overlapping(room, start, start + hours * HOUR)
        over = start + hours * HOUR <= self.model.now
        answer = self.ask(command, STAFF, dry_run=dry_run)
        if over:
            self._is_over(answer, ("close", room, start, hours), dry_run=dry_run)
            return
        assert set(msgspec.json.decode(answer.body)["cancelled"]) == lost
        counted["close", "dry run" if dry_run else "accepted"] += 1
        if not dry_run:
            self.model.closures.append((room, start, start + hours * HOUR, True))
            self.model.end(lost, "cancelled")
            self.model.wrote(1 + len(lost))

    def _is_over(self, answer: Answer, request: object, *, dry_run: bool) -> None:
        """What has passed cannot be closed any more."""
        counted["close", "refused"] += 1
        assert answer.outcome is Outcome.REFUSED
        assert [reason["rule"] for reason in msgspec.json.decode(answer.body)["reasons"]] == ["in_the_past"]
        if not dry_run:
            self.model.refuse(request, frozenset({"in_the_past"}))

    @rule(room=st.sampled_from(list(ROOMS)), hours=st.integers(1, 6), ahead=st.integers(0, 30))
    def reopen(self, room: str, hours: int, ahead: int) -> None:
        start = (self.model.now // HOUR + ahead) * HOUR
        command = places.ReopenRoom(room=room, start=instant(start), end=instant(start + hours * HOUR))
        assert self.ask(command, STAFF).outcome is Outcome.DONE
        counted["reopen", "accepted"] += 1
        self.model.closures.append((room, start, start + hours * HOUR, False))
        self.model.wrote(1)

    @rule(resource=st.sampled_from(["table", "half", "bats"]), capacity=st.integers(1, 4), give_up=st.booleans())
    def change_capacity(self, resource: str, capacity: int, give_up: bool) -> None:
        self._change_capacity(resource, capacity, give_up)

    @rule(pick=st.integers(0, 20), give_up=st.sampled_from([False, False, True]))
    def take_away_what_is_booked(self, pick: int, give_up: bool) -> None:
        """Refused while live bookings do not fit, until they are named."""
        smaller = [(r, c) for r in ("table", "half", "bats") for c in range(1, self.model.capacity[r])]
        wanted = [(resource, capacity) for resource, capacity in smaller if self.model.unfit(resource, capacity)]
        if wanted:
            self._change_capacity(*wanted[pick % len(wanted)], give_up)

    def _change_capacity(self, resource: str, capacity: int, give_up: bool) -> None:
        unfit = self.model.unfit(resource, capacity) if capacity != self.model.capacity[resource] else set()
        cancels = tuple(sorted(unfit)) if give_up else ()
        answer = self.ask(places.ChangeResource(resource=resource, capacity=capacity, cancels=cancels), STAFF)
        rules = frozenset({"bookings_do_not_fit"}) if unfit and not give_up else frozenset()
        self._agrees("change_capacity", answer, rules, ("capacity", resource, capacity, cancels))
        if rules or capacity == self.model.capacity[resource]:
            return
        assert set(msgspec.json.decode(answer.body)["cancelled"]) == unfit
        self.model.capacity[resource] = capacity
        self.model.end(unfit, "cancelled")
        self.model.wrote(1 + len(unfit))

    @rule(seconds=st.sampled_from([1, 7 * MINUTE, 15 * MINUTE, HOUR, HOUR, 5 * HOUR, DAY, 3 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.model.clock += seconds

    @rule(seconds=st.integers(1, 50))
    def the_clock_steps_back(self, seconds: int) -> None:
        self.model.clock = max(self.model.clock - seconds, self.model.last_at - 50)

    @rule(times=st.integers(1, 2), some=st.integers(1, 30))
    def tick(self, times: int, some: int) -> None:
        """The scheduler's work on what the read model says is due: early or late, all or part of it, once or twice."""
        for _ in range(times):
            for booking in self.due_now()[:some]:
                self._close_out(booking)

    @rule(booking=bookings)
    def close_out_whatever(self, booking: str) -> None:
        """A tick that is wrong about what is due changes nothing."""
        self._close_out(booking)

    def _close_out(self, booking: str) -> None:
        known = self.model.bookings[booking]
        due_ = known.due()
        records = not known.recorded and due_ is not None and self.model.now >= due_[0]
        answer = self.ask(CloseOut(booking=booking), TICKER)
        assert answer.outcome is Outcome.DONE
        counted["close_out", "recorded" if records else "nothing to do"] += 1
        if records:
            known.recorded = True
            self.model.wrote(1)

    def _agrees(self, command: str, answer: Answer, rules: frozenset[str], request: object) -> None:
        """The system says what the model says, for every rule of it."""
        counted[command, "refused" if rules else "accepted"] += 1
        if not rules:
            assert answer.outcome is Outcome.DONE, answer
            return
        assert answer.outcome is Outcome.REFUSED, (answer, rules)
        assert {reason["rule"] for reason in msgspec.json.decode(answer.body)["reasons"]} == rules
        self.model.refuse(request, rules)

    @staticmethod
    def _as(person: str) -> Asker:
        return Asker(id=person, role="resident", channel="phone", scope="own")

    @invariant()
    def nothing_is_overbooked(self) -> None:
        assert self.model.overbooked() == []

    @rule(who=people)
    def the_read_models_say_what_the_model_says(self, who: str) -> None:
        self.wait(self._agree_on_reading(who))

    async def _agree_on_reading(self, who: str) -> None:
        await self.catch_up()
        now = instant(self.model.now)
        async with self.reader.of("agenda", self.model.events) as snapshot:
            assert snapshot.position == self.model.events
            found = {item.id: item.state for item in await self.all_of(snapshot, who, now)}
        mine = {b.id: b.standing(self.model.now) for b in self.model.bookings.values() if b.person == who}
        assert found == mine
        today = FIRST_DAY.date() + timedelta(days=self.model.now // DAY)
        async with self.reader.of("availability") as snapshot:
            for room_use in await availability.of(snapshot, today, today + timedelta(days=1), now, person=who):
                self._agree_on_slots(room_use, who)
        async with self.reader.of("due") as snapshot:
            found_due = {row.booking for row in await due.by(snapshot, now, limit=1_000)}
        over = {b.id for b in self.model.bookings.values() if (d := b.due()) and d[0] <= self.model.now}
        assert found_due == {id_ for id_ in over if not self.model.bookings[id_].recorded}
        async with self.reader.of("history") as snapshot:
            written = await history.events(snapshot, after=0, limit=10_000)
        # A page of it, and never less than there is.
        assert [row.position for row in written] == list(range(1, min(self.model.events, history.ROWS_MAX) + 1))

    def _agree_on_slots(self, room_use: availability.RoomUse, who: str) -> None:
        for day in room_use.days:
            for slot in day.slots:
                start, end = (int((i - FIRST_DAY).total_seconds()) for i in (slot.start, slot.end))
                wanted = self.model.free(room_use.room, room_use.use, start, end, who)
                assert slot.free == wanted, (room_use.room, room_use.use, slot)
                rules = self.model.broken(room_use.room, room_use.use, 1, start, end, who)
                assert {reason.rule for reason in slot.reasons} == rules


def _run(database: TestDatabase, examples: int, steps: int) -> None:
    World.database = database
    with asyncio.Runner() as runner:
        World.runner = runner
        World.engines = engine(database.projector), engine(database.app)
        try:
            run(
                World,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                ),
            )
        finally:
            for each in World.engines:
                runner.run(each.dispose())
            for (command, answer), times in sorted(counted.items()):
                sys.stdout.write(f"{command:>16} {answer:<13} {times:>6}\n")


def test_the_system_answers_as_a_simple_model_does(database: TestDatabase) -> None:
    """Commands, clock, ticks and readings in any order: the same answers, the same rules, the same grids."""
    counted.clear()
    _run(database, examples=12, steps=40)
    assert counted["request", "accepted"]
    assert counted["request", "refused"]


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_each_command_agrees_with_the_model_when_accepted_and_when_refused(database: TestDatabase) -> None:
    """The long run: every command at least a hundred times with either answer."""
    counted.clear()
    commands = ("request", "cancel", "check_in", "approve", "reject", "change_capacity")
    either = [(command, answer) for command in commands for answer in ("accepted", "refused")]
    for _ in range(ROUNDS_MAX):
        _run(database, examples=200, steps=60)
        if all(counted[each] >= LONG_RUN_MIN for each in either):
            break
    assert {each: counted[each] for each in either if counted[each] < LONG_RUN_MIN} == {}

"""Random commands, clock moves, and late, double or missing ticks, against a simple model."""

import asyncio
import sys
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from tests.conftest import TestDatabase
from tests.promises.model import DAY, HOUR, MINUTE, Place
from tests.promises.people import counted, people
from tests.promises.rooms import Rooms
from tests.promises.system import FIRST_DAY, PEOPLE, TICKER, instant
from tests.rows import rows_of

from booking.messages import Outcome
from booking.reservations.decide import CloseOut
from linyue.postgres import engine
from linyue.wiring import codec_of
from projections import agenda, availability, due, history
from projections.questions import QUESTIONS
from projections.rebuild import rebuild

# In the long run each command must have been accepted and refused so often.
LONG_RUN_MIN = 100
ROUNDS_MAX = 12
# A rebuild reads the logs of all runs so far: one run in so many has one.
REBUILT_EACH = 4
COMMANDS = (
    "request", "reschedule", "extend", "end", "cancel", "check_in", "approve", "reject",
    "change_capacity", "close", "reopen", "change_room", "replace_rooms",
)  # fmt: skip


class World(Rooms):
    """Beside what people and staff do: clocks, schedulers and readers."""

    @rule(seconds=st.sampled_from([1, 7 * MINUTE, 15 * MINUTE, HOUR, HOUR, 2 * HOUR, 5 * HOUR, DAY]))
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

    @rule(booking=Rooms.bookings)
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

    @invariant()
    def nothing_is_overbooked(self) -> None:
        assert self.model.overbooked() == []

    @rule(who=people)
    def the_read_models_say_what_the_model_says(self, who: str) -> None:
        self.wait(self._agree_on_reading(who))

    @precondition(lambda self: self.number % REBUILT_EACH == 0 and not self.rebuilt)
    @rule()
    def what_is_rebuilt_is_what_was_there(self) -> None:
        """Row by row; and the readers, who read what was swapped in, find in it what the model says."""
        self.rebuilt = True
        self.wait(self._rebuild())
        for who in PEOPLE:
            self.wait(self._agree_on_reading(who))
        counted["rebuild", "equal"] += 1

    async def _rebuild(self) -> None:
        await self.catch_up()
        projector, _ = self.engines
        for question in QUESTIONS:
            rows = partial(rows_of, projector, question.tables, question.name, subdistrict=self.subdistrict)
            live = await rows()
            await rebuild(projector, codec_of(self.subdistrict), question, question.name)
            assert await rows() == live

    async def _agree_on_reading(self, who: str) -> None:
        await self.catch_up()
        now = instant(self.model.now)
        async with self.reader.of("agenda", self.model.events) as snapshot:
            assert snapshot.position == self.model.events
            found = {item.id: (item.state, _place(item)) for item in await self.all_of(snapshot, who, now)}
        mine = [b for b in self.model.bookings.values() if b.person == who]
        assert found == {b.id: (b.standing(self.model.now), b.place()) for b in mine}
        today = FIRST_DAY.date() + timedelta(days=self.model.now // DAY)
        async with self.reader.of("availability") as snapshot:
            drawn = await availability.of(snapshot, today, today + timedelta(days=1), now, person=who)
        assert {room_use.room for room_use in drawn} == self.model.rooms.keys()
        for room_use in drawn:
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
                place = Place(room_use.room, room_use.use, 1, _seconds(slot.start), _seconds(slot.end))
                assert slot.free == self.model.free(place, who), (room_use.room, room_use.use, slot)
                assert {reason.rule for reason in slot.reasons} == self.model.broken(place, who)


def _seconds(instant_: datetime) -> int:
    return int((instant_ - FIRST_DAY).total_seconds())


def _place(item: agenda.Item) -> Place:
    return Place(item.room, item.use, item.units, _seconds(item.start), _seconds(item.end))


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
    assert counted["rebuild", "equal"]


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_each_command_agrees_with_the_model_when_accepted_and_when_refused(database: TestDatabase) -> None:
    """The long run: every command at least a hundred times with either answer."""
    counted.clear()
    either = [(command, answer) for command in COMMANDS for answer in ("accepted", "refused")]
    for _ in range(ROUNDS_MAX):
        _run(database, examples=200, steps=60)
        if all(counted[each] >= LONG_RUN_MIN for each in either):
            break
    assert {each: counted[each] for each in either if counted[each] < LONG_RUN_MIN} == {}

"""What a desk knows between its batches: never anything else than what the log says, whoever writes to it."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from typing import Any

import asyncpg
import pytest
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase
from tests.log import doors, history
from tests.log.desks import KEY, NOW, SUBDISTRICT, HandClock, Line, Watched, all_of, ask, desk_on, events, writer
from tests.log.doors import Door, Knock, Knocked, door_tag

from booking import log, subjects
from booking.codec import Codec
from booking.desk import Desk
from booking.memory import BEHIND_MAX, Memory
from booking.messages import Ask, Asker, Command, Outcome, Recorded, derived_id
from booking.places.decide import CloseRoom, ReopenRoom
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    EndBooking,
    ExtendBooking,
    RequestBooking,
    RescheduleBooking,
)
from booking.state import State
from booking.vault import Vault

pytestmark = pytest.mark.asyncio

Connection = asyncpg.Connection


def desk_with(line: Callable[[], Any], memory: Memory | None = None) -> Desk:
    return Desk(doors, doors.codec(), Vault(SUBDISTRICT, [KEY]), line, HandClock(), memory=memory)


def reads(watched: Watched) -> int:
    """How often events were looked up by their tags."""
    return sum("event_tags" in statement and "SELECT asked.tag" in statement for statement in watched.statements)


async def test_what_was_asked_for_before_is_not_read_again(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_with(line) as desk:
        for _ in range(3):
            await desk.ask(ask(Knock(most=2)))
        assert reads(line.opened[0]) == 1
    assert [type(recorded.event).__name__ for recorded in await events(log_database)] == [
        "Knocked", "Knocked", "KnockRefused",
    ]  # fmt: skip


async def test_without_a_memory_every_batch_reads(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_with(line, Memory(doors.codec(), size_max=0)) as desk:
        for _ in range(3):
            await desk.ask(ask(Knock()))
        assert reads(line.opened[0]) == 3


async def test_what_another_desk_wrote_meanwhile_is_learned(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_with(line) as one, desk_on(log_database) as other:
        await one.ask(ask(Knock(most=2)))
        await other.ask(ask(Knock(door="side")))
        await other.ask(ask(Knock(most=2)))
        assert (await one.ask(ask(Knock(most=2)))).outcome is Outcome.REFUSED
        assert reads(line.opened[0]) == 1


async def test_what_was_decided_and_undone_is_forgotten(log_database: TestDatabase) -> None:
    """The wire is cut after the events were sent and before they were committed: the door was not knocked on."""
    line = Line(log_database)
    cut = False

    async def cut_once(watched: Watched, statement: str) -> None:
        nonlocal cut
        if statement == "COMMIT" and len(watched.statements) > 8 and not cut:
            cut = True
            await watched.lose()

    line.before = cut_once
    async with desk_with(line) as desk:
        answers = [await desk.ask(ask(Knock(most=3))) for _ in range(4)]
    assert cut
    assert [answer.outcome for answer in answers] == [Outcome.DONE] * 3 + [Outcome.REFUSED]
    assert sum(isinstance(recorded.event, Knocked) for recorded in await events(log_database)) == 3


async def _appended(connection: Any, head: log.Head, *doors_: str) -> log.Head:  # noqa: ANN401 - a connection
    entries = [
        log.Entry(position, doors.codec().encode(_knocked(position, door)), (door_tag(door),))
        for position, door in enumerate(doors_, head.position + 1)
    ]
    return await log.append(connection, SUBDISTRICT, head, entries)


def _knocked(position: int, door: str) -> Recorded:
    return Recorded(
        position=position, at=NOW, command=f"c{position}", n=0, actor="lin", role="resident", channel="phone",
        rules=0, event=Knocked(door=door, person="lin"),
    )  # fmt: skip


def _known(state: State) -> int | None:
    """How often the front door was knocked on, as far as is known without reading."""
    return state.at(Door, door_tag("front")).knocks if state.has(door_tag("front")) else None


async def _remembering(connection: Any, memory: Memory) -> log.Head:  # noqa: ANN401 - a connection
    head = await _appended(connection, await log.head(connection, SUBDISTRICT), "front")
    state = State()
    state.add([door_tag("front")], (), {door_tag("front"): [_knocked(1, "front")]})
    memory.keep(state, head)
    return head


async def test_a_memory_is_lent_once_until_it_is_given_back(log_database: TestDatabase) -> None:
    connection, memory = await writer(log_database), Memory(doors.codec())
    head = await _remembering(connection, memory)
    lent = await memory.lend(connection, head)
    assert _known(lent) == 1
    assert _known(await memory.lend(connection, head)) is None
    memory.keep(lent, head)
    assert _known(await memory.lend(connection, head)) == 1
    await connection.close()


async def test_who_is_too_far_behind_reads_anew(log_database: TestDatabase) -> None:
    connection, memory = await writer(log_database), Memory(doors.codec())
    head = await _remembering(connection, memory)
    head = await _appended(connection, head, *(["front"] * BEHIND_MAX))
    lent = await memory.lend(connection, head)
    assert _known(lent) == 1 + BEHIND_MAX
    memory.keep(lent, head)
    head = await _appended(connection, head, *(["side"] * (BEHIND_MAX + 1)))
    assert _known(await memory.lend(connection, head)) is None
    await connection.close()


@pytest.mark.parametrize("written_since", [0, 1, 2])
async def test_a_log_that_was_set_back_is_read_anew(log_database: TestDatabase, written_since: int) -> None:
    """A server that was restored from a copy has other events at the same positions, or fewer."""
    connection, memory = await writer(log_database), Memory(doors.codec())
    await _remembering(connection, memory)
    restored: Connection = await asyncpg.connect(log_database.superuser)
    await restored.execute("SET session_replication_role = replica; TRUNCATE booking.events, booking.event_tags")
    await restored.close()
    head = await _appended(connection, await log.head(connection, SUBDISTRICT), *(["side"] * written_since))
    assert _known(await memory.lend(connection, head)) is None
    await connection.close()


async def test_what_cannot_be_understood_is_left_to_who_needs_it(log_database: TestDatabase) -> None:
    """A newer program writes what this one does not know: those who ask for something else are answered."""
    connection = await writer(log_database)
    async with desk_on(log_database) as desk:
        await desk.ask(ask(Knock()))
        head = await log.head(connection, SUBDISTRICT)
        await log.append(connection, SUBDISTRICT, head, [log.Entry(2, b'{"type":"Flown"}', ("door:roof",))])
        # The clock looks at the last event too, so a known one follows.
        await _appended(connection, await log.head(connection, SUBDISTRICT), "side")
        assert (await desk.ask(ask(Knock()))).outcome is Outcome.DONE
    await connection.close()


async def test_commands_of_a_batch_that_failed_are_decided_upon_the_log_alone(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        await all_of(desk, ask(Knock()), ask(doors.Ram()))
        answers = await all_of(desk, ask(Knock(most=2)), ask(doors.Ram()), ask(Knock(most=2)))
    assert [getattr(answer, "outcome", type(answer)) for answer in answers][::2] == [Outcome.DONE, Outcome.REFUSED]


RESIDENTS = [Asker(id=f"p{n}", role="resident", channel="phone", scope="own") for n in range(12)]

# As without a memory, whatever is asked of whichever desk.


class Life:
    """A day of commands drawn by chance, the same for every log: ids are counted, times come from one clock."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = history.at("24 08:00")
        self._numbers = count()
        self._made: list[str] = []

    def next(self) -> tuple[Ask, int]:
        """A command, and at which of two desks it is asked."""
        dice = self.dice
        self.now += timedelta(minutes=dice.randrange(12))
        id_ = f"command{next(self._numbers)}"
        asker = dice.choice((history.STAFF, *RESIDENTS))
        made = Ask(id=id_, command=self._command(asker.id), asker=asker, key=dice.choice((None, id_)))
        return made, dice.randrange(2)

    def answered(self, ask: Ask, outcome: Outcome) -> None:
        if isinstance(ask.command, RequestBooking) and outcome is Outcome.DONE:
            self._made.append(derived_id(ask.id))

    def _command(self, person: str) -> Command:
        dice = self.dice
        start = history.at("24 09:00") + timedelta(days=dice.randrange(3), hours=dice.randrange(12))
        end = start + timedelta(hours=dice.choice((1, 1, 2)))
        room = dice.choice(("tribe", "studio"))
        if not self._made or dice.random() < 0.5:
            return RequestBooking(room=room, start=start, end=end, person=person, units=dice.choice((1, 1, 2)))
        booking = dice.choice(self._made[-8:])
        return dice.choice(
            (
                ApproveBooking(booking=booking),
                CancelBooking(booking=booking, reason="changed_plans"),
                CheckIn(booking=booking),
                RescheduleBooking(booking=booking, start=start, end=end, room=room),
                ExtendBooking(booking=booking, end=end),
                EndBooking(booking=booking),
                CloseRoom(room=room, start=start, end=end, reason="cleaning"),
                CancelBooking(booking=booking, reason="ill"),
                ReopenRoom(room=room, start=start, end=end),
            )
        )


def _sometimes_cut(database: TestDatabase, dice: random.Random) -> Callable[[], Any]:
    """Opens connections that are lost now and then, before a statement or after it."""

    async def lose(watched: Watched, statement: str) -> None:
        if dice.random() < 0.004:
            await watched.lose()

    async def connect() -> Watched:
        return Watched(await writer(database), before=lose, after=lose)

    return connect


@pytest.mark.parametrize("seed", range(4))
async def test_a_desk_that_remembers_answers_as_one_that_does_not(log_database: TestDatabase, seed: int) -> None:
    """Two desks of small memories that share a log, beside one without that has a log of its own."""
    told: dict[str, list[object]] = {}
    for subdistrict, size_max in (("with", 40), ("without", 0)):
        life, codec = Life(seed), Codec(subdistrict, subjects.EVENTS, subjects.UPCASTERS)
        vault = Vault(subdistrict, [Fernet.generate_key().decode()])
        connect = _sometimes_cut(log_database, random.Random(seed))
        async with AsyncExitStack() as stack:
            desks = [
                await stack.enter_async_context(
                    Desk(subjects, codec, vault, connect, lambda: life.now, memory=Memory(codec, size_max))  # noqa: B023
                )
                for _ in range(2)
            ]
            there = history.Station(desks[0])
            await history.opened(there)
            answers: list[object] = []
            for _ in range(80):
                asked, which = life.next()
                answer = await desks[which].ask(asked, 30)
                life.answered(asked, answer.outcome)
                answers.append((type(asked.command).__name__, answer))
            told[subdistrict] = answers
    assert told["with"] == told["without"]
    assert sum("DONE" in str(answer) for answer in told["with"]) > 10


async def test_two_desks_in_a_hurry_never_give_away_more_than_there_is(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as one, desk_on(log_database) as other:
        answers = await asyncio.gather(*(all_of(desk, ask(Knock(most=30))) for desk in (one, other) for _ in range(40)))
    done = [answer for batch in answers for answer in batch if getattr(answer, "outcome", None) is Outcome.DONE]
    assert len(done) == 30

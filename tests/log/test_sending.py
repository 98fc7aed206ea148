"""What a batch leaves is sent in steps while it is decided, and is still all or nothing."""

import pytest
from tests.conftest import TestDatabase
from tests.log.desks import Line, Watched, all_of, ask, desk_on, events
from tests.log.doors import Knock, Knocked, Ram, Scrawl

from booking import desk as desk_module
from booking.batch import Spoilt
from booking.desk import NotDone
from booking.messages import Answer, Outcome

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "SENT_AT_ONCE", 4)


def appends(watched: Watched) -> int:
    return sum("INSERT INTO booking.events" in statement for statement in watched.statements)


def done(answers: list[Answer | BaseException]) -> int:
    return sum(isinstance(answer, Answer) and answer.outcome is Outcome.DONE for answer in answers)


async def knocks(database: TestDatabase) -> list[int]:
    """The positions of the knocks in the log."""
    return [recorded.position for recorded in await events(database) if isinstance(recorded.event, Knocked)]


async def test_the_steps_of_a_batch_are_one_transaction(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_on(log_database, connect=line) as desk:
        answers = await all_of(desk, *(ask(Knock(most=18), key=f"k{n}") for n in range(20)))
        again = await all_of(desk, *(ask(Knock(most=18), key=f"k{n}") for n in range(20)))
    assert done(answers) == 18
    assert again == answers
    assert await knocks(log_database) == list(range(1, 19))
    assert appends(line.opened[0]) == 5
    assert line.opened[0].statements.count("COMMIT") == 2


async def test_a_step_that_does_not_arrive_undoes_those_before_and_after(log_database: TestDatabase) -> None:
    line = Line(log_database)

    async def cut(watched: Watched, statement: str) -> None:
        if appends(watched) == 2 and "INSERT INTO booking.events" in statement:
            await watched.lose()

    line.before = cut
    async with desk_on(log_database, connect=line) as desk:
        assert done(await all_of(desk, *(ask(Knock()) for _ in range(20)))) == 20
    assert len(line.opened) == 2
    assert await knocks(log_database) == list(range(1, 21))


async def test_a_command_that_spoils_its_batch_undoes_what_was_sent_already(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, *(ask(Knock()) for _ in range(10)), ask(Ram()), *(ask(Knock()) for _ in range(10)))
    assert isinstance(answers[10], Spoilt)
    assert done(answers) == 20
    assert await knocks(log_database) == list(range(1, 21))


async def test_what_no_database_takes_fails_alone_whatever_its_step(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(
            desk, *(ask(Knock()) for _ in range(6)), ask(Scrawl()), *(ask(Knock()) for _ in range(6))
        )
    assert isinstance(answers[6], NotDone)
    assert await knocks(log_database) == list(range(1, 13))

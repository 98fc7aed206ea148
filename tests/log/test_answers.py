"""What was answered to whom under which key, and how often a refusal was asked for again."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio
from tests.conftest import TestDatabase
from tests.log.desks import NOW, SUBDISTRICT, Connection, writer

from booking import answers
from booking.answers import Kept, KnownRefusal
from booking.messages import Answer, Outcome

pytestmark = pytest.mark.asyncio

DONE = Answer(outcome=Outcome.DONE, body=b'{"id":"b1"}', position=3)
LIN_S = Kept("lin", "key", b"fingerprint", DONE)


@pytest_asyncio.fixture
async def connection(log_database: TestDatabase) -> AsyncIterator[Connection]:
    opened = await writer(log_database)
    yield opened
    await opened.close()


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_an_answer_is_kept_field_for_field(connection: Connection, outcome: Outcome) -> None:
    kept = Kept("lin", "key", b"fingerprint", Answer(outcome=outcome, body=b'{"id":"b1"}', position=3))
    await answers.keep(connection, SUBDISTRICT, NOW, [kept])
    assert await answers.known(connection, SUBDISTRICT, [("lin", "key")]) == [kept]


@pytest.mark.parametrize("asked", [("wang", "key"), ("lin", "other")], ids=["another person", "another key"])
async def test_nobody_gets_another_s_answer(connection: Connection, asked: tuple[str, str]) -> None:
    await answers.keep(connection, SUBDISTRICT, NOW, [LIN_S])
    assert await answers.known(connection, SUBDISTRICT, [asked]) == []


async def test_answers_belong_to_their_subdistrict(connection: Connection) -> None:
    await answers.keep(connection, "hongmei", NOW, [LIN_S])
    assert await answers.known(connection, SUBDISTRICT, [("lin", "key")]) == []


async def test_only_the_answers_asked_for_are_told(connection: Connection) -> None:
    """Not the product of all people with all keys."""
    kept = [Kept(actor, key, b"f", DONE) for actor in ("lin", "wang") for key in ("k1", "k2")]
    await answers.keep(connection, SUBDISTRICT, NOW, kept)
    found = await answers.known(connection, SUBDISTRICT, [("lin", "k1"), ("wang", "k2")])
    assert {(one.actor, one.key) for one in found} == {("lin", "k1"), ("wang", "k2")}


async def test_no_key_is_no_question(connection: Connection) -> None:
    assert await answers.known(connection, SUBDISTRICT, []) == []


async def test_the_program_never_changes_an_answer(connection: Connection) -> None:
    await answers.keep(connection, SUBDISTRICT, NOW, [LIN_S])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("UPDATE booking.answers SET body = 'x'")
    with pytest.raises(asyncpg.UniqueViolationError):
        await answers.keep(connection, SUBDISTRICT, NOW, [LIN_S])


async def test_old_answers_are_forgotten_and_young_ones_are_not(connection: Connection) -> None:
    old = NOW - timedelta(days=answers.KEPT_DAYS, seconds=1)
    await answers.keep(connection, SUBDISTRICT, old, [LIN_S])
    await answers.keep(connection, SUBDISTRICT, NOW, [LIN_S._replace(key="young")])
    assert await answers.forget_before(connection, SUBDISTRICT, NOW - timedelta(days=answers.KEPT_DAYS)) == 1
    left = await answers.known(connection, SUBDISTRICT, [("lin", "key"), ("lin", "young")])
    assert [one.key for one in left] == ["young"]


async def test_answers_are_forgotten_in_steps(connection: Connection) -> None:
    many = [LIN_S._replace(key=str(n)) for n in range(1_200)]
    await answers.keep(connection, SUBDISTRICT, NOW, many)
    later = NOW + timedelta(days=31)
    assert [await answers.forget_before(connection, SUBDISTRICT, later) for _ in range(3)] == [1_000, 200, 0]


REFUSAL = KnownRefusal(7, NOW, b'{"reasons":[]}')


async def count_of(connection: Connection, digest: bytes) -> object:
    return await connection.fetchval("SELECT count FROM booking.refusals WHERE digest = $1", digest)


async def test_a_refusal_is_known_by_what_was_asked(connection: Connection) -> None:
    await answers.keep_refusals(connection, SUBDISTRICT, {b"asked": REFUSAL})
    assert await answers.known_refusals(connection, SUBDISTRICT, [b"asked", b"other"]) == {b"asked": REFUSAL}


async def test_repeats_are_counted(connection: Connection) -> None:
    await answers.keep_refusals(connection, SUBDISTRICT, {b"asked": REFUSAL, b"other": REFUSAL})
    await answers.count_refusals(connection, SUBDISTRICT, {b"asked": 2})
    await answers.count_refusals(connection, SUBDISTRICT, {b"asked": 3})
    assert (await count_of(connection, b"asked"), await count_of(connection, b"other")) == (6, 1)


async def test_a_refusal_written_anew_is_counted_anew(connection: Connection) -> None:
    await answers.keep_refusals(connection, SUBDISTRICT, {b"asked": REFUSAL})
    await answers.count_refusals(connection, SUBDISTRICT, {b"asked": 5})
    later = REFUSAL._replace(position=9, at=NOW + timedelta(hours=1))
    await answers.keep_refusals(connection, SUBDISTRICT, {b"asked": later})
    assert await answers.known_refusals(connection, SUBDISTRICT, [b"asked"]) == {b"asked": later}
    assert await count_of(connection, b"asked") == 1


async def test_old_counts_of_refusals_are_forgotten(connection: Connection) -> None:
    """The log keeps the refusals themselves."""
    young = REFUSAL._replace(at=NOW + timedelta(hours=2))
    await answers.keep_refusals(connection, SUBDISTRICT, {b"old": REFUSAL, b"young": young})
    assert await answers.forget_refusals_before(connection, SUBDISTRICT, NOW + timedelta(hours=1)) == 1
    assert await count_of(connection, b"young") == 1

"""The desk: one commit for all who wait, an answer for each, and never a word that is not true."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from tests.conftest import TestDatabase
from tests.log.desks import (
    NOW,
    HandClock,
    Line,
    Watched,
    all_of,
    ask,
    count_of,
    desk_on,
    events,
    writer,
)
from tests.log.doors import LIN, WANG, Follow, Knock, Knocked, KnockRefused, Ram, Scrawl, Stray, Stumble

from booking import desk as desk_module
from booking import log
from booking.batch import Spoilt
from booking.codec import UnknownEvent
from booking.desk import ClockBehind, NotDone, QueueFull, fingerprint, new_command_id, new_person_id
from booking.messages import Answer, Outcome
from booking.state import NotRead

pytestmark = pytest.mark.asyncio


def outcomes(answers: list[Answer | BaseException]) -> list[object]:
    """The outcome of each answer, the type of what was raised."""
    return [answer.outcome if isinstance(answer, Answer) else type(answer) for answer in answers]


DONE, REFUSED, KEY_REUSED = Outcome.DONE, Outcome.REFUSED, Outcome.KEY_REUSED


async def test_a_command_is_answered_once_it_is_in_the_log(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answer = await desk.ask(ask(Knock(), id_="first"))
        assert (answer.outcome, answer.position, answer.body) == (DONE, 1, b'{"id":"first"}')
        assert [recorded.event for recorded in await events(log_database)] == [Knocked(door="front", person="lin")]


async def test_commands_that_wait_together_are_one_transaction(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_on(log_database, connect=line) as desk:
        answers = await all_of(desk, *(ask(Knock()) for _ in range(20)))
        assert outcomes(answers) == [DONE] * 20
        assert line.opened[0].statements.count("COMMIT") == 1


async def test_each_command_of_a_batch_is_decided_upon_those_before_it(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, *(ask(Knock(most=3)) for _ in range(5)))
        assert outcomes(answers) == [DONE] * 3 + [REFUSED] * 2


async def test_a_batch_has_a_size(log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "BATCH_MAX", 8)
    line = Line(log_database)
    async with desk_on(log_database, connect=line) as desk:
        assert outcomes(await all_of(desk, *(ask(Knock()) for _ in range(20)))) == [DONE] * 20
        assert line.opened[0].statements.count("COMMIT") == 3


async def test_two_desks_on_one_log_share_what_there_is(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as one, desk_on(log_database) as other:
        asks = [ask(Knock(most=7)) for _ in range(20)]
        answers = await asyncio.gather(all_of(one, *asks[:10]), all_of(other, *asks[10:]))
        assert sorted(outcomes(answers[0] + answers[1]), key=str) == [DONE] * 7 + [REFUSED] * 13
    # The first refusal is an event, those after it are counted.
    assert [recorded.position for recorded in await events(log_database)] == list(range(1, 9))


async def test_the_same_key_in_one_batch_gets_the_first_answer(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        first, again = await all_of(desk, *(ask(Knock(), key="k", fingerprint=b"f") for _ in range(2)))
        assert first == again
        assert len(await events(log_database)) == 1


async def test_the_same_key_later_gets_the_first_answer(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        first = await desk.ask(ask(Knock(), key="k", fingerprint=b"f"))
        await desk.ask(ask(Knock()))
        assert await desk.ask(ask(Knock(), key="k", fingerprint=b"f")) == first


async def test_the_same_key_at_two_desks_at_once_gets_one_answer(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as one, desk_on(log_database) as other:
        for n in range(20):
            asks = [ask(Knock(), key=f"k{n}", fingerprint=b"f") for _ in range(2)]
            first, second = await asyncio.gather(one.ask(asks[0]), other.ask(asks[1]))
            assert first == second
        assert len(await events(log_database)) == 20


async def test_another_body_under_a_key_is_told_so(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        await desk.ask(ask(Knock(), key="k", fingerprint=b"f"))
        answers = await all_of(desk, ask(Knock(door="back"), key="k", fingerprint=b"g"))
        assert outcomes(answers) == [KEY_REUSED]
        assert len(await events(log_database)) == 1


async def test_a_key_belongs_to_whoever_sent_it(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        mine = await desk.ask(ask(Knock(), key="k", fingerprint=b"f", by=LIN))
        assert await desk.ask(ask(Knock(), key="k", fingerprint=b"f", by=WANG)) != mine


async def test_a_no_is_the_first_answer_as_well(log_database: TestDatabase) -> None:
    """Although one could knock by now, had the request not been answered already."""
    async with desk_on(log_database) as desk:
        first = await desk.ask(ask(Knock(most=0), key="k", fingerprint=b"f"))
        assert first.outcome is REFUSED
        assert await desk.ask(ask(Knock(), key="k", fingerprint=b"f")) == first


@pytest.mark.parametrize("early", [False, True], ids=["while deciding", "while naming its tags"])
async def test_a_command_that_raises_fails_alone(log_database: TestDatabase, *, early: bool) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, ask(Knock()), ask(Stumble(early=early)), ask(Knock()))
        assert outcomes(answers) == [DONE, RuntimeError, DONE]
        assert len(await events(log_database)) == 2


async def test_a_decider_that_forgot_a_tag_fails_alone(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, ask(Knock()), ask(Stray()), ask(Knock()))
        assert outcomes(answers) == [DONE, NotRead, DONE]


async def test_a_command_that_needs_to_know_more_by_now_is_the_first_of_the_next_batch(
    log_database: TestDatabase,
) -> None:
    """It named the door that it would have knocked on before somebody knocked in the same batch."""
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, ask(Knock()), ask(Follow(), id_="follow"), ask(Knock()))
        assert outcomes(answers) == [DONE] * 3
        assert [r.command for r in await events(log_database)][-1] == "follow"


async def test_commands_that_wait_for_the_next_batch_keep_their_order(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        follows = [ask(Follow(), id_=f"follow{n}", by=by) for n, by in enumerate((LIN, WANG, LIN))]
        assert outcomes(await all_of(desk, ask(Knock()), *follows)) == [DONE] * 4
        assert [r.command for r in await events(log_database)][1:] == ["follow0", "follow1", "follow2"]


async def test_what_a_waiting_command_needs_may_change_again(log_database: TestDatabase) -> None:
    """Of a batch of such commands each changes what the next one needs: each has its turn at the head of a batch."""
    async with desk_on(log_database) as desk:
        again = [ask(Knock()), ask(Follow()), ask(Knock()), ask(Follow()), ask(Follow())]
        answers = await all_of(desk, *again)
        assert outcomes(answers) == [DONE] * 5


async def test_a_command_that_waited_for_the_next_batch_is_done_once(log_database: TestDatabase) -> None:
    """Though the batch that put it off was lost and decided anew."""
    line = Line(log_database)

    async def lose_the_first_append(connection: Watched, statement: str) -> None:
        if "INSERT INTO booking.events" in statement:
            await connection.lose()

    line.before = lose_the_first_append
    async with desk_on(log_database, connect=line) as desk:
        answers = await all_of(desk, ask(Knock()), ask(Follow()))
        assert outcomes(answers) == [DONE, DONE]
    assert len(await events(log_database)) == 2


async def test_an_event_that_breaks_a_shared_state_takes_only_its_command_along(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, ask(Knock()), ask(Ram()), ask(Knock()))
        assert outcomes(answers) == [DONE, Spoilt, DONE]
        assert [type(r.event) for r in await events(log_database)] == [Knocked, Knocked]


@pytest.mark.parametrize("reads", [False, True], ids=["written", "read"])
async def test_a_text_that_the_database_refuses_takes_only_its_command_along(
    log_database: TestDatabase, *, reads: bool
) -> None:
    """And at once: the others do not wait for its retries."""
    async with desk_on(log_database) as desk:
        async with asyncio.timeout(10):
            answers = await all_of(desk, ask(Knock()), ask(Scrawl(reads=reads)), ask(Knock()))
        assert outcomes(answers) == [DONE, NotDone, DONE]
        assert len(await events(log_database)) == 2


async def test_an_event_of_a_newer_program_stops_only_what_needs_it(log_database: TestDatabase) -> None:
    """A door that a newer program wrote about is not read as if that had never been."""
    connection = await writer(log_database)
    newer = msgspec.json.encode(
        {
            "v": 1, "subdistrict": "gumei", "position": 1, "at": NOW, "type": "Polished", "version": 1, "command": "c",
            "n": 0, "actor": "a", "role": "system", "channel": "api", "rules": 0, "data": {},
        }
    )  # fmt: skip
    head = await log.head(connection, "gumei")
    await log.append(connection, "gumei", head, [log.Entry(1, newer, ("door:back",))])
    await connection.close()
    async with desk_on(log_database) as desk:
        answers = await all_of(desk, ask(Knock(door="back")))
        assert outcomes(answers) == [NotDone]
        assert isinstance(answers[0], NotDone)
        assert isinstance(answers[0].__cause__, UnknownEvent)


async def test_a_full_queue_takes_no_more(log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "QUEUE_MAX", 3)
    line = Line(log_database)
    line.cut = True
    async with desk_on(log_database, connect=line) as desk:
        waiting = [asyncio.create_task(desk.ask(ask(Knock()))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await desk.ask(ask(Knock()))
        line.cut = False
        assert outcomes(list(await asyncio.gather(*waiting))) == [DONE] * 3


async def test_who_gives_up_waiting_leaves_room_for_others(
    log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "QUEUE_MAX", 3)
    monkeypatch.setattr(desk_module, "CLOSE_SECONDS", 0.1)
    async with desk_on(log_database, connect=_never) as desk:
        first = asyncio.create_task(desk.ask(ask(Knock())))
        await asyncio.sleep(0.05)
        assert outcomes(await all_of(desk, *(ask(Knock()) for _ in range(3)), wait_seconds=0.05)) == [NotDone] * 3
        assert desk.waiting == 0
        first.cancel()


async def _never() -> None:
    await asyncio.Event().wait()


async def test_what_was_withdrawn_while_it_waited_is_never_done(log_database: TestDatabase) -> None:
    holder = await writer(log_database)
    await log.begin_and_lock(holder, "gumei")
    async with desk_on(log_database) as desk:
        with pytest.raises(NotDone):
            await desk.ask(ask(Knock()), wait_seconds=0.05)
        await holder.execute("COMMIT")
        await desk.ask(ask(Knock(door="back")))
    await holder.close()
    assert [r.event.door for r in await events(log_database) if isinstance(r.event, Knocked)] == ["back"]


async def test_what_was_cancelled_while_it_waited_is_never_done(log_database: TestDatabase) -> None:
    """Whoever asked has gone: nobody would learn of it."""
    holder = await writer(log_database)
    await log.begin_and_lock(holder, "gumei")
    async with desk_on(log_database) as desk:
        gone = asyncio.create_task(desk.ask(ask(Knock())))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.wait([gone])
        await holder.execute("COMMIT")
        await desk.ask(ask(Knock(door="back")))
    await holder.close()
    assert [r.event.door for r in await events(log_database) if isinstance(r.event, Knocked)] == ["back"]


async def test_a_desk_that_closes_finishes_the_batch_in_hand(log_database: TestDatabase) -> None:
    reached = asyncio.Event()

    async def slowly(_: Watched, statement: str) -> None:
        if statement == "COMMIT":
            reached.set()
            await asyncio.sleep(0.1)

    line = Line(log_database)
    line.before = slowly
    async with desk_on(log_database, connect=line) as desk:
        asked = asyncio.create_task(desk.ask(ask(Knock())))
        await reached.wait()
    assert (await asked).outcome is DONE
    assert len(await events(log_database)) == 1


async def test_what_still_waits_when_a_desk_closes_was_not_done(log_database: TestDatabase) -> None:
    reached = asyncio.Event()

    async def slowly(_: Watched, statement: str) -> None:
        if statement == "COMMIT":
            reached.set()
            await asyncio.sleep(0.1)

    line = Line(log_database)
    line.before = slowly
    async with desk_on(log_database, connect=line) as desk:
        first = asyncio.create_task(desk.ask(ask(Knock())))
        await reached.wait()
        second = asyncio.create_task(desk.ask(ask(Knock())))
        await asyncio.sleep(0)
    with pytest.raises(NotDone):
        await second
    await first
    assert len(await events(log_database)) == 1


async def test_a_closed_desk_says_so_at_once(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        pass
    async with asyncio.timeout(1):
        with pytest.raises(NotDone):
            await desk.ask(ask(Knock()))


async def test_time_never_runs_backwards_in_the_log(log_database: TestDatabase) -> None:
    clock = HandClock()
    async with desk_on(log_database, clock) as desk:
        await desk.ask(ask(Knock()))
        clock.pass_(seconds=-59)
        await desk.ask(ask(Knock()))
        clock.pass_(seconds=60)
        await desk.ask(ask(Knock()))
    assert [r.at - NOW for r in await events(log_database)] == [timedelta(), timedelta(), timedelta(seconds=1)]


async def test_a_clock_too_far_behind_writes_nothing(log_database: TestDatabase) -> None:
    clock = HandClock()
    async with desk_on(log_database, clock) as desk:
        await desk.ask(ask(Knock()))
        clock.pass_(seconds=-61)
        with pytest.raises(ClockBehind):
            await desk.ask(ask(Knock()))
        clock.pass_(seconds=61)
        assert (await desk.ask(ask(Knock()))).position == 2


async def test_a_dry_run_writes_nothing_anywhere(log_database: TestDatabase) -> None:
    async with desk_on(log_database) as desk:
        answers = await all_of(
            desk,
            ask(Knock(), key="k", note="轻点", dry_run=True),
            ask(Knock(most=0), key="l", dry_run=True),
        )
        assert outcomes(answers) == [DONE, REFUSED]
    for table in ("events", "event_tags", "answers", "refusals", "vault"):
        assert await count_of(log_database, table) == 0


async def test_a_refusal_repeated_within_the_hour_is_counted_and_not_written(log_database: TestDatabase) -> None:
    clock = HandClock()
    async with desk_on(log_database, clock) as desk:
        answers = await all_of(desk, *(ask(Knock(most=0)) for _ in range(5)))
        clock.pass_(minutes=59)
        answers += await all_of(desk, *(ask(Knock(most=0)) for _ in range(5)))
        assert answers == [answers[0]] * 10
        assert [type(r.event) for r in await events(log_database)] == [KnockRefused]
        connection = await writer(log_database)
        assert await connection.fetchval("SELECT count FROM booking.refusals") == 10
        await connection.close()


async def test_a_refusal_repeated_after_the_hour_is_written_and_counted_anew(log_database: TestDatabase) -> None:
    clock = HandClock()
    async with desk_on(log_database, clock) as desk:
        await all_of(desk, *(ask(Knock(most=0)) for _ in range(5)))
        clock.pass_(minutes=60)
        await desk.ask(ask(Knock(most=0)))
        assert [r.position for r in await events(log_database)] == [1, 2]
        connection = await writer(log_database)
        assert await connection.fetchrow("SELECT count, position FROM booking.refusals") == (1, 2)
        await connection.close()


async def test_followers_are_woken_after_the_commit(log_database: TestDatabase) -> None:
    listener = await writer(log_database)
    woken: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener(log.CHANNEL, lambda *told: woken.put_nowait(str(told[-1])))
    async with desk_on(log_database) as desk:
        await desk.ask(ask(Knock()))
        async with asyncio.timeout(2):
            assert await woken.get() == "gumei"
    assert await count_of(log_database, "events") == 1
    await listener.close()


async def test_followers_are_woken_for_the_last_of_many_batches(
    log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for each of them, but never too few: after the last there is always one more."""
    monkeypatch.setattr(desk_module, "BATCH_MAX", 1)
    listener = await writer(log_database)
    seen: list[int] = []

    async def look() -> None:
        seen.append(await count_of(log_database, "events"))

    looks: list[asyncio.Task[None]] = []
    await listener.add_listener(log.CHANNEL, lambda *_: looks.append(asyncio.create_task(look())))
    async with desk_on(log_database) as desk:
        await all_of(desk, *(ask(Knock()) for _ in range(50)))
        await asyncio.sleep(0.2)
    await asyncio.gather(*looks)
    assert max(seen) == 50
    assert len(seen) < 50
    await listener.close()


async def test_ids_of_commands_and_people_are_never_the_same() -> None:
    assert len({new_command_id() for _ in range(1_000)} | {new_person_id() for _ in range(1_000)}) == 2_000


async def test_a_body_is_told_by_its_fingerprint_whatever_the_order_of_its_fields() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})

"""The truth about COMMIT: whatever is lost between any two statements, what a caller is told is so."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from tests.conftest import TestDatabase
from tests.log.desks import PATIENT_SECONDS, Line, Watched, all_of, ask, desk_on, events, writer
from tests.log.doors import Knock

from booking import desk as desk_module
from booking import log
from booking import writer as writer_module
from booking.desk import Desk, NotDone, Unknown
from booking.messages import Answer, Outcome
from booking.writer import NotConnected, Writer, is_passing, watch_over

pytestmark = pytest.mark.asyncio

# Long enough for a decision on an open connection, however busy the machine.
SHORT_SECONDS = 0.8
# A knock by a key, with a note, and one that is refused: a batch that leaves something in every table.
STATEMENTS = (
    "BEGIN",
    "head",
    "answers",
    "refusals",
    "tags",
    "append",
    "keep",
    "keep refusals",
    "vault",
    "COMMIT",
    "wake",
)


async def commands_done(log_database: TestDatabase) -> list[str]:
    return [recorded.command for recorded in await events(log_database)]


def at_statement(number: int, *, answered: bool) -> Callable[[Watched, str], Awaitable[None]]:
    """Lose the connection at its so-manieth statement, counted from 0."""

    async def lose(connection: Watched, statement: str) -> None:
        if len(connection.statements) - answered == number:
            await connection.lose()

    return lose


def at_commit(line: Line, *, cut: bool) -> Callable[[Watched, str], Awaitable[None]]:
    """Lose the connection at its first COMMIT; `cut`: and nobody answers until further notice."""

    async def lose(connection: Watched, statement: str) -> None:
        if statement == "COMMIT" and line.armed:
            line.cut = cut
            line.reached.set()
            await connection.lose()

    return lose


async def warmed_up(desk: Desk, line: Line) -> None:
    """Its connection is open, and the time of the next command goes to that command alone."""
    line.armed = False
    await desk.ask(ask(Knock(), dry_run=True), wait_seconds=PATIENT_SECONDS)
    line.armed = True


@pytest.mark.parametrize("answered", [False, True], ids=["before it is sent", "after it was answered"])
@pytest.mark.parametrize("number", range(len(STATEMENTS)), ids=STATEMENTS)
async def test_a_batch_that_is_lost_at_any_statement_is_answered_once_and_truly(
    log_database: TestDatabase, number: int, *, answered: bool
) -> None:
    line = Line(log_database)
    if answered:
        line.after = at_statement(number, answered=True)
    else:
        line.before = at_statement(number, answered=False)
    async with desk_on(log_database, connect=line) as desk:
        knock = ask(Knock(), id_="knock", key="k", fingerprint=b"f", note="轻点")
        enough = ask(Knock(door="back", most=0), id_="enough")
        answers = await all_of(desk, knock, enough)
        assert [isinstance(one, Answer) and one.outcome for one in answers] == [Outcome.DONE, Outcome.REFUSED]
        again = await desk.ask(ask(Knock(), key="k", fingerprint=b"f"))
        assert again == answers[0]
    assert len(line.opened) == 2
    assert await commands_done(log_database) == ["knock", "enough"]


async def test_every_statement_of_a_batch_has_its_test_of_being_lost(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_on(log_database, connect=line) as desk:
        knock = ask(Knock(), key="k", fingerprint=b"f", note="轻点")
        await all_of(desk, knock, ask(Knock(door="back", most=0)))
    assert len(line.opened[0].statements) == len(STATEMENTS)


async def test_a_commit_that_arrived_is_found_by_looking(log_database: TestDatabase) -> None:
    line = Line(log_database)
    line.after = at_commit(line, cut=False)
    async with desk_on(log_database, connect=line) as desk:
        assert (await desk.ask(ask(Knock()))).position == 1
    assert len(await commands_done(log_database)) == 1


async def test_what_was_found_is_told_only_after_a_commit_of_our_own(log_database: TestDatabase) -> None:
    """What can be seen may not be on disk yet; a later commit that has returned proves that it is."""
    line = Line(log_database)
    line.after = at_commit(line, cut=False)
    async with desk_on(log_database, connect=line) as desk:
        await desk.ask(ask(Knock()))
        looked = line.opened[1].statements
        proof = next(n for n, statement in enumerate(looked) if "pg_logical_emit_message" in statement)
        assert "pg_advisory_xact_lock" in looked[0]
        assert "COMMIT" in looked[proof:]


async def test_a_proof_of_durability_is_a_transaction_that_is_written(log_database: TestDatabase) -> None:
    """Without a number of its own a transaction would commit without waiting for the disk."""
    connection = await writer(log_database)
    await connection.execute("BEGIN")
    await log.prove_durable(connection)
    assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned()") is not None
    await connection.close()


async def test_a_commit_that_never_arrived_is_decided_anew(log_database: TestDatabase) -> None:
    line = Line(log_database)
    line.before = at_commit(line, cut=False)
    async with desk_on(log_database, connect=line) as desk:
        assert (await desk.ask(ask(Knock(), id_="knock"))).outcome is Outcome.DONE
    assert await commands_done(log_database) == ["knock"]


async def test_a_commit_that_never_arrived_may_be_overtaken(log_database: TestDatabase) -> None:
    """Another process takes the position meanwhile: what is there has another hash, and the knock comes after it."""
    line = Line(log_database)

    async def overtake(connection: Watched, statement: str) -> None:
        if statement == "COMMIT":
            connection.connection.terminate()
            async with desk_on(log_database) as other:
                await other.ask(ask(Knock(), id_="other"))
            raise ConnectionResetError

    line.before = overtake
    async with desk_on(log_database, connect=line) as desk:
        assert (await desk.ask(ask(Knock(), id_="knock"))).position == 2
    assert await commands_done(log_database) == ["other", "knock"]


async def test_nobody_knows_while_nobody_answers(log_database: TestDatabase) -> None:
    """It arrived: unknown for now, done for who asks again with the same key."""
    line = Line(log_database)
    line.after = at_commit(line, cut=True)
    async with desk_on(log_database, connect=line) as desk:
        await warmed_up(desk, line)
        with pytest.raises(Unknown):
            await desk.ask(ask(Knock(), id_="knock", key="k", fingerprint=b"f"), wait_seconds=SHORT_SECONDS)
        line.cut = False
        assert (await desk.ask(ask(Knock(), key="k", fingerprint=b"f"))).position == 1
    assert await commands_done(log_database) == ["knock"]


async def test_what_nobody_knew_and_did_not_arrive_is_done_only_for_who_asks_again(log_database: TestDatabase) -> None:
    """Whoever was told 'unknown' has left: it is not done behind their back."""
    line = Line(log_database)
    line.before = at_commit(line, cut=True)
    async with desk_on(log_database, connect=line) as desk:
        await warmed_up(desk, line)
        with pytest.raises(Unknown):
            await desk.ask(ask(Knock(), id_="knock"), wait_seconds=SHORT_SECONDS)
        line.cut = False
        await desk.ask(ask(Knock(), id_="later"))
    assert await commands_done(log_database) == ["later"]


async def test_what_waits_behind_an_unknown_commit_was_not_done(log_database: TestDatabase) -> None:
    line = Line(log_database)
    line.after = at_commit(line, cut=True)
    async with desk_on(log_database, connect=line) as desk:
        await warmed_up(desk, line)
        first = asyncio.create_task(desk.ask(ask(Knock(), id_="first"), wait_seconds=SHORT_SECONDS))
        await line.reached.wait()
        with pytest.raises(NotDone):
            await desk.ask(ask(Knock(), id_="second"), wait_seconds=0.05)
        with pytest.raises(Unknown):
            await first
        line.cut = False
        await desk.ask(ask(Knock(), id_="third"))
    assert await commands_done(log_database) == ["first", "third"]


async def test_a_desk_that_closes_without_knowing_says_so(
    log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "CLOSE_SECONDS", 0.1)
    line = Line(log_database)
    line.after = at_commit(line, cut=True)
    async with desk_on(log_database, connect=line) as desk:
        asked = asyncio.create_task(desk.ask(ask(Knock())))
        await line.reached.wait()
    with pytest.raises(Unknown):
        await asked


async def test_no_time_is_set_to_a_commit(log_database: TestDatabase) -> None:
    """Its caller leaves; the desk goes on waiting for the answer, and what comes next finds it done."""
    slow = asyncio.Event()
    line = Line(log_database)

    async def slowly(_: Watched, statement: str) -> None:
        if statement == "COMMIT" and line.armed and not slow.is_set():
            slow.set()
            await asyncio.sleep(SHORT_SECONDS * 2)

    line.before = slowly
    async with desk_on(log_database, connect=line) as desk:
        await warmed_up(desk, line)
        with pytest.raises(Unknown):
            await desk.ask(ask(Knock(), id_="knock"), wait_seconds=SHORT_SECONDS)
        assert (await desk.ask(ask(Knock(), id_="next"))).position == 2
    assert len(line.opened) == 1
    assert await commands_done(log_database) == ["knock", "next"]


async def test_a_transaction_that_the_server_rolled_back_was_not_committed(log_database: TestDatabase) -> None:
    """The server answers ROLLBACK to a COMMIT after a failed statement, and raises nothing."""
    opened = Writer("gumei", lambda: writer(log_database))
    connection = await opened.begin()
    with pytest.raises(Exception, match="division by zero"):
        await connection.execute("SELECT 1/0")
    assert await opened.commit(connection, None) is False
    opened.drop()


async def test_a_frozen_writer_loses_the_lock_and_its_batch_is_decided_anew(log_database: TestDatabase) -> None:
    """Another desk does not wait for it longer than the time that an idle transaction has."""
    line = Line(log_database, idle_in_transaction_session_timeout="200ms")
    frozen = asyncio.Event()

    async def freeze(_: Watched, statement: str) -> None:
        if "INSERT INTO booking.events" in statement and not frozen.is_set():
            frozen.set()
            async with desk_on(log_database) as other:
                assert (await other.ask(ask(Knock(most=1), id_="other"))).outcome is Outcome.DONE

    line.before = freeze
    async with desk_on(log_database, connect=line) as desk:
        answer = await desk.ask(ask(Knock(most=1), id_="frozen"), wait_seconds=30)
        assert answer.outcome is Outcome.REFUSED
    assert await commands_done(log_database) == ["other", "frozen"]


async def test_a_writer_frozen_before_its_commit_finds_nothing_committed(log_database: TestDatabase) -> None:
    line = Line(log_database, idle_in_transaction_session_timeout="200ms")
    frozen = asyncio.Event()

    async def freeze(_: Watched, statement: str) -> None:
        if statement == "COMMIT" and not frozen.is_set():
            frozen.set()
            async with desk_on(log_database) as other:
                assert (await other.ask(ask(Knock(most=1), id_="other"))).outcome is Outcome.DONE

    line.before = freeze
    async with desk_on(log_database, connect=line) as desk:
        answer = await desk.ask(ask(Knock(most=1), id_="frozen"), wait_seconds=30)
        assert answer.outcome is Outcome.REFUSED
    assert await commands_done(log_database) == ["other", "frozen"]


async def test_a_desk_finds_its_way_back_to_a_database_that_was_away(log_database: TestDatabase) -> None:
    line = Line(log_database)
    line.cut = True
    async with desk_on(log_database, connect=line) as desk:
        asked = asyncio.create_task(desk.ask(ask(Knock()), wait_seconds=30))
        await asyncio.sleep(SHORT_SECONDS)
        line.cut = False
        assert (await asked).outcome is Outcome.DONE


async def test_a_database_that_stays_away_is_not_asked_for_ever(
    log_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", (0.001,))
    tried = 0

    async def nobody() -> None:
        nonlocal tried
        tried += 1
        raise ConnectionRefusedError

    async with desk_on(log_database, connect=nobody) as desk:
        with pytest.raises(NotDone):
            await desk.ask(ask(Knock()), wait_seconds=30)
    assert tried == desk_module.TRIES_MAX


async def test_a_connection_that_was_ended_between_two_batches_is_made_anew(log_database: TestDatabase) -> None:
    line = Line(log_database)
    async with desk_on(log_database, connect=line) as desk:
        await desk.ask(ask(Knock()))
        line.opened[0].connection.terminate()
        assert (await desk.ask(ask(Knock()))).position == 2
        assert len(line.opened) == 2


class Reached:
    """As much of a connection as shows its line: its transport."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport


async def test_a_server_whose_machine_is_gone_is_noticed() -> None:
    """The system probes the line: without it an answer to COMMIT would be waited for until somebody restarts us."""
    async with await asyncio.start_server(lambda _, stream: stream.close(), "127.0.0.1", 0) as server:
        _, stream = await asyncio.open_connection(*server.sockets[0].getsockname())
        watch_over(Reached(stream.transport))  # type: ignore[arg-type]
        line = stream.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000
        stream.close()
        await stream.wait_closed()


async def test_a_line_within_the_machine_needs_no_watching(log_database: TestDatabase) -> None:
    connection = await writer(log_database)
    watch_over(connection)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_what_passes_is_tried_again_and_what_a_command_says_is_not() -> None:
    assert is_passing(ConnectionResetError())
    assert is_passing(NotConnected())
    assert is_passing(log.LogForked())
    assert not is_passing(ValueError())

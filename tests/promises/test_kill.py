"""Whatever dies while people book: what was acknowledged is in the log, what was said not to have happened is not.

They book, move, extend and cancel; staff approve, reject, close and change rooms. Under that load the process group,
the parent alone, a worker, Postgres are killed, and the process that holds the log's lock is frozen. What the
supervisor of an installation does (systemd, Docker) the test does: it starts the command again.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from tests.promises.load import CLIENTS, Done, Load
from tests.promises.places import STATION, commands
from tests.promises.served import Served, eventually, served

from booking import log

# Each of them comes up under every load.
ASKED_FOR = {
    "BookingConfirmed", "BookingRequested", "BookingRescheduled", "BookingExtended", "BookingApproved",
    "BookingRejected", "BookingCancelled", "RoomClosed", "RoomChanged",
}  # fmt: skip
FIRST = datetime(2026, 12, 2, 9, 0, tzinfo=timezone(timedelta(hours=8)))
ACKNOWLEDGED_MIN = 20
TIMES, TIMES_LONG = 3, 10
# Longer than a frozen process may keep the log's lock.
FROZEN_SECONDS = 7.0


# Ten times what the slowest takes here.
pytestmark = [pytest.mark.serial, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("kill") / "data") as running:
        running.decide(list(commands()))
        yield running


@pytest.fixture(scope="module")
def tokens(installation: Served) -> list[str]:
    return list(installation.let_in({f"staff-{n}": ("staff", [STATION]) for n in range(CLIENTS)}).values())


def the_process_group(running: Served) -> None:
    running.kill_group()
    running.start()


def the_parent_alone(running: Served) -> None:
    running.kill_parent()
    running.start()


def a_worker(running: Served) -> None:
    victim = running.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(running.workers()) == 2 and victim not in running.workers(), "the worker is replaced")


def postgres(running: Served) -> None:
    pid = int((running.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not _is_alive(pid), "Postgres is dead")


def the_holder_of_the_lock(running: Served) -> None:
    """Frozen for longer than a frozen process keeps the lock, then let go on."""
    frozen = eventually(lambda: _frozen_holder(running), "a process is frozen while it holds the log's lock")
    time.sleep(FROZEN_SECONDS)
    with suppress(ProcessLookupError):
        # The parent may have taken it for dead, and replaced it.
        os.kill(frozen, signal.SIGCONT)


KINDS = [the_process_group, the_parent_alone, a_worker, postgres, the_holder_of_the_lock]


@pytest.mark.parametrize(
    "time_", [pytest.param(n, marks=[pytest.mark.long] if n >= TIMES else []) for n in range(TIMES_LONG)]
)
@pytest.mark.parametrize("kill", KINDS, ids=lambda kill: kill.__name__)
def test_what_was_told_is_true_after_a_kill(
    installation: Served, tokens: list[str], kill: Callable[[Served], None], time_: int
) -> None:
    """And the service is back by itself, alone on its port, with a log that proves itself."""
    before = asyncio.run(_logged(installation))
    with Load(installation.url, tokens, FIRST, f"{kill.__name__}-{time_}") as load:
        eventually(lambda: load.told.in_the_last_second() >= ACKNOWLEDGED_MIN, "twenty were done within a second")
        kill(installation)
        killed = len(load.told.at)
        eventually(lambda: len(load.told.at) >= killed + ACKNOWLEDGED_MIN, "people can book again")
    told = load.told
    assert told.other == []
    logged = asyncio.run(_logged(installation))
    happened = logged.happened - before.happened
    assert not Counter(told.acknowledged.values()) - happened
    assert not told.not_done & logged.keys
    # Nothing else has been written than what was acknowledged, or may have been, under its key.
    new = logged.keys - before.keys
    assert set(told.acknowledged) <= new <= set(told.acknowledged) | told.unknown
    assert len(new) == happened.total()
    assert {done.event for done in told.acknowledged.values()} == ASKED_FOR
    assert installation.verify()["ok"]
    assert _listeners(installation.port) == 1


class Logged(msgspec.Struct):
    """What the database holds: what the log says has happened, to which booking or room; keys of kept answers."""

    happened: Counter[Done]
    keys: set[str]


async def _logged(running: Served) -> Logged:
    connection = await _connected(running)
    try:
        happened: Counter[Done] = Counter()
        after = 0
        while rows := await log.follow(connection, "gumei", after, 5_000):
            events: list[dict[str, Any]] = [msgspec.json.decode(row.data) for row in rows]
            happened.update(_done(event) for event in events if event["type"] in ASKED_FOR)
            after = rows[-1].position
        keys = {row["key"] for row in await connection.fetch("SELECT key FROM booking.answers")}
        return Logged(happened, keys)
    finally:
        await connection.close()


def _done(event: dict[str, Any]) -> Done:
    return Done(event["type"], event["data"].get("booking") or event["data"]["room"])


async def _connected(running: Served) -> "asyncpg.Connection[Any]":
    return await asyncpg.connect(running.databases.app)


def _frozen_holder(running: Served) -> int | None:
    """The pid of a worker that is stopped and holds the log's lock; one that let go of it meanwhile goes on."""
    holder = asyncio.run(_holder(running))
    if holder is None:
        return None
    os.kill(holder, signal.SIGSTOP)
    # Whatever it had sent is finished by now; if the lock is still its own, it is frozen between two statements.
    time.sleep(0.05)
    if asyncio.run(_holder(running)) == holder:
        return holder
    os.kill(holder, signal.SIGCONT)
    return None


_HOLDER = """
SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND a.application_name LIKE 'linyue desk %'
  AND l.classid = ($1::bigint >> 32) & 4294967295 AND l.objid = $1::bigint & 4294967295
"""


async def _holder(running: Served) -> int | None:
    connection = await asyncpg.connect(running.databases.app)
    try:
        name = await connection.fetchval(_HOLDER, log.lock_key("gumei"))
        pid = int(name.split()[-1]) if name else None
        return pid if pid in running.workers() else None
    finally:
        await connection.close()


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _listeners(port: int) -> int:
    """How many sockets listen on the port, by the kernel's own table."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)

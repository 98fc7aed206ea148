"""Settings in, running parts out: the only place that constructs them.

Tests call `wire` with a clock and a database of theirs.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg

from booking import log, subjects
from booking.codec import Codec
from booking.desk import Desk, new_command_id, sealed_text_key
from booking.messages import SYSTEM, Answer, Ask, Command, SealedText
from booking.vault import Filed, Vault, name_id
from booking.watch import Watch
from linyue import metrics
from linyue.clock import Clock, SimulatedClock, clock_of, remember
from linyue.demo_people import DemoPerson, known_demo_people
from linyue.housekeeping import Housekeeper
from linyue.identity import Identity
from linyue.lasting import Lasting
from linyue.postgres import Databases, engine, external_databases
from linyue.postgres.pools import opened_pool
from linyue.postgres.sessions import serving_name
from linyue.postgres.ticks import tick_lock
from linyue.scheduler import Scheduler, note_tick, tick_seconds_at
from linyue.settings import Settings, from_environment, vault_keys
from projections import due
from projections.projector import follow_all
from projections.questions import QUESTIONS, SHAPES
from projections.reading import Reader

# Of each worker: readers of one page or answer at a time, beside the desk's own connection.
POOL_MAX = 8
REMEMBER_SECONDS = 2.0
TICK_FILE = "scheduler.tick"


@dataclass(frozen=True)
class Parts:
    """What a process that answers people works with. `now` tells the time in UTC."""

    settings: Settings
    subdistrict: str
    now: Callable[[], datetime]
    desk: Desk
    reader: Reader
    lasting: Lasting
    identity: Identity
    vault: Vault
    pool: "asyncpg.Pool[Any]"
    demo_people: tuple[DemoPerson, ...]


@asynccontextmanager
async def wire(settings: Settings, databases: Databases, clock: Clock) -> AsyncIterator[Parts]:
    """The parts of one process, for one subdistrict on one database; stopped in order when the context ends."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await opened_pool(databases.app, POOL_MAX, serving_name(settings.subdistrict))
        stack.push_async_callback(pool.close)
        reading = engine(databases.app, pool_size=POOL_MAX, max_overflow=0)
        stack.push_async_callback(reading.dispose)
        vault = Vault(settings.subdistrict, vault_keys(settings))
        watch = metrics.DeskWatch()
        desk = await stack.enter_async_context(desk_of(settings.subdistrict, databases, vault, clock.now, watch))
        await stack.enter_async_context(metrics.queue_of(desk))
        reader = Reader(reading, settings.subdistrict, SHAPES)
        yield Parts(
            settings=settings,
            subdistrict=settings.subdistrict,
            now=clock.now,
            desk=desk,
            reader=reader,
            lasting=Lasting(reader),
            identity=Identity(reading, settings.subdistrict, clock.now),
            vault=vault,
            pool=pool,
            demo_people=known_demo_people(settings.data) if settings.demo else (),
        )


async def name_people(
    subdistrict: str, databases: Databases, vault: Vault, names: Mapping[str, str], at: datetime
) -> None:
    """File people's names in the vault, by their ids."""
    connection = await writer(databases)
    try:
        filed = [
            Filed(name_id(id_), id_, "name", SealedText(text=name, key=sealed_text_key()))
            for id_, name in names.items()
        ]
        await vault.write(connection, at, filed)
    finally:
        await connection.close()


def codec_of(subdistrict: str) -> Codec:
    """The codec of all the events that this program knows."""
    return Codec(subdistrict, subjects.EVENTS, subjects.UPCASTERS)


def desk_of(
    subdistrict: str, databases: Databases, vault: Vault, now: Callable[[], datetime], watch: Watch | None = None
) -> Desk:
    """A desk with a connection of its own; it works within its context."""
    return Desk(subjects, codec_of(subdistrict), vault, partial(writer, databases), now, watch=watch)


async def writer(databases: Databases) -> "asyncpg.Connection[Any]":
    """A connection that appends to the log."""
    # Whoever looks at the server sees which process holds the log.
    named = log.WRITER_SETTINGS | {"application_name": f"linyue desk {os.getpid()}"}
    connection = await asyncpg.connect(databases.app, server_settings=named)
    await log.bound_transactions(connection)
    return connection


async def background() -> None:
    """What one process of an installation does beside answering: the followers and the scheduler, until cancelled."""
    settings = from_environment()
    databases = external_databases(settings)
    if databases is None:
        raise RuntimeError("the background process finds its database by LINYUE_DATABASE_URL, which its parent sets")
    clock = clock_of(settings.data)
    # A follower each, and who wakes them; whoever rebuilds takes one more for the swap.
    projector = engine(databases.projector, pool_size=len(QUESTIONS) + 1, max_overflow=len(QUESTIONS))
    try:
        async with (
            metrics.present("background"),
            wire(settings, databases, clock) as parts,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(follow_all(projector, codec_of(settings.subdistrict), QUESTIONS), name="followers")
            tasks.create_task(scheduler(parts, databases, clock).run(), name="scheduler")
            housekeeper = Housekeeper(settings.subdistrict, parts.pool.acquire, parts.identity, parts.now)
            tasks.create_task(housekeeper.run(), name="housekeeper")
            tasks.create_task(_remember_clock(settings, clock), name="clock")
    finally:
        await projector.dispose()


def scheduler(parts: Parts, databases: Databases, clock: Clock) -> Scheduler:
    """Turns what is due into commands at the desk."""
    speed = clock.speed if isinstance(clock, SimulatedClock) else 1.0

    # Its commands name the tick that they came from.
    async def ask(command: Command) -> Answer:
        return await parts.desk.ask(Ask(id=new_command_id(), command=command, asker=SYSTEM, cause="tick"))

    return Scheduler(
        now=parts.now,
        due=partial(_due, parts.reader),
        ask=ask,
        lock=partial(tick_lock, databases.app, parts.subdistrict),
        ticked=partial(note_tick, parts.settings.data / TICK_FILE),
        tick_seconds=tick_seconds_at(speed),
    )


async def _due(reader: Reader, now: datetime) -> list[tuple[str, datetime, str]]:
    async with reader.of("due") as snapshot:
        return [(row.booking, row.due_at, row.becomes) for row in await due.by(snapshot, now, limit=1_000)]


async def _remember_clock(settings: Settings, clock: Clock) -> None:
    """A simulated clock goes on from here, should everything be killed."""
    while True:
        await asyncio.sleep(REMEMBER_SECONDS)
        remember(settings.data, clock)

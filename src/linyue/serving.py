"""From the settings to a running Linyue: its database prepared, its clock started, its processes kept up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

from booking import log as booking_log
from linyue import counting, postgres, processes, wiring
from linyue.clock import Clock, remember, start_clock
from linyue.postgres import Databases, EmbeddedServer, external_databases
from linyue.processes import Crew
from linyue.settings import Settings, vault_keys
from linyue.supervisor import supervisor

Fill = Callable[[Databases], Awaitable[None]]


async def nothing(_databases: Databases) -> None:
    """A log that is served as it is."""


def serve(
    settings: Settings,
    *,
    fill: Fill = nothing,
    on_ready: Callable[[str], None] = lambda _url: None,
    crew: Crew | None = None,
) -> int:
    """Serve until told to stop; the exit code. `fill` runs on the migrated database, before the clock and the workers.

    Raises PostgresFault, ClockMismatch, SettingsInvalid or CannotServe, each with a sentence that says what to do.
    """
    clocks: list[Clock] = []
    tell = supervisor()

    def prepare(own: Databases | None) -> Mapping[str, str]:
        databases = own or external_databases(settings)
        assert databases is not None
        # Only now is it sure that nobody else serves from this DATA.
        counting.begin(settings.data)
        clocks.append(asyncio.run(_prepare(settings, databases, fill)))
        return _environment(settings, databases)

    def ready(url: str) -> None:
        on_ready(url + settings.prefix)
        tell("READY=1")

    try:
        return processes.serve(
            settings.host,
            settings.port,
            crew or Crew(workers=settings.workers),
            server=EmbeddedServer(settings.data) if settings.embedded else None,
            prepare=prepare,
            on_ready=ready,
            buried=partial(counting.forget_gauges, settings.data),
        )
    finally:
        # Only now: whatever the last worker recorded is not later than this.
        for clock in clocks:
            remember(settings.data, clock, stopped=True)


async def _prepare(settings: Settings, databases: Databases, fill: Fill) -> Clock:
    await postgres.prepare(databases)
    await fill(databases)
    last = await last_instant(settings.subdistrict, databases)
    return start_clock(settings.data, settings.clock, settings.speed, not_before=last)


async def last_instant(subdistrict: str, databases: Databases) -> datetime | None:
    """When the last event was written; None for an empty log. A simulated clock never starts before it."""
    connection = await wiring.writer(databases)
    try:
        head = await booking_log.head(connection, subdistrict)
    finally:
        await connection.close()
    return wiring.codec_of(subdistrict).decode(head.data).at if head.data is not None else None


def _environment(settings: Settings, databases: Databases) -> Mapping[str, str]:
    """The parent's settings for its children, to whom an embedded server is one that somebody named."""
    return {
        **processes.environment_of(databases),
        **counting.environment(settings.data),
        "LINYUE_VAULT_KEYS": ",".join(vault_keys(settings)),
        "LINYUE_SUBDISTRICT": settings.subdistrict,
        "LINYUE_PREFIX": settings.prefix,
        "LINYUE_DEMO": str(settings.demo).lower(),
        "DATA": str(settings.data.absolute()),
    }

"""The database that the settings name: a server of somebody's, or the embedded one in DATA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from linyue.postgres.databases import Databases, external
from linyue.postgres.embedded import EmbeddedServer, running_databases
from linyue.settings import Settings


def external_databases(settings: Settings) -> Databases | None:
    """The addresses that the settings name; None where the server is the embedded one."""
    if settings.database_url is None:
        return None
    return external(settings.database_url, settings.projector_url, settings.owner_url)


@contextmanager
def reached(settings: Settings) -> Iterator[Databases]:
    """For a command that runs and ends: the server named, or the one that runs in DATA, or one started meanwhile."""
    there = external_databases(settings) or running_databases(settings.data)
    if there is not None:
        yield there
        return
    server = EmbeddedServer(settings.data)
    try:
        yield server.start()
    finally:
        server.stop()

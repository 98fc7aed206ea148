"""How much longer a log takes to export than to read, and to import than to append.

`python -m bench.transfer [EVENTS]` starts a PostgreSQL of its own in a temporary folder, writes a history into one
database of it, exports that, plain and compressed, and imports it into another.
"""

import argparse
import asyncio
import resource
import tempfile
from pathlib import Path

import asyncpg
from bench.verify import SUBDISTRICT, read_events, timed, write

from booking import log, subjects
from booking.codec import Codec
from booking.transfer import Source, Target, export_log, import_log, is_packed
from booking.writer import Writer
from linyue.postgres import Databases, EmbeddedServer, migrate


async def export(connection: log.Connection, path: Path) -> int:
    with Target.open(path, packed=is_packed(path)) as target:
        exported = await export_log(connection, SUBDISTRICT, target)
    return exported.head.position


async def bring_in(address: str, path: Path) -> int:
    writer = Writer(SUBDISTRICT, lambda: connected(address))
    with path.open("rb") as file:
        came = await import_log(
            writer,
            Codec(SUBDISTRICT, subjects.EVENTS, subjects.UPCASTERS),
            Source(file, packed=is_packed(path)).whole(),
        )
    writer.drop()
    return came.lines


async def connected(address: str) -> log.Connection:
    return await asyncpg.connect(address, server_settings=dict(log.WRITER_SETTINGS))


async def compare(here: Databases, there: Databases, folder: Path, events: int) -> None:
    connection = await connected(here.app)
    appending = await timed("appended, not by a desk", lambda: write(connection, events), "events")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading = await timed("read", lambda: read_events(connection), "events")
    exporting = await timed("exported", lambda: export(connection, folder / "log"), "events")
    await timed("exported again", lambda: export(connection, folder / "log"), "events")
    await timed("exported, compressed", lambda: export(connection, folder / "log.gz"), "events")
    importing = await timed("imported", lambda: bring_in(there.app, folder / "log"), "events")
    await timed("imported again", lambda: bring_in(there.app, folder / "log.gz"), "events")
    await connection.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    size, packed = ((folder / name).stat().st_size / events for name in ("log", "log.gz"))
    print(f"Exporting takes {exporting / reading:.1f} times as long as reading,")
    print(f"importing {importing / appending:.1f} times as long as appending, and {memory / 1024:.0f} MiB more memory.")
    print(f"An event is {size:.0f} bytes of a file, {packed:.0f} where it is compressed.")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("events", type=int, nargs="?", default=100_000, help="how many events the log has")
    events = arguments.parse_args().events
    with tempfile.TemporaryDirectory(prefix="linyue-bench-") as name:
        folder = Path(name)
        servers = [EmbeddedServer(folder / part, fsync=False) for part in ("here", "there")]
        try:
            here, there = (server.start() for server in servers)
            for databases in (here, there):
                asyncio.run(migrate(databases))
            asyncio.run(compare(here, there, folder, events))
        finally:
            for server in servers:
                server.stop()


if __name__ == "__main__":
    main()

"""A small Linyue for the tests: an app, a background task and a `serve` of its own, run as real processes.

`python toy.py PORT` serves. TOY_DATA is a folder in which the processes leave traces; with TOY_POSTGRES the parent also
runs an embedded PostgreSQL there. `main` reads the other settings.
"""

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from litestar import Litestar, Response, asgi, get
from litestar.response import ServerSentEvent
from litestar.types import Receive, Scope, Send

from linyue.child import Limits
from linyue.logs import log_to_stderr
from linyue.postgres import EmbeddedServer
from linyue.processes import CannotServe, Crew, serve

# `TOY_` settings reach the children by the environment, as real ones do.
DATA = Path(os.environ["TOY_DATA"])


@get("/health/live")
async def live() -> str:
    return "live"


@get("/health/ready")
async def ready() -> Response[str]:
    """Not ready while somebody wants it so."""
    level = not (DATA / "behind").exists()
    return Response("ready" if level else "behind", status_code=200 if level else 503)


@get("/pid")
async def pid() -> int:
    return os.getpid()


@get("/spared")
async def spared() -> dict[str, int]:
    """How many objects the collector of garbage passes over, and how many it looks at."""
    return {"spared": gc.get_freeze_count(), "looked_at": len(gc.get_objects())}


@get("/slow")
async def slow() -> str:
    await asyncio.sleep(1.0)
    return "done"


@get("/stuck", sync_to_thread=False)
def stuck() -> str:
    """Blocks the whole loop, as a bug would."""
    time.sleep(600)
    return "never"


@get("/stream")
async def stream() -> ServerSentEvent:
    async def events() -> AsyncIterator[str]:
        while True:
            yield "tick"
            await asyncio.sleep(0.2)

    return ServerSentEvent(events())


@asgi("/stubborn")
async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
    """A stream that will not be cancelled."""
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: tick\r\n", "more_body": True})
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(600)


@get("/database")
async def database() -> int:
    connection = await asyncpg.connect(os.environ["LINYUE_DATABASE_URL"], timeout=2)
    try:
        return int(await connection.fetchval("SELECT 42"))
    finally:
        await connection.close()


def create_app() -> Litestar:
    return Litestar([live, ready, pid, spared, slow, stuck, stream, stubborn, database], logging_config=None)


async def background() -> None:
    """Counts, so that one can see from outside that it goes on and who does it; cleans up when it is cancelled."""
    (DATA / "background.pid").write_text(str(os.getpid()))
    try:
        while True:
            with (DATA / "background.count").open("a") as count:
                count.write(".")
            await asyncio.sleep(0.05)
    finally:
        (DATA / "background.left").touch()


async def blocks_for_ever() -> None:
    """A background that blocks its loop, as a bug would, after it was well for a moment."""
    await asyncio.sleep(0.5)
    (DATA / "blocked").touch()
    while True:
        time.sleep(600)  # noqa: ASYNC251 - that is the point


async def ends_by_itself() -> None:
    """A background that is faulty."""


def say(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def main() -> int:
    log_to_stderr("parent")
    limits = Limits(
        grace_seconds=float(os.environ.get("TOY_GRACE", "2")),
        stop_margin_seconds=1.0,
        silence_seconds_max=float(os.environ.get("TOY_SILENCE", "15")),
        streams_max=int(os.environ.get("TOY_STREAMS", "256")),
    )
    crew = Crew(
        workers=int(os.environ.get("TOY_WORKERS", "2")),
        app=os.environ.get("TOY_APP", "toy:create_app"),
        background=os.environ.get("TOY_BACKGROUND", "toy:background"),
        limits=limits,
        level_seconds_max=2.0,
    )
    server = EmbeddedServer(DATA / "pg") if "TOY_POSTGRES" in os.environ else None
    try:
        return serve("127.0.0.1", int(sys.argv[1]), crew, server=server, on_ready=say)
    except CannotServe as reason:
        sys.stderr.write(f"{reason}\n")
        return reason.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""What a child of `linyue serve` runs: an HTTP worker, or the background process.

Started by `linyue.processes` as `python -m linyue.worker DUTY`, a fresh process each. It lives as long as its parent
holds the other end of its lifeline, and tells the parent each second that it is well.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from importlib import import_module
from typing import Any

import msgspec
import structlog
import uvicorn
import uvloop

from linyue.logs import log_to_stderr
from linyue.streams import App, Message, Streams

PULSE_SECONDS = 1.0
# Until the app has answered for the first time, ask it more often: nobody is served before.
FIRST_PULSE_SECONDS = 0.1
# What is left after the grace for the app's own shutdown, before an orphan ends itself.
ORPHAN_MARGIN_SECONDS = 2.0
# Longer than browsers and proxies keep a connection that is idle (nginx: 60 s): who hangs up first must be the caller,
# or a request that is on its way meets a connection that was just closed.
KEEP_ALIVE_SECONDS = 75
LIVE_PATH = "/health/live"
PR_SET_PDEATHSIG = 1

log = structlog.get_logger()


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do. Settings are not here: they come by the environment.

    `target` is `module:name` of an app factory without arguments where `listen_fd` is given, else of an async function
    without arguments that runs until it is cancelled. `parent` is the pid of who started it. `lifeline_fd` reads
    nothing until the parent is gone, then end of file; `pulse_fd` takes a byte whenever the child was found well.
    """

    name: str
    target: str
    parent: int
    lifeline_fd: int
    pulse_fd: int
    listen_fd: int | None = None
    grace_seconds: float
    streams_max: int


def main() -> int:
    """Do the duty in the first argument until told to stop; the exit code."""
    duty = msgspec.json.decode(sys.argv[1], type=Duty)
    log_to_stderr(duty.name)
    leave_with_parent(duty)
    try:
        return _serve(duty, duty.listen_fd) if duty.listen_fd is not None else _work(duty)
    except Exception:
        log.exception("failed", target=duty.target)
        return 1


def leave_with_parent(duty: Duty) -> None:
    """From here on this process gets SIGTERM when its parent is gone, and ends if it does not heed it.

    The lifeline works everywhere; Linux's own signal is there for the case that something else came to hold the pipe.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != duty.parent:
            raise SystemExit("the parent had gone before this process could ask to be told")
    threading.Thread(target=_hold_lifeline, args=(duty,), name="lifeline", daemon=True).start()


def _hold_lifeline(duty: Duty) -> None:
    """A thread of its own, because a loop that is stuck in the app must not keep an orphan alive."""
    os.read(duty.lifeline_fd, 1)
    log.warning("the parent is gone, leaving")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(duty.grace_seconds + ORPHAN_MARGIN_SECONDS)
    log.error("still here after the grace, ending at once")
    os._exit(1)


def _serve(duty: Duty, listen_fd: int) -> int:
    """Serve HTTP on the socket that the parent opened."""
    app = Streams(load(duty.target)(), most=duty.streams_max)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Who asks, and whether by TLS, is what a proxy on this machine says, and nobody else.
        proxy_headers=True,
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(duty.grace_seconds)),
    )
    server = _Server(config, app, duty.pulse_fd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[socket.socket(fileno=listen_fd)]))
    return 0


class _Server(uvicorn.Server):
    """uvicorn, which says when it is well, ends streams before it waits for requests, and exits 0 on SIGTERM."""

    def __init__(self, config: uvicorn.Config, streams: Streams, pulse_fd: int) -> None:
        super().__init__(config)
        self._streams = streams
        self._pulse_fd = pulse_fd
        self._beat: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal yet: before the app has started, SIGTERM ends the process at once, as nothing is lost."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        signal.signal(signal.SIGTERM, self._leave)
        spare_what_lasts()
        self._beat = asyncio.create_task(pulse(self._pulse_fd, lambda: answers(self._streams)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._beat is not None:
            self._beat.cancel()
        self._streams.stop()
        await super().shutdown(sockets)

    def _leave(self, *_signal: object) -> None:
        self.should_exit = True


def spare_what_lasts() -> None:
    """Let the collector of garbage pass over all that there is now: code, routes, settings live as long as the process.

    They are nine in ten of a worker's objects. A collection that looks at them all takes a tenth of a second, in which
    nobody is answered, and comes several times a minute while many ask.
    """
    gc.collect()
    gc.freeze()


def _work(duty: Duty) -> int:
    """Run the background's async function until it is cancelled; that it ends by itself is a fault."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_told(duty, load(duty.target)()))


async def _until_told(duty: Duty, work: Coroutine[Any, Any, None]) -> int:
    task = asyncio.create_task(work)
    told = False

    def leave() -> None:
        nonlocal told
        # Only once: a second cancel would interrupt the cleaning up.
        if not told:
            told = True
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
    beat = asyncio.create_task(pulse(duty.pulse_fd, _runs))
    try:
        await task
    except asyncio.CancelledError:
        log.debug("cancelled")
    finally:
        beat.cancel()
    if not told:
        log.error("ended by itself", target=duty.target)
    return 0 if told else 1


async def _runs() -> bool:
    """That this is asked at all says that the loop runs."""
    return True


async def pulse(fd: int, well: Callable[[], Awaitable[bool]]) -> None:
    """Send the parent a byte whenever `well` says so, each second; silence tells it that something is wrong."""
    os.set_blocking(fd, False)
    pause = FIRST_PULSE_SECONDS
    while True:
        if await well():
            pause = PULSE_SECONDS
            # The pipe is full while the parent is frozen, broken when it is gone: the lifeline's business, not ours.
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(fd, b".")
        await asyncio.sleep(pause)


async def answers(app: App) -> bool:
    """Whether the app itself, asked in this process without a socket, answers `GET /health/live` with 200."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    try:
        await app(_live_request(), receive, send)
    except Exception:
        log.exception("the app does not answer", path=LIVE_PATH)
    return statuses == [200]


def _live_request() -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": LIVE_PATH,
        "raw_path": LIVE_PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }


def load(target: str) -> Any:  # noqa: ANN401 - whatever stands there
    """What `module:name` names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    sys.exit(main())

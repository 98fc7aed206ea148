"""The parent of a running Linyue: starts the database, the HTTP workers and the background process, and keeps them up.

It serves nothing itself, so that it is the last to fall. It starts in the order database, workers, background, and
stops in the order workers, background, database, each within a bounded time.
"""

import contextlib
import errno
import http.client
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any, Protocol

import msgspec
import structlog

from linyue.child import Child, Limits
from linyue.orphans import end_frozen_orphans
from linyue.postgres.databases import Databases
from linyue.worker import LIVE_PATH

APP = "linyue.web:create_app"
BACKGROUND = "linyue.wiring:background"
READY_PATH = "/health/ready"
LOOK_SECONDS = 0.1
# Between two looks no more than this counts as passed: a parent that was itself frozen, or busy with the database,
# must not take its children for silent.
ATTENTION_SECONDS_MAX = 1.0
READY_SECONDS_MAX = 120.0
# A fortnight of Gumei takes under a second; a rebuild may take minutes, and is no reason not to serve.
LEVEL_SECONDS_MAX = 20.0
# Some send a stop to the process and to its group in the same breath: those two are one.
HURRY_AFTER_SECONDS = 0.5
# A server that was killed leaves its workers a moment in which they still hold the port.
PORT_WAIT_SECONDS = 2.0
SERVER_RETRY_SECONDS = 2.0
BACKLOG = 2048

log = structlog.get_logger()


class CannotServe(Exception):
    """Linyue cannot serve, for a reason that somebody has to see to: the message says what to do."""

    exit_code = 1


class PortInUse(CannotServe):
    """Another server answers on the port."""

    exit_code = 3

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"Port {port} of {host} is in use: stop the server that answers there, or set another PORT.")


class NotReady(CannotServe):
    """Some process did not become ready in time."""

    def __init__(self, names: Sequence[str]) -> None:
        late = ", ".join(names) or "the address"
        super().__init__(f"After {READY_SECONDS_MAX:.0f} seconds {late} did not answer; the log above says why.")


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to run: so many HTTP workers of `app`, and `background`, both as `linyue.worker.Duty` names a target.

    `level_seconds_max` is how long the address is kept back until the read models are level with the log.
    """

    workers: int
    app: str = APP
    background: str = BACKGROUND
    limits: Limits = Limits()
    level_seconds_max: float = LEVEL_SECONDS_MAX

    def hire(
        self, listener: socket.socket, environment: Mapping[str, str], buried: Callable[[str], None]
    ) -> tuple[list[Child], list[Child]]:
        """The places for the HTTP workers, and the one for the background process; nobody is started yet."""
        common = partial(Child, environment=environment, limits=self.limits, buried=buried)
        http_workers = [common(f"worker {n}", self.app, listener=listener) for n in range(1, self.workers + 1)]
        return http_workers, [common("background", self.background)]


class Server(Protocol):
    """The database server that the parent runs itself: `linyue.postgres.EmbeddedServer`."""

    @property
    def running(self) -> bool:
        """Whether it runs, as far as one can tell at once."""

    def start(self) -> Databases:
        """Have it answering when this returns, also after it died; always at the same addresses."""

    def stop(self) -> None:
        """Have it ended, in bounded time, when this returns."""


Prepare = Callable[[Databases | None], Mapping[str, str]]


def environment_of(databases: Databases | None) -> Mapping[str, str]:
    """The settings by which children find the server that the parent runs; they never learn the owner's address."""
    if databases is None:
        return {}
    return {"LINYUE_DATABASE_URL": databases.app, "LINYUE_PROJECTOR_URL": databases.projector}


def serve(
    host: str,
    port: int,
    crew: Crew,
    *,
    server: Server | None,
    prepare: Prepare = environment_of,
    on_ready: Callable[[str], None] = lambda _url: None,
    buried: Callable[[str], None] = lambda _name: None,
) -> int:
    """Run Linyue until SIGTERM, SIGHUP or Ctrl-C; the exit code, 0.

    `server` is the database that the parent runs, None where it is somebody else's. `prepare` runs once the database
    answers and before anything else uses it; what it returns is added to the children's environment. `on_ready` gets
    the address when every process is well and a worker says there that it is ready. `buried` gets a place's name when
    its process has died, before the next one starts there. Raises CannotServe, or whatever `server`, `prepare` and
    `on_ready` raise, after having stopped all it had started.
    """
    with contextlib.closing(listen(host, port)) as listener, _Stops() as stops:
        return _Parent(listener, server, stops).run(crew, prepare, on_ready, buried)


def listen(host: str, port: int) -> socket.socket:
    """The socket that all workers share; raises PortInUse. It accepts from now on, and what comes early waits in it."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    waited = 0.0
    while True:
        try:
            return _bound(socket.socket(family, kind, protocol), address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotServe(f"Port {port} of {host}: {error.strerror}. Set another HOST or PORT.") from error
            if waited >= PORT_WAIT_SECONDS:
                raise PortInUse(host, port) from error
            end_frozen_orphans()
        time.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS


def _bound(listener: socket.socket, address: tuple[Any, ...]) -> socket.socket:
    # Without it the port would be denied for a minute after a stop, by connections that only wait to be forgotten.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class _Stops:
    """Who asked the parent to stop, and how urgently: the second time that somebody asks, it hurries."""

    def __init__(self) -> None:
        self.asked = self.hurried = False
        self._asked_at = 0.0
        self._interrupts = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "_Stops":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within, a request to stop is raised as KeyboardInterrupt at once, not only noticed at the next look."""
        self._interrupts = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._asked_at = True, now
        elif now - self._asked_at >= HURRY_AFTER_SECONDS:
            self.hurried = True
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt(signal.Signals(number).name)


class _Start:
    """Finds out when the address can be told: everybody is well, and the read models are level with the log."""

    def __init__(self, listener: socket.socket, children: Sequence[Child], level_seconds_max: float) -> None:
        self.told = False
        self._listener = listener
        self._children = children
        self._level_seconds_left = level_seconds_max
        self._seconds_left = READY_SECONDS_MAX

    def ready(self, elapsed: float) -> bool:
        """Whether it can be told now, once; raises NotReady when somebody has not become well in time."""
        self._seconds_left -= elapsed
        late = [child.name for child in self._children if not child.well]
        if late or not _answers(self._listener, LIVE_PATH):
            if self._seconds_left <= 0:
                raise NotReady(late)
            return False
        self.told = self._is_level(elapsed)
        return self.told

    def _is_level(self, elapsed: float) -> bool:
        if _answers(self._listener, READY_PATH):
            log.info("ready", url=address(self._listener))
            return True
        self._level_seconds_left -= elapsed
        if self._level_seconds_left > 0:
            return False
        log.warning("serving, though not ready yet", url=address(self._listener), see=READY_PATH)
        return True


class _Parent:
    """The running parts, and the loop that looks after them."""

    def __init__(self, listener: socket.socket, server: Server | None, stops: _Stops) -> None:
        self._listener = listener
        self._server = server
        self._stops = stops
        self._server_pause = 0.0
        self._workers: list[Child] = []
        self._background: list[Child] = []

    def run(self, crew: Crew, prepare: Prepare, on_ready: Callable[[str], None], buried: Callable[[str], None]) -> int:
        """Start everything, look after it until somebody asks to stop, stop everything."""
        try:
            databases = self._server.start() if self._server is not None else None
            with self._stops.interrupting():
                environment = prepare(databases)
            self._workers, self._background = crew.hire(self._listener, environment, buried)
            self._look_after_all(crew.level_seconds_max, on_ready)
        except KeyboardInterrupt:
            log.info("asked to stop before anything was served")
        finally:
            self._stop_all()
        return 0

    def _look_after_all(self, level_seconds_max: float, on_ready: Callable[[str], None]) -> None:
        start = _Start(self._listener, (*self._workers, *self._background), level_seconds_max)
        before = time.monotonic()
        while not self._stops.asked:
            elapsed = min(time.monotonic() - before, ATTENTION_SECONDS_MAX)
            before = time.monotonic()
            self._tend_server(elapsed)
            for child in (*self._workers, *self._background):
                child.tend(elapsed)
            if not start.told and start.ready(elapsed):
                on_ready(address(self._listener))
            time.sleep(LOOK_SECONDS)

    def _tend_server(self, elapsed: float) -> None:
        """Start a database that died again. Everybody else only loses connections meanwhile."""
        self._server_pause -= elapsed
        if self._server is None or self._server.running or self._server_pause > 0:
            return
        log.error("the database died, starting it again")
        try:
            self._server.start()
            log.info("the database is back")
        except Exception:
            self._server_pause = SERVER_RETRY_SECONDS
            log.exception("the database could not be started", again_in=SERVER_RETRY_SECONDS)

    def _stop_all(self) -> None:
        log.info("stopping")
        # Whoever comes now is refused at once, instead of waiting in a queue that nobody will serve.
        self._listener.close()
        self._stop(self._workers)
        self._stop(self._background)
        if self._server is not None:
            self._server.stop()
        log.info("stopped")

    def _stop(self, children: Sequence[Child]) -> None:
        for child in children:
            child.leave()
        until = time.monotonic() + max((child.stop_seconds_max for child in children), default=0.0)
        while any(child.alive for child in children) and time.monotonic() < until and not self._stops.hurried:
            time.sleep(LOOK_SECONDS)
        for child in children:
            child.kill()
        log.info("gone", children=", ".join(child.name for child in children))


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds what listens there."""
    host, port = _nearby(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _nearby(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - compared, not bound


def _answers(listener: socket.socket, path: str) -> bool:
    """Whether some worker answers with 200 on the public socket."""
    connection = http.client.HTTPConnection(*_nearby(listener), timeout=1.0)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

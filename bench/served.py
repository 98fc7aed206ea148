"""Linyue served by its real processes on a bench's database, and callers on keep-alive connections of their own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, cast

import asyncpg
import msgspec
from bench.beside import CONSTANT_FILE, UNBOUND
from bench.ground import BenchDatabases, Ground
from bench.load import PEOPLE, SUBDISTRICT
from cryptography.fernet import Fernet

from linyue.clock import start_clock
from linyue.identity import hash_of
from linyue.worker import Duty
from projections.questions import NAMES

BACKLOG = 2048
READY_SECONDS_MAX = 60.0
LEAVE_SECONDS_MAX = 20.0
LEVEL_SECONDS_MAX = 600.0
PERSON = "person{:014d}"
TOKEN = "bench-token-of-the-person-{:017d}"

Next = Callable[[], bytes | None]
"""The next request of a connection, None where it has none any more."""
Heard = Callable[[int, float, bytes], None]
"""What an answer was: its status, after how many seconds, all its bytes."""


class Served(NamedTuple):
    """The address, and the files in which the workers keep what they answer with."""

    port: int
    constant: Path


@asynccontextmanager
async def served(
    on: Ground,
    database: BenchDatabases,
    begins: datetime,
    *,
    workers: int = 1,
    background: bool = True,
    unbound: bool = True,
) -> AsyncIterator[Served]:
    """Real workers, and where wanted the real background process, on a simulated clock that begins at an instant."""
    data = on.folder / f"served-{database.name}"
    start_clock(data, begins, 1.0)
    constant = data / "constant"
    environment = os.environ | {
        "LINYUE_DATABASE_URL": database.app,
        "LINYUE_PROJECTOR_URL": database.projector,
        "LINYUE_SUBDISTRICT": SUBDISTRICT,
        "LINYUE_VAULT_KEYS": Fernet.generate_key().decode(),
        "DATA": str(data),
        CONSTANT_FILE: str(constant),
        UNBOUND: "yes" if unbound else "",
    }
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        children = [_Child(f"worker {n}", "bench.beside:app", environment, listener) for n in range(workers)]
        if background:
            children.append(_Child("background", "linyue.wiring:background", environment))
        try:
            await asyncio.gather(*(child.well() for child in children))
            yield Served(listener.getsockname()[1], constant)
        finally:
            await asyncio.gather(*(asyncio.to_thread(child.leave) for child in children))


class _Child:
    """A process of linyue, as its parent keeps it."""

    def __init__(
        self, name: str, target: str, environment: dict[str, str], listener: socket.socket | None = None
    ) -> None:
        lifeline, self._lifeline = os.pipe()
        self._pulse, pulse = os.pipe()
        os.set_blocking(self._pulse, False)
        passed = [lifeline, pulse, *([listener.fileno()] if listener else [])]
        duty = Duty(
            name=name, target=target, parent=os.getpid(), lifeline_fd=lifeline, pulse_fd=pulse,
            listen_fd=listener.fileno() if listener else None, grace_seconds=5.0, streams_max=16,
        )  # fmt: skip
        command = [sys.executable, "-m", "linyue.worker", msgspec.json.encode(duty).decode()]
        self.name = name
        self._process = subprocess.Popen(command, env=environment, pass_fds=passed, stderr=subprocess.DEVNULL)
        os.close(lifeline)
        os.close(pulse)

    async def well(self) -> None:
        """Wait until it says so."""
        until = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                if os.read(self._pulse, 1):
                    return
            except BlockingIOError:
                pass
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start")
            await asyncio.sleep(0.05)

    def leave(self) -> None:
        """Ask it to end, and make it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(LEAVE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._lifeline)
        os.close(self._pulse)


async def admit(database: BenchDatabases, at: datetime) -> None:
    """Give everybody an account and a token."""
    people = [PERSON.format(n) for n in range(PEOPLE)]
    nowhere: list[str] = []
    accounts = [(SUBDISTRICT, person, "resident", nowhere, at) for person in people]
    tokens = [(SUBDISTRICT, hash_of(TOKEN.format(n)), person, "bench", at) for n, person in enumerate(people)]
    connection = await asyncpg.connect(database.superuser)
    try:
        await connection.copy_records_to_table("accounts", schema_name="identity", records=accounts)
        columns = ["subdistrict", "hash", "person", "label", "created_at"]
        await connection.copy_records_to_table("tokens", schema_name="identity", records=tokens, columns=columns)
        await connection.execute("VACUUM (ANALYZE) identity.accounts, identity.tokens")
    finally:
        await connection.close()


async def level(database: BenchDatabases) -> None:
    """Wait until the read models are where the log is."""
    connection = await asyncpg.connect(database.superuser)
    try:
        until = time.monotonic() + LEVEL_SECONDS_MAX
        head = await connection.fetchval("SELECT max(position) FROM booking.events")
        while time.monotonic() < until:
            at = [await _position(connection, name) for name in NAMES]
            if min(at) >= head:
                return
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    raise TimeoutError("the read models did not come level")


async def _position(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> int:
    try:
        return int(await connection.fetchval(f"SELECT max(position) FROM {name}.checkpoints") or 0)
    except asyncpg.UndefinedTableError:
        return 0


def request(method: str, path: str, *, person: int | None = None, key: str = "", body: object = None) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    content = msgspec.json.encode(body) if body is not None else b""
    if person is not None:
        lines.append(f"Authorization: Bearer {TOKEN.format(person)}")
    if key:
        lines.append(f"Idempotency-Key: {key}")
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Callers:
    """What was answered to all who called, and how long each waited."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []

    def heard(self, status: int, seconds: float, _: bytes) -> None:
        self.statuses[status] += 1
        self.seconds.append(seconds)

    def milliseconds(self, share: float) -> float:
        """How long so large a share of the answers took at most."""
        in_order = sorted(self.seconds)
        return 1_000 * in_order[min(len(in_order) - 1, int(share * len(in_order)))]


async def call(port: int, nexts: Iterator[Next], connections: int, heard: Heard) -> float:
    """Call over so many connections until none has another request; returns the seconds that took."""
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    for ended in ends:
        protocol = _Connection(next(nexts), heard, ended)
        await loop.create_connection(lambda protocol=protocol: protocol, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return time.perf_counter() - began


def for_so_long(make: Callable[[], bytes], seconds: float) -> Iterator[Next]:
    """Requests for every connection until the time is over."""
    until = time.perf_counter() + seconds

    def another() -> bytes | None:
        return make() if time.perf_counter() < until else None

    while True:
        yield another


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next. It reads what uvicorn writes, and no more of HTTP."""

    def __init__(self, another: Next, heard: Heard, ended: "asyncio.Future[None]") -> None:
        self._another, self._heard, self._ended = another, heard, ended
        self._bytes = b""
        self._whole = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request_ = self._another()
        if request_ is None:
            self._transport.close()
            return
        self._bytes, self._whole, self._sent = b"", 0, time.perf_counter()
        self._transport.write(request_)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if not self._whole:
            head = self._bytes.find(b"\r\n\r\n")
            if head < 0:
                return
            length = self._bytes[:head].lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._whole = head + 4 + int(length or 0)
        if len(self._bytes) >= self._whole:
            self._heard(int(self._bytes[9:12]), time.perf_counter() - self._sent, self._bytes)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self._ended.done():
            return
        if error or self._whole > len(self._bytes):
            self._ended.set_exception(error or ConnectionError("the server hung up"))
        else:
            self._ended.set_result(None)

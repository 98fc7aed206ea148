"""Desks on a test's database, a clock that is moved by hand, and connections that fail on purpose."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeAlias

import asyncpg
from cryptography.fernet import Fernet
from tests.conftest import TestDatabase
from tests.log import doors

from booking import log
from booking.batch import Subjects
from booking.codec import Codec
from booking.desk import Desk
from booking.messages import Answer, Ask, Asker, Command, Recorded, SealedText
from booking.vault import Vault

Connection: TypeAlias = "asyncpg.Connection[Any]"
Connect = Callable[[], Awaitable[Any]]

SUBDISTRICT = "gumei"
KEY = Fernet.generate_key().decode()
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PATIENT_SECONDS = 30.0
_numbers = count()


class HandClock:
    """Shows what it was last set to."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **units: float) -> None:
        self.now += timedelta(**units)


async def writer(database: TestDatabase, **settings: str) -> Connection:
    """A connection as a desk has it."""
    return await asyncpg.connect(database.app, server_settings=log.WRITER_SETTINGS | settings)


@asynccontextmanager
async def desk_on(
    database: TestDatabase,
    clock: Callable[[], datetime] | None = None,
    *,
    connect: Connect | None = None,
    subjects: Subjects = doors,
    codec: Codec | None = None,
) -> AsyncIterator[Desk]:
    """A desk that decides about doors."""
    vault = Vault(SUBDISTRICT, [KEY])
    opens = connect or (lambda: writer(database))
    async with Desk(subjects, codec or doors.codec(), vault, opens, clock or HandClock()) as desk:
        yield desk


def ask(
    command: Command,
    *,
    id_: str | None = None,
    by: Asker = doors.LIN,
    key: str | None = None,
    fingerprint: bytes = b"",
    note: str | None = None,
    dry_run: bool = False,
) -> Ask:
    """A command as somebody asks it, with an id of its own."""
    texts = {"note": SealedText(text=note, key=b"k" * 32)} if note else {}
    return Ask(
        id=id_ or f"ask{next(_numbers)}",
        command=command,
        asker=by,
        key=key,
        fingerprint=fingerprint,
        texts=texts,
        dry_run=dry_run,
    )


async def all_of(desk: Desk, *asks: Ask, wait_seconds: float = PATIENT_SECONDS) -> list[Answer | BaseException]:
    """The answers to commands that wait together, and so come into one batch where nothing else is under way."""
    return await asyncio.gather(*(desk.ask(one, wait_seconds) for one in asks), return_exceptions=True)


async def events(database: TestDatabase, codec: Codec | None = None) -> list[Recorded]:
    """All of the log."""
    connection: Connection = await asyncpg.connect(database.app)
    try:
        rows = await log.follow(connection, SUBDISTRICT, 0, 1_000_000)
        return [(codec or doors.codec()).decode(row.data) for row in rows]
    finally:
        await connection.close()


async def count_of(database: TestDatabase, table: str) -> int:
    connection: Connection = await asyncpg.connect(database.app)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM booking.{table}"))
    finally:
        await connection.close()


class Watched:
    """A connection that notes each statement, and does what a test says before one is sent or after it was answered."""

    def __init__(
        self,
        connection: Connection,
        *,
        before: Callable[["Watched", str], Awaitable[None]] | None = None,
        after: Callable[["Watched", str], Awaitable[None]] | None = None,
    ) -> None:
        self.connection = connection
        self.statements: list[str] = []
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the connection has
        found = getattr(self.connection, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval"):
            return found

        async def watched(statement: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the connection's
            if self._before:
                await self._before(self, statement)
            self.statements.append(statement)
            answer = await found(statement, *arguments, **options)
            if self._after:
                await self._after(self, statement)
            return answer

        return watched

    async def lose(self) -> None:
        """As if somebody had cut the wire: what was sent may have arrived, and nothing comes back."""
        self.connection.terminate()
        raise ConnectionResetError("the wire was cut")


class Line:
    """Opens watched connections to a test's database, one after the other, while it is not `cut`."""

    def __init__(self, database: TestDatabase, **settings: str) -> None:
        self.opened: list[Watched] = []
        self.cut = False
        self.armed = True
        self.reached = asyncio.Event()
        self._database = database
        self._settings = settings
        self.before: Callable[[Watched, str], Awaitable[None]] | None = None
        self.after: Callable[[Watched, str], Awaitable[None]] | None = None

    async def __call__(self) -> Any:  # noqa: ANN401 - a connection, as far as a desk can tell
        if self.cut:
            raise ConnectionRefusedError("nobody answers")
        # Only the first fails as the test says: those after it are what the desk finds its way back with.
        first = not self.opened
        watched = Watched(
            await writer(self._database, **self._settings),
            before=self.before if first else None,
            after=self.after if first else None,
        )
        self.opened.append(watched)
        return watched

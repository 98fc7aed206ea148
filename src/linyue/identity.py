"""Who asks: a bearer token or a session cookie to an actor with a role; and how much each may ask for.

Tokens and session ids are 256 random bits; the database holds their SHA-256 alone. All SQL of the schema `identity` is
here. Nothing is remembered of who a token is: a revoked one opens nothing from that instant on, in any process. Many
who ask at once share a statement instead.
"""

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from sqlalchemy import ARRAY, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from booking.messages import Asker, Channel, Role, Scope
from projections.together import Together

WAIT_SECONDS = 5.0
SESSION_PERSON = "person"
"""Under what name a session holds who signed in."""

METADATA = MetaData(schema="identity")
_C = Text(collation="C")

accounts = Table(
    "accounts",
    METADATA,
    Column("subdistrict", _C, primary_key=True),
    Column("person", _C, primary_key=True),
    Column("role", _C, nullable=False),
    Column("stations", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
tokens = Table(
    "tokens",
    METADATA,
    Column("subdistrict", _C, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("person", _C, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)
sessions = Table(
    "sessions",
    METADATA,
    Column("subdistrict", _C, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
budgets = Table(
    "budgets",
    METADATA,
    Column("subdistrict", _C, primary_key=True),
    Column("person", _C, primary_key=True),
    Column("window_start", DateTime(timezone=True), primary_key=True),
    Column("seconds", Integer, primary_key=True),
    Column("used", Integer, nullable=False),
)


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom we know: a random id, a role, and for staff their stations (none: no station is theirs)."""

    person: str
    role: Role
    stations: frozenset[str] = frozenset()

    @property
    def quota_of(self) -> str | None:
        """Whose quota binds what this actor books: a resident's own."""
        return self.person if self.role == "resident" else None

    def asker(self, scope: Scope, channel: Channel) -> Asker:
        """The actor as the desk knows who asks; `scope` is what the table of permissions says of this call."""
        return Asker(id=self.person, role=self.role, channel=channel, scope=scope, stations=self.stations)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """So many commands in a window of so many seconds."""

    seconds: int
    commands: int


RESIDENT = (Budget(seconds=60, commands=20), Budget(seconds=86_400, commands=200))
DESK = (Budget(seconds=60, commands=1_200),)
BUDGETS: Mapping[Role, tuple[Budget, ...]] = {
    "resident": RESIDENT, "volunteer": DESK, "staff": DESK, "auditor": DESK, "admin": DESK,
}  # fmt: skip


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a browser's session, and for how many more seconds."""

    data: bytes
    seconds_left: int


def new_secret() -> str:
    """A token or session id: 256 random bits, as 43 characters that a header and a cookie take as they are."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """What the database keeps of a token or session id. SHA-256 will do: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode()).digest()


# A new account, or another role or other stations for a known one.
_OPEN_ACCOUNT = text("""
INSERT INTO identity.accounts (subdistrict, person, role, stations, created_at)
VALUES (:subdistrict, :person, :role, CAST(:stations AS text[]), :now)
ON CONFLICT (subdistrict, person) DO UPDATE SET role = excluded.role, stations = excluded.stations
""")
# From the ids to the accounts, each by primary key: OFFSET 0 keeps that order whatever the statistics say.
_ACCOUNTS = text("""
SELECT a.person, a.role, a.stations FROM unnest(CAST(:persons AS text[])) AS asked(person)
CROSS JOIN LATERAL (
    SELECT person, role, stations FROM identity.accounts
    WHERE subdistrict = :subdistrict AND person = asked.person OFFSET 0
) a
""")
_KEEP_TOKEN = text("""
INSERT INTO identity.tokens (subdistrict, hash, person, label, created_at, expires_at)
VALUES (:subdistrict, :hash, :person, :label, :now, :expires_at)
ON CONFLICT (subdistrict, hash) DO NOTHING
""")
_REVOKE = text("""
UPDATE identity.tokens SET revoked_at = :now WHERE subdistrict = :subdistrict AND hash = :hash AND revoked_at IS NULL
""")
# Who holds each of these tokens, by primary keys. That one is found by its hash takes a time that tells a guesser
# nothing of any token.
_HOLDERS = text("""
SELECT asked.hash, a.person, a.role, a.stations FROM unnest(CAST(:hashes AS bytea[])) AS asked(hash)
CROSS JOIN LATERAL (
    SELECT person FROM identity.tokens
    WHERE subdistrict = :subdistrict AND hash = asked.hash AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > :now) OFFSET 0
) t
CROSS JOIN LATERAL (
    SELECT person, role, stations FROM identity.accounts
    WHERE subdistrict = :subdistrict AND person = t.person OFFSET 0
) a
""")
# More commands in each person's windows, in one statement. What a crash forgets of it nobody misses: it waits for no
# disk. The rows come in order, so that two processes which count the same people never wait for each other in a ring.
_SPEND = text("""
WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO identity.budgets AS b (subdistrict, person, seconds, window_start, used)
SELECT :subdistrict, w.person, w.seconds, w.start, w.used
FROM quick, unnest(
    CAST(:persons AS text[]), CAST(:seconds AS int[]), CAST(:starts AS timestamptz[]), CAST(:used AS int[])
) AS w(person, seconds, start, used)
ORDER BY w.person COLLATE "C", w.seconds, w.start
ON CONFLICT (subdistrict, person, seconds, window_start) DO UPDATE SET used = b.used + excluded.used
RETURNING person, seconds, window_start, used
""")
# In steps, so that no transaction is long.
_FORGET_BUDGETS = text("""
DELETE FROM identity.budgets WHERE ctid IN (
    SELECT ctid FROM identity.budgets
    WHERE subdistrict = :subdistrict AND window_start + make_interval(secs => seconds) < :now LIMIT 1000)
""")
_KEEP_SESSION = text("""
INSERT INTO identity.sessions (subdistrict, hash, data, expires_at) VALUES (:subdistrict, :hash, :data, :expires_at)
ON CONFLICT (subdistrict, hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at
""")
_SESSION = text("""
SELECT data, expires_at FROM identity.sessions WHERE subdistrict = :subdistrict AND hash = :hash AND expires_at > :now
""")
_DROP_SESSION = text("DELETE FROM identity.sessions WHERE subdistrict = :subdistrict AND hash = :hash")
_DROP_SESSIONS = text("DELETE FROM identity.sessions WHERE subdistrict = :subdistrict")
_FORGET_SESSIONS = text("""
DELETE FROM identity.sessions WHERE ctid IN (
    SELECT ctid FROM identity.sessions WHERE subdistrict = :subdistrict AND expires_at < :now LIMIT 1000)
""")


class Identity:
    """Accounts, tokens, sessions and budgets of a subdistrict. `now` tells the time in UTC."""

    def __init__(
        self,
        engine: AsyncEngine,
        subdistrict: str,
        now: Callable[[], datetime],
        allowed: Mapping[Role, tuple[Budget, ...]] = BUDGETS,
    ) -> None:
        self.subdistrict = subdistrict
        # Each statement is a transaction of its own: one round trip in place of three.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._now = now
        self._allowed = dict(allowed)
        self._holders: Together[bytes, Actor | None] = Together(self._holders_of)
        self._accounts: Together[str, Actor | None] = Together(self._accounts_of)
        self._spending: Together[Actor, int | None] = Together(self._spend)

    def allow(self, allowed: Mapping[Role, tuple[Budget, ...]]) -> None:
        """Give roles other budgets, for this process: a bench asks more in a minute than people do."""
        self._allowed.update(allowed)

    async def open_account(self, person: str, role: Role, stations: Iterable[str] = ()) -> None:
        """Let a person in with a role; for staff, at these stations."""
        await self._execute(_OPEN_ACCOUNT, person=person, role=role, stations=sorted(stations), now=self._now())

    async def account(self, person: str) -> Actor | None:
        """Who has this id; None where nobody has."""
        return await self._accounts.ask(person)

    async def issue_token(
        self, person: str, label: str, expires_at: datetime | None = None, *, token: str | None = None
    ) -> str:
        """A new bearer token for a person with an account. It is told this once; only its hash is kept.

        `token` keeps one that was made before by `new_secret`.
        """
        token = token or new_secret()
        when = {"now": self._now(), "expires_at": expires_at}
        await self._execute(_KEEP_TOKEN, hash=hash_of(token), person=person, label=label, **when)
        return token

    async def revoke_token(self, token: str) -> None:
        """From now on it opens nothing."""
        await self._execute(_REVOKE, hash=hash_of(token), now=self._now())

    async def actor_of_token(self, token: str) -> Actor | None:
        """Who holds a token; None where it is unknown, revoked or has expired."""
        return await self._holders.ask(hash_of(token))

    async def actor_of(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
        """Who asks: by the bearer token where one is sent, else by the session's cookie; None for nobody.

        Raises `BadToken` where a token was sent that opens nothing.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            actor = await self.actor_of_token(token.strip()) if scheme.lower() == "bearer" else None
            if actor is None:
                raise BadToken
            return actor
        session = connection.scope.get("session")
        person = session.get(SESSION_PERSON) if isinstance(session, dict) else None
        return await self.account(person) if isinstance(person, str) else None

    async def spend(self, actor: Actor) -> int | None:
        """Count a command against the actor's budgets; where one is used up, the seconds until there is more."""
        return await self._spending.ask(actor) if self._allowed.get(actor.role) else None

    async def keep_session(self, secret: str, data: bytes, seconds: int) -> None:
        """Keep a session's data for so many seconds."""
        expires_at = self._now() + timedelta(seconds=seconds)
        await self._execute(_KEEP_SESSION, hash=hash_of(secret), data=data, expires_at=expires_at)

    async def session(self, secret: str) -> Session | None:
        """What is kept under a session's id; None where there is nothing, or its time is over."""
        now = self._now()
        rows = await self._execute(_SESSION, hash=hash_of(secret), now=now)
        if not rows:
            return None
        return Session(data=rows[0][0], seconds_left=int((rows[0][1] - now).total_seconds()))

    async def drop_session(self, secret: str) -> None:
        """End a session."""
        await self._execute(_DROP_SESSION, hash=hash_of(secret))

    async def drop_sessions(self) -> None:
        """End everybody's session."""
        await self._execute(_DROP_SESSIONS)

    async def forget(self) -> None:
        """Delete budgets and sessions whose time is over, up to 1,000 of each."""
        await self._execute(_FORGET_BUDGETS, now=self._now())
        await self._execute(_FORGET_SESSIONS, now=self._now())

    async def _holders_of(self, hashes: Sequence[bytes]) -> list[Actor | None]:
        rows = await self._execute(_HOLDERS, hashes=list(set(hashes)), now=self._now())
        found = {hash_: _actor(row) for hash_, *row in rows}
        return [found.get(hash_) for hash_ in hashes]

    async def _accounts_of(self, persons: Sequence[str]) -> list[Actor | None]:
        rows = await self._execute(_ACCOUNTS, persons=list(set(persons)))
        found = {row[0]: _actor(row) for row in rows}
        return [found.get(person) for person in persons]

    async def _spend(self, actors: Sequence[Actor]) -> list[int | None]:
        """Each of them has asked for one command more, in this order."""
        now = self._now()
        asked = Counter((actor.person, *window) for actor in actors for window in self._windows(actor, now))
        persons, seconds, starts = zip(*asked, strict=True)
        rows = await self._execute(
            _SPEND, persons=list(persons), seconds=list(seconds), starts=list(starts), used=list(asked.values())
        )
        # What each window had before these.
        used = {(person, seconds, start): all_ - asked[person, seconds, start] for person, seconds, start, all_ in rows}
        left: list[int | None] = []
        for actor in actors:
            over: list[float] = []
            for (seconds_, start), most in self._windows(actor, now).items():
                used[actor.person, seconds_, start] += 1
                if used[actor.person, seconds_, start] > most:
                    over.append((start + timedelta(seconds=seconds_) - now).total_seconds())
            left.append(int(max(over)) + 1 if over else None)
        return left

    def _windows(self, actor: Actor, now: datetime) -> dict[tuple[int, datetime], int]:
        """How many commands each window lets through in which `now` lies, by its length and beginning."""
        return {
            (budget.seconds, _window_start(now, budget.seconds)): budget.commands
            for budget in self._allowed.get(actor.role, ())
        }

    async def _execute(self, statement: TextClause, **values: object) -> list[Any]:
        try:
            return await self._execute_once(statement, values)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # A connection from before the database was started anew. Each may run twice: a budget then counts one more.
        return await self._execute_once(statement, values)

    async def _execute_once(self, statement: TextClause, values: Mapping[str, object]) -> list[Any]:
        # No caller waits longer than for the desk, whatever the database does.
        async with asyncio.timeout(WAIT_SECONDS), self._engine.connect() as connection:
            result = await connection.execute(statement, {"subdistrict": self.subdistrict, **values})
            return list(result) if result.returns_rows else []


class BadToken(Exception):
    """A bearer token was sent that is unknown, revoked or has expired: ask for a new one."""


def _actor(row: Sequence[Any]) -> Actor:
    person, role, stations = row
    return Actor(person=person, role=role, stations=frozenset(stations))


def _window_start(now: datetime, seconds: int) -> datetime:
    """The beginning of the window of so many seconds in which an instant lies, counted from the epoch."""
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)

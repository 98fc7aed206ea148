"""What was answered to whom under which key, and how often a refusal was asked for again.

Both are read and written in the desk's transaction, under the log's lock, and so hold within a batch and between
processes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec

from booking.messages import Answer, Outcome

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

KEPT_DAYS = 30


class Kept(NamedTuple):
    """An answer as it is kept under (actor, key); `fingerprint` is that of the request's body."""

    actor: str
    key: str
    fingerprint: bytes
    answer: Answer


class KnownRefusal(NamedTuple):
    """A refusal that was written to the log at `position`, and its body."""

    position: int
    at: datetime
    body: bytes


# From the keys to the answers: OFFSET 0 keeps that order, or a planner that has no statistics reads all answers.
_KNOWN = """
SELECT asked.actor, asked.key, a.fingerprint, a.status, a.body, a.position
FROM unnest($2::text[], $3::text[]) AS asked(actor, key)
CROSS JOIN LATERAL (
    SELECT fingerprint, status, body, position FROM booking.answers a
    WHERE a.subdistrict = $1 AND a.actor = asked.actor AND a.key = asked.key OFFSET 0
) a
"""


async def known(connection: Connection, subdistrict: str, keys: Sequence[tuple[str, str]]) -> list[Kept]:
    """What was answered before to these (actor, key)."""
    if not keys:
        return []
    actors, names = zip(*keys, strict=True)
    rows = await connection.fetch(_KNOWN, subdistrict, list(actors), list(names))
    return [
        Kept(actor, key, fingerprint, Answer(outcome=Outcome(status), body=body, position=position))
        for actor, key, fingerprint, status, body, position in rows
    ]


_KEEP = """
INSERT INTO booking.answers (subdistrict, at, actor, key, fingerprint, status, body, position)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::bytea[], $6::smallint[], $7::bytea[], $8::bigint[])
"""


async def keep(connection: Connection, subdistrict: str, at: datetime, kept: Sequence[Kept]) -> None:
    """Write down answers; they are kept for `KEPT_DAYS` days."""
    await connection.execute(
        _KEEP,
        subdistrict,
        at,
        [k.actor for k in kept],
        [k.key for k in kept],
        [k.fingerprint for k in kept],
        [int(k.answer.outcome) for k in kept],
        [k.answer.body for k in kept],
        [k.answer.position for k in kept],
    )


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it is kept; `status` is the number of an `Outcome`."""

    actor: str
    key: str
    fingerprint: bytes
    status: int
    body: bytes
    position: int
    at: datetime


# For whoever carries the answers elsewhere, in steps by primary key.
_AFTER = """
SELECT actor, key, fingerprint, status, body, position, at FROM booking.answers
WHERE subdistrict = $1 AND (actor, key) > ($2, $3) ORDER BY actor, key LIMIT $4
"""


async def after(connection: Connection, subdistrict: str, known: tuple[str, str], limit: int) -> list[Answered]:
    """The next rows after an (actor, key), as they are kept; begin with ("", "")."""
    rows = await connection.fetch(_AFTER, subdistrict, *known, limit)
    return [Answered(**dict(row)) for row in rows]


_TAKE_IN = """
INSERT INTO booking.answers (subdistrict, actor, key, fingerprint, status, body, position, at)
SELECT $1, * FROM unnest(
    $2::text[], $3::text[], $4::bytea[], $5::smallint[], $6::bytea[], $7::bigint[], $8::timestamptz[]
)
ON CONFLICT (subdistrict, actor, key) DO NOTHING
"""


async def take_in(connection: Connection, subdistrict: str, rows: Sequence[Answered]) -> None:
    """Keep rows of another database as they are; those that are there already stay."""
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    await connection.execute(_TAKE_IN, subdistrict, *map(list, columns))


# In steps, so that no transaction is long.
_FORGET = """
DELETE FROM booking.answers WHERE ctid IN (
    SELECT ctid FROM booking.answers WHERE subdistrict = $1 AND at < $2 LIMIT 1000
)
"""


async def forget_before(connection: Connection, subdistrict: str, at: datetime) -> int:
    """Delete up to 1,000 answers older than `at`; returns how many."""
    return int((await connection.execute(_FORGET, subdistrict, at)).split()[-1])


_FORGET_REFUSALS = _FORGET.replace("booking.answers", "booking.refusals")


async def forget_refusals_before(connection: Connection, subdistrict: str, at: datetime) -> int:
    """Delete up to 1,000 counts of refusals that were written before `at`; returns how many. The log keeps them."""
    return int((await connection.execute(_FORGET_REFUSALS, subdistrict, at)).split()[-1])


_KNOWN_REFUSALS = """
SELECT digest, position, at, body FROM booking.refusals WHERE subdistrict = $1 AND digest = ANY($2::bytea[])
"""


async def known_refusals(
    connection: Connection, subdistrict: str, digests: Sequence[bytes]
) -> Mapping[bytes, KnownRefusal]:
    """The last refusal of each request, by the request's sameness."""
    rows = await connection.fetch(_KNOWN_REFUSALS, subdistrict, digests)
    return {digest: KnownRefusal(position, at, body) for digest, position, at, body in rows}


_KEEP_REFUSALS = """
INSERT INTO booking.refusals (subdistrict, digest, position, at, body, count)
SELECT $1, *, 1 FROM unnest($2::bytea[], $3::bigint[], $4::timestamptz[], $5::bytea[])
ON CONFLICT (subdistrict, digest) DO UPDATE
SET position = excluded.position, at = excluded.at, body = excluded.body, count = 1
"""


async def keep_refusals(connection: Connection, subdistrict: str, refusals: Mapping[bytes, KnownRefusal]) -> None:
    """Write down refusals that were just written to the log."""
    await connection.execute(
        _KEEP_REFUSALS,
        subdistrict,
        list(refusals),
        [refusal.position for refusal in refusals.values()],
        [refusal.at for refusal in refusals.values()],
        [refusal.body for refusal in refusals.values()],
    )


# No join: a planner without statistics would read all refusals for it.
_COUNT = """
UPDATE booking.refusals SET count = count + ($3::bigint[])[array_position($2::bytea[], digest)]
WHERE subdistrict = $1 AND digest = ANY($2::bytea[])
"""


async def count_refusals(connection: Connection, subdistrict: str, times: Mapping[bytes, int]) -> None:
    """Count refusals that were answered the same again."""
    await connection.execute(_COUNT, subdistrict, list(times), list(times.values()))

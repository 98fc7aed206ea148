"""The hot statements look things up: by index alone, with whatever statistics the server happens to have.

Demos and tests always start with a young log, whose statistics then stand for hours; so the plans are held in three
states: never analysed, analysed when there was next to nothing, analysed as it is. Each with the plan that is made for
the values at hand and the one that PostgreSQL keeps for any.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest
from tests.conftest import TestDatabase
from tests.log.desks import Connection, writer

from booking import answers, log, vault

pytestmark = pytest.mark.asyncio

EVENTS, EVENTS_LONG = 10_000, 1_000_000
BATCH = 64
"""How many tags, keys and so on a busy batch asks for at once."""

# As many events a booking, bookings a resource's day and a person's month as a busy subdistrict has.
_FILL_EVENTS = """
INSERT INTO booking.events
SELECT 'gumei', n, convert_to(repeat('x', 300) || n, 'UTF8'), sha256(convert_to(n::text, 'UTF8'))
FROM generate_series($1::bigint, $2::bigint) n
"""
_FILL_TAGS = """
INSERT INTO booking.event_tags
SELECT 'gumei', tag, n FROM generate_series($1::bigint, $2::bigint) n CROSS JOIN LATERAL (VALUES
    ('booking:' || n / 3), ('resource:table-' || n % 20 || ':' || (date '2026-01-01' + (n / 500)::int)),
    ('person:' || n % 997 || ':2026-' || n / 10000)
) AS tags(tag)
"""
_FILL_REST = (
    """
    INSERT INTO booking.answers SELECT 'gumei', 'person-' || n % 997, 'key-' || n, '', 1, '{}', n, now()
    FROM generate_series($1::bigint, $2::bigint) n
    """,
    """
    INSERT INTO booking.refusals SELECT 'gumei', sha256(convert_to(n::text, 'UTF8')), n, '{}', 1, now()
    FROM generate_series($1::bigint, $2::bigint) n
    """,
    """
    INSERT INTO booking.vault SELECT 'gumei', 'text-' || n, 'person-' || n % 997, 'note', repeat('s', 200)::bytea, now()
    FROM generate_series($1::bigint, $2::bigint) n
    """,
)


class Hot(NamedTuple):
    """A statement that is sent for each batch, page or event, with values for it and how many blocks it may touch."""

    statement: str
    values: tuple[Any, ...]
    blocks_max: int
    name: str


def hot(events: int) -> Iterator[Hot]:
    """All of them, with values from the middle of a log of so many events."""
    middle = events // 2
    some = range(middle, middle + BATCH)
    digests = [_digest(n) for n in some]
    day = f"2026-01-{1 + middle // 500:02d}"
    # A lookup of a row goes down an index of at most five levels and to the row itself.
    lookup = 6
    yield Hot(log._HEAD, ("gumei",), lookup, "head")
    yield Hot(log._READ, ("gumei", [f"booking:{n}" for n in some]), BATCH * 4 * lookup, "read")
    days = ("gumei", [f"resource:table-{n}:{day}" for n in range(20)], [f"resource:table-{n}::" for n in range(20)])
    yield Hot(log._READ_RANGES, days, (events - middle + BATCH) * (lookup + 1), "read ranges")
    yield Hot(log._HASH_AT, ("gumei", middle), lookup, "hash at")
    yield Hot(log._FOLLOW, ("gumei", middle, 500), 500 + lookup, "follow")
    yield Hot(log._AT, ("gumei", list(some)), BATCH * lookup, "at positions")
    yield Hot(log._TAGS_AFTER, ("gumei", "person:5", 0, 500), 500 + 2 * lookup, "tags after")
    yield Hot(answers._KNOWN, ("gumei", *_keys(some)), BATCH * lookup, "answers")
    yield Hot(answers._KNOWN_REFUSALS, ("gumei", digests), BATCH * lookup, "refusals")
    yield Hot(answers._COUNT, ("gumei", digests, [1] * BATCH), BATCH * 3 * lookup, "count refusals")
    yield Hot(vault._READ, ("gumei", [f"text-{n}" for n in some]), BATCH * lookup, "vault")
    yield Hot(vault._AFTER, ("gumei", "text-5", 500), 500 + 2 * lookup, "texts after")
    yield Hot(answers._AFTER, ("gumei", "person-5", "", 500), 500 + 2 * lookup, "answers after")
    yield Hot(vault._ERASE, ("gumei", "person-5"), (events // 997 + 2) * 3 * lookup, "erase")


def _digest(n: int) -> bytes:
    return hashlib.sha256(str(n).encode()).digest()


def _keys(numbers: range) -> tuple[list[str], list[str]]:
    return [f"person-{n % 997}" for n in numbers], [f"key-{n}" for n in numbers]


STATES = ("never analysed", "analysed young", "analysed")


BY_INDEX = ("Index Scan", "Index Only Scan")


async def filled(database: TestDatabase, events: int, state: str) -> Connection:
    """A log of so many events with the statistics of one of the states; a writer's connection to it."""
    owner: Connection = await asyncpg.connect(database.superuser)
    # The server's own housekeeping would come between the states.
    for table in ("events", "event_tags", "answers", "refusals", "vault"):
        await owner.execute(f"ALTER TABLE booking.{table} SET (autovacuum_enabled = false)")
    young = 20
    await fill(owner, 1, young)
    if state == "analysed young":
        await owner.execute("ANALYZE")
    await fill(owner, young + 1, events)
    if state == "analysed":
        await owner.execute("ANALYZE")
    await owner.close()
    return await writer(database)


async def fill(connection: Connection, first: int, last: int) -> None:
    for statement in (_FILL_EVENTS, _FILL_TAGS, *_FILL_REST):
        await connection.execute(statement, first, last)


async def plan_of(connection: Connection, one: Hot, kind: str) -> dict[str, Any]:
    """What the server does for a statement, and how many blocks it touched; nothing is changed."""
    await connection.execute(f"SET plan_cache_mode = force_{kind}_plan")
    await connection.execute("BEGIN")
    try:
        text = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {one.statement}", *one.values)
    finally:
        await connection.execute("ROLLBACK")
    plan: dict[str, Any] = msgspec.json.decode(text)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def assert_looks_up(plan: dict[str, Any], one: Hot, *, by: tuple[str, ...] = BY_INDEX) -> None:
    """Every table is reached by an index alone, and no more of it is touched than what was asked for."""
    reached = [node for node in nodes(plan) if "Relation Name" in node and node["Node Type"] != "ModifyTable"]
    assert reached
    for node in reached:
        assert node["Node Type"] in by, f"{one.name}: {node}"
        assert "subdistrict" in node.get("Index Cond", node.get("Recheck Cond", "")), f"{one.name}: {node}"
        assert node.get("Rows Removed by Filter", 0) == 0, f"{one.name}: {node}"
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert blocks <= one.blocks_max, f"{one.name} touched {blocks} blocks"


@pytest.mark.parametrize("state", STATES)
async def test_a_hot_statement_looks_up_what_it_needs_by_index(database: TestDatabase, state: str) -> None:
    connection = await filled(database, EVENTS, state)
    for one in hot(EVENTS):
        for kind in ("custom", "generic"):
            assert_looks_up(await plan_of(connection, one, kind), one)
    await connection.close()


READERS = ("follow", "at positions", "tags after", "vault")


@pytest.mark.parametrize("state", STATES)
async def test_a_reader_without_a_writer_s_settings_looks_up_too(database: TestDatabase, state: str) -> None:
    """Followers, pages and exports read on connections of their own."""
    await (await filled(database, EVENTS, state)).close()
    connection: Connection = await asyncpg.connect(database.app)
    for one in hot(EVENTS):
        for kind in ("custom", "generic") if one.name in READERS else ():
            assert_looks_up(await plan_of(connection, one, kind), one, by=(*BY_INDEX, "Bitmap Heap Scan"))
    await connection.close()


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("state", STATES)
async def test_a_hot_statement_looks_up_what_it_needs_in_a_log_of_a_million(database: TestDatabase, state: str) -> None:
    connection = await filled(database, EVENTS_LONG, state)
    for one in hot(EVENTS_LONG):
        for kind in ("custom", "generic"):
            if one.name != "read ranges":
                assert_looks_up(await plan_of(connection, one, kind), one)
    await connection.close()


async def test_the_statements_that_are_held_here_are_all_that_there_are() -> None:
    """One that is written or read for each batch and is not among them has no plan that is held."""
    known = {one.statement for one in hot(EVENTS)}
    # They only insert; or are sent now and then, in steps; or touch no table.
    without = {
        log._BEGIN_AND_LOCK, log._APPEND, log._PROVE_DURABLE, log._WAKE, log._BOUND_TRANSACTIONS, answers._KEEP,
        answers._KEEP_REFUSALS, answers._FORGET, answers._FORGET_REFUSALS, vault._WRITE,
        answers._TAKE_IN, vault._TAKE_IN,
    }  # fmt: skip
    statements = {
        value
        for module in (log, answers, vault)
        for name, value in vars(module).items()
        if name.startswith("_") and name.isupper() and isinstance(value, str)
    }
    assert statements - known - without == set()

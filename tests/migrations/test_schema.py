"""A migrated database is what was written down, and what the program's own metadata says: no more and no less."""

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from tests.conftest import TestDatabase
from tests.migrations import described

from linyue.identity import METADATA
from linyue.postgres import engine

pytestmark = pytest.mark.asyncio

# The columns of our tables, in their order, each as `described` writes it.
COLUMNS = """
SELECT a.attrelid::regclass::text AS name,
       array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                 || CASE WHEN a.attcollation = '"C"'::regcollation THEN ' C' ELSE '' END
                 || CASE WHEN a.attnotnull THEN '' ELSE ' ?' END ORDER BY a.attnum) AS columns
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relkind = 'r' AND c.relnamespace IN ('booking'::regnamespace, 'identity'::regnamespace)
  AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY a.attrelid
"""

# The indexes of our tables, each by its columns.
INDEXES = """
SELECT i.indrelid::regclass::text AS name,
       array_agg(CASE WHEN i.indisprimary THEN 'PRIMARY ' ELSE '' END
                 || replace(substring(pg_get_indexdef(i.indexrelid) FROM '\\(.*\\)'), '"', '')) AS indexes
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace IN ('booking'::regnamespace, 'identity'::regnamespace)
GROUP BY i.indrelid
"""

# What a role may do to which table, by whatever way it came to it. Columns of which only some are granted count too.
PRIVILEGES = """
SELECT c.oid::regclass::text AS name, array_agg(p) AS privileges
FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) p
WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('booking', 'identity', 'public')
  AND (has_table_privilege($1, c.oid, p)
       OR p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, c.oid, p))
GROUP BY c.oid
"""


async def rows(address: str, query: str, *arguments: str) -> dict[str, list[str]]:
    """A query's two columns as a table of lists."""
    connection = await asyncpg.connect(address)
    try:
        return {name: values for name, values in await connection.fetch(query, *arguments)}  # noqa: C416
    finally:
        await connection.close()


async def test_each_table_has_the_columns_that_were_written_down(database: TestDatabase) -> None:
    found = await rows(database.superuser, COLUMNS)
    assert {name: tuple(columns) for name, columns in found.items()} == described.TABLES


async def test_each_table_has_the_keys_that_were_written_down(database: TestDatabase) -> None:
    found = await rows(database.superuser, INDEXES)
    assert {name: set(indexes) for name, indexes in found.items()} == described.INDEXES


@pytest.mark.parametrize("role", ["linyue_app", "linyue_projector"])
async def test_each_role_may_do_what_was_written_down(database: TestDatabase, role: str) -> None:
    found = await rows(database.superuser, PRIVILEGES, role)
    assert {name: set(privileges) for name, privileges in found.items()} == described.PRIVILEGES[role]


async def test_the_public_may_read_nothing(database: TestDatabase) -> None:
    """Who may connect is the server's affair; what is there is not shown to whoever does."""
    connection = await asyncpg.connect(database.superuser)
    async with connection.transaction():
        await connection.execute("CREATE ROLE passer_by")
        assert await connection.fetch(PRIVILEGES, "passer_by") == []
        await connection.execute("DROP ROLE passer_by")
    await connection.close()


async def test_the_database_equals_the_metadata_of_identity(database: TestDatabase) -> None:
    """Alembic finds nothing to add, change or drop in the schema identity."""
    owner = engine(database.superuser)
    async with owner.connect() as connection:
        assert await connection.run_sync(_differences, METADATA) == []
    await owner.dispose()


def _differences(connection: Connection, metadata: MetaData) -> list[object]:
    options = {"include_schemas": True, "include_name": _only_identity, "compare_type": True}
    differences: list[object] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return differences


def _only_identity(name: str | None, kind: str, parents: object) -> bool:
    return name == "identity" if kind == "schema" else True

"""What stands in a read model, for whoever holds two of them against each other."""

from typing import Any

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncEngine


async def rows_of(
    engine: AsyncEngine, tables: MetaData, schema: str, *, subdistrict: str | None = None
) -> dict[str, list[tuple[Any, ...]]]:
    """All that it holds, or all of one subdistrict, table by table, in the order of the primary keys."""
    found = {}
    async with engine.connect() as connection:
        for table in tables.sorted_tables:
            asked = select(table).order_by(*table.primary_key)
            if subdistrict is not None:
                asked = asked.where(table.c.subdistrict == subdistrict)
            options = {"schema_translate_map": {tables.schema: schema}}
            found[table.name] = [tuple(row) for row in await connection.execute(asked, execution_options=options)]
    return found

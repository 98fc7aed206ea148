"""Brings a database to what this version of the program expects: roles, grants, then Alembic's revisions."""

from __future__ import annotations

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from linyue.postgres.databases import Databases, engine
from linyue.shipped import migrations_folder

# Read models are schemas that the projector makes when it first runs; it may, and nobody else.
DATABASE_GRANTS = """
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO linyue_app', current_database());
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO linyue_projector', current_database());
END $$
"""

# Whatever the projector makes, the app may read.
PROJECTOR_DEFAULTS = """
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO linyue_app;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO linyue_app;
"""

# Held while a migration runs, so that two starts at once migrate one after the other. Ends with the transaction.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('linyue migrations'))"


async def migrate(databases: Databases) -> None:
    """Does what is left to do and nothing twice; all of it in one transaction, so that a migration that fails leaves no trace."""
    owner = engine(databases.owner)
    try:
        async with owner.begin() as connection:
            await connection.execute(text(_ONE_AT_A_TIME))
            await connection.execute(text(DATABASE_GRANTS))
            await connection.run_sync(_upgrade)
    finally:
        await owner.dispose()
    await _let_the_app_read(databases.projector)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _let_the_app_read(projector: str) -> None:
    connection = await asyncpg.connect(projector)
    try:
        await connection.execute(PROJECTOR_DEFAULTS)
    finally:
        await connection.close()

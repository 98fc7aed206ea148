"""Brings a database to what this version of the program expects: roles, grants, then Alembic's revisions."""

from __future__ import annotations

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from linyue.postgres import roles
from linyue.postgres.databases import Databases, engine
from linyue.postgres.faults import NotMigrated, PostgresFault, ServerUnfit, ServerUnreachable
from linyue.shipped import migrations_folder

# Membership WITH INHERIT FALSE, SET TRUE came with 16.
VERSION_MIN = 16
_CONNECT_SECONDS_MAX = 10.0

# Read models are schemas that the projector makes when it first runs; it may, and nobody else.
DATABASE_GRANTS = """
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO linyue_app', current_database());
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO linyue_projector', current_database());
END $$
"""

# Whatever the projector makes, the app may read.
_PROJECTOR_DEFAULTS = """
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO linyue_app;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO linyue_app;
"""

# A migration that waits for a table in use gives up instead of making all others queue behind it.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '10s'"

_REVISION = "SELECT version_num FROM public.schema_version"


async def prepare(databases: Databases) -> None:
    """What a start does: migrates where the owner's address is known, else checks that somebody has."""
    if databases.owner is None:
        await check_revision(databases.app)
    else:
        await migrate(databases)


async def migrate(databases: Databases) -> None:
    """Does what is left to do, and nothing twice; a revision that fails leaves no trace.

    Raises PostgresFault where there is no owner's address, ServerUnreachable, ServerUnfit, RolesMissing.
    """
    if databases.owner is None:
        raise PostgresFault("Migrations run as the owner of the tables: set LINYUE_OWNER_URL.")
    connection = await _connected(databases.owner, "LINYUE_OWNER_URL")
    try:
        await _check_fitness(connection)
        await roles.ensure(connection, databases)
    finally:
        await connection.close()
    await _run_revisions(databases.owner)
    await _let_the_app_read(databases.projector)


async def check_revision(app: str) -> None:
    """Raises NotMigrated where the database is not at the revision that this program expects.

    Raises ServerUnreachable and ServerUnfit too.
    """
    connection = await _connected(app, "LINYUE_DATABASE_URL")
    try:
        await _check_fitness(connection)
        at = await connection.fetchval(_REVISION)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        at = None
    finally:
        await connection.close()
    expected = ScriptDirectory.from_config(_config()).get_current_head()
    if at != expected:
        raise NotMigrated(
            f"The database is at revision {at or 'none'} and this linyue expects {expected}."
            " Run `linyue migrate` with LINYUE_OWNER_URL, or use the linyue that fits."
        )


async def _connected(address: str, setting: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(address, timeout=_CONNECT_SECONDS_MAX)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        said = str(error) or type(error).__name__
        raise ServerUnreachable(f"The database that {setting} names does not let us in: {said}") from error


async def _check_fitness(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < VERSION_MIN:
        raise ServerUnfit(f"This server is PostgreSQL {version.major}; linyue needs {VERSION_MIN} or later.")
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise ServerUnfit(
            f"This database is encoded in {encoding}; make one in UTF8: CREATE DATABASE … ENCODING 'UTF8'."
        )


async def _run_revisions(owner: str) -> None:
    owners = engine(owner)
    try:
        async with owners.begin() as connection:
            for statement in (roles.ONE_AT_A_TIME, _LOCK_TIMEOUT, DATABASE_GRANTS):
                await connection.execute(text(statement))
            await connection.run_sync(_upgrade)
    finally:
        await owners.dispose()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    # Alembic reads % as the beginning of a variable.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def _let_the_app_read(projector: str) -> None:
    connection = await _connected(projector, "LINYUE_PROJECTOR_URL")
    try:
        async with connection.transaction():
            await connection.execute(roles.ONE_AT_A_TIME)
            await connection.execute(_PROJECTOR_DEFAULTS)
    finally:
        await connection.close()

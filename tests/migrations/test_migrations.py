"""A database from nothing to what this version expects: on linyue's own server, and on one of somebody else's."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from tests.conftest import TestDatabase

from linyue.postgres import (
    Databases,
    EmbeddedServer,
    NotMigrated,
    PostgresFault,
    RolesMissing,
    ServerUnfit,
    ServerUnreachable,
    check_revision,
    cluster,
    migrate,
    migrations,
    prepare,
)
from linyue.postgres.databases import external, on_socket

pytestmark = pytest.mark.asyncio

# Everybody but those whom the operating system vouches for logs in by password, as on a server elsewhere.
HBA = """\
local all postgres,linyue_owner peer map=linyue
local all all scram-sha-256
"""


class Elsewhere:
    """A server of somebody else's: no role of linyue's is there, an administrator made `manager` and the database."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def address(self, user: str, password: str = "pass:w'ö%rd") -> str:
        """How a user reaches the database."""
        return f"postgresql://{user}:{quote(password, safe='')}@/other?host={quote(str(self._socket), safe='/')}"

    async def run(self, *statements: str, database: str = "other") -> None:
        """What the administrator does."""
        connection = await asyncpg.connect(on_socket(self._socket, "postgres", database))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setattr(cluster, "_BOOTSTRAP", "CREATE ROLE manager LOGIN PASSWORD 'pass:w''ö%rd' CREATEROLE;\n\n")
    monkeypatch.setattr(cluster, "_HBA", HBA)
    server = EmbeddedServer(tmp_path / "data", fsync=False)
    server.start()
    made = Elsewhere(server.socket)
    asyncio.run(made.run("CREATE DATABASE other OWNER manager", database="postgres"))
    yield made
    server.stop()


async def who(address: str) -> tuple[str, str]:
    """Who logs in by an address, and as whom it then acts."""
    connection = await asyncpg.connect(address)
    try:
        found = await connection.fetchrow("SELECT session_user::text, current_user::text")
        assert found is not None
        return found[0], found[1]
    finally:
        await connection.close()


async def test_migrating_twice_changes_nothing(database: TestDatabase) -> None:
    await migrate(database)
    await check_revision(database.app)


async def test_starts_at_once_do_the_work_once(elsewhere: Elsewhere) -> None:
    both = external(elsewhere.address("linyue_app"), None, elsewhere.address("manager"))
    await asyncio.gather(*(migrate(both) for _ in range(4)))
    await check_revision(both.app)


async def test_an_owner_who_may_makes_the_roles_with_the_passwords_of_the_settings(elsewhere: Elsewhere) -> None:
    databases = external(
        elsewhere.address("linyue_app"), elsewhere.address("linyue_projector"), elsewhere.address("manager")
    )
    await migrate(databases)
    assert await who(databases.app) == ("linyue_app", "linyue_app")
    assert await who(databases.projector) == ("linyue_projector", "linyue_projector")


async def test_a_login_of_any_name_acts_as_the_programs_roles(elsewhere: Elsewhere) -> None:
    await elsewhere.run("""CREATE ROLE "the web" LOGIN PASSWORD 'pass:w''ö%rd'""")
    databases = external(elsewhere.address("the%20web"), None, elsewhere.address("manager"))
    await migrate(databases)
    assert await who(databases.app) == ("the web", "linyue_app")
    assert await who(databases.projector) == ("the web", "linyue_projector")


async def test_not_even_a_superusers_address_lets_the_app_change_the_log(elsewhere: Elsewhere) -> None:
    await elsewhere.run("""CREATE ROLE almighty LOGIN SUPERUSER PASSWORD 'pass:w''ö%rd'""")
    address = elsewhere.address("almighty")
    databases = external(address, None, address)
    await migrate(databases)
    connection = await asyncpg.connect(databases.app)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await connection.execute("DELETE FROM booking.events")
    await connection.close()


async def test_an_owner_who_may_not_is_told_which_sql_to_have_run(elsewhere: Elsewhere) -> None:
    await elsewhere.run("ALTER ROLE manager NOCREATEROLE")
    databases = external(elsewhere.address("linyue_app"), None, elsewhere.address("manager"))
    with pytest.raises(RolesMissing) as caught:
        await migrate(databases)
    said = str(caught.value)
    assert "CREATE ROLE linyue_app LOGIN PASSWORD '…';" in said
    assert 'GRANT linyue_projector TO "linyue_app" WITH INHERIT FALSE, SET TRUE;' in said
    assert "w'ö" not in said
    assert "SCRAM" not in said


async def test_no_password_reaches_the_servers_log(elsewhere: Elsewhere, tmp_path: Path) -> None:
    await elsewhere.run("ALTER ROLE manager SET log_min_duration_statement = 0")
    await elsewhere.run("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    await asyncio.sleep(0.2)
    await migrate(external(elsewhere.address("linyue_app"), None, elsewhere.address("manager")))
    logged = (tmp_path / "data/postgres.log").read_text(encoding="utf-8")
    assert "CREATE ROLE linyue_app" in logged
    assert "pass:w" not in logged


async def test_a_start_without_the_owners_address_needs_somebody_to_have_migrated(elsewhere: Elsewhere) -> None:
    databases = external(elsewhere.address("linyue_app"), None, elsewhere.address("manager"))
    without = Databases(app=databases.app, projector=databases.projector, owner=None)
    with pytest.raises(ServerUnreachable, match=r"LINYUE_DATABASE_URL names does not let us in: .+ \"linyue_app\""):
        await prepare(without)
    await elsewhere.run("CREATE ROLE linyue_app LOGIN PASSWORD 'pass:w''ö%rd'")
    with pytest.raises(NotMigrated, match=r"at revision none .+ `linyue migrate` with LINYUE_OWNER_URL"):
        await prepare(without)
    with pytest.raises(PostgresFault, match="set LINYUE_OWNER_URL"):
        await migrate(without)
    await elsewhere.run("GRANT linyue_app TO manager WITH ADMIN TRUE", "DROP ROLE linyue_app")
    await prepare(databases)
    await prepare(without)


@pytest.mark.parametrize("call", [migrate, lambda databases: check_revision(databases.app)], ids=["migrate", "start"])
async def test_a_server_that_is_too_old_is_refused(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, call: Callable[[Databases], Awaitable[None]]
) -> None:
    monkeypatch.setattr(migrations, "VERSION_MIN", 99)
    with pytest.raises(ServerUnfit, match="linyue needs 99 or later"):
        await call(database)


async def test_a_database_in_another_encoding_is_refused(elsewhere: Elsewhere) -> None:
    wrong = "CREATE DATABASE wrong OWNER manager TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc"
    await elsewhere.run(wrong)
    address = elsewhere.address("manager").replace("/other?", "/wrong?")
    with pytest.raises(ServerUnfit, match="encoded in LATIN1"):
        await migrate(external(address, None, address))


async def test_a_revision_that_fails_leaves_no_trace(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(config: Config, revision: str) -> None:
        upgrade(config, revision)
        raise RuntimeError("in the middle")

    upgrade = command.upgrade
    databases = external(elsewhere.address("linyue_app"), None, elsewhere.address("manager"))
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", half)
        with pytest.raises(RuntimeError, match="in the middle"):
            await migrate(databases)
    with pytest.raises(NotMigrated):
        await check_revision(databases.app)
    await migrate(databases)
    await check_revision(databases.app)

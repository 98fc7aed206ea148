"""A Linyue that serves is seen from any connection to its database, by the name of its sessions."""

import asyncpg
import pytest
from tests.conftest import TestDatabase

from linyue.postgres.sessions import is_served, serving_name

pytestmark = pytest.mark.asyncio


async def test_who_serves_is_seen_while_it_does(database: TestDatabase) -> None:
    assert not await is_served(database.app, "gumei")
    named = {"application_name": serving_name("gumei")}
    # Whoever the other logs in as.
    connection = await asyncpg.connect(database.superuser, server_settings=named)
    assert await is_served(database.app, "gumei")
    assert not await is_served(database.app, "gu")
    await connection.close()


async def test_who_serves_another_database_is_none_of_ours(database: TestDatabase, postgres_socket: object) -> None:
    named = {"application_name": serving_name("gumei")}
    connection = await asyncpg.connect(database.superuser.replace(database.name, "postgres"), server_settings=named)
    assert not await is_served(database.app, "gumei")
    await connection.close()


async def test_the_longest_name_of_a_subdistrict_fits(database: TestDatabase) -> None:
    """The server cuts off what is longer than 63 bytes."""
    name = serving_name("x" * 32)
    connection = await asyncpg.connect(database.app, server_settings={"application_name": name})
    assert await is_served(database.app, "x" * 32)
    await connection.close()

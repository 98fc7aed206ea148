"""Addresses: who logs in, as whom the program then acts, and what may be shown of them."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import TestDatabase

from linyue.postgres import Databases, engine
from linyue.postgres.databases import acting_as, embedded, external, on_socket, password_of, user_of

APP = "postgresql://web:s%40crët@db.example:5433/linyue?ssl=require"


def test_a_login_of_another_name_takes_the_role_on() -> None:
    assert acting_as(APP, "linyue_app") == f"{APP}&role=linyue_app"


def test_an_address_without_a_host_keeps_its_shape() -> None:
    assert acting_as("postgresql:///linyue", "linyue_app") == "postgresql:///linyue?role=linyue_app"


def test_a_login_that_is_the_role_is_left_as_it_is() -> None:
    address = "postgresql://linyue_app:x@db.example/linyue"
    assert acting_as(address, "linyue_app") == address


def test_without_a_projectors_address_the_apps_login_acts_as_the_projector() -> None:
    databases = external(APP, None, None)
    assert databases.projector == f"{APP}&role=linyue_projector"
    assert databases.owner is None


@pytest.mark.parametrize(
    ("address", "user", "password"),
    [
        (APP, "web", "s@crët"),
        ("postgresql:///linyue?user=web&host=/run", "web", None),
        ("postgresql:///linyue", None, None),
        ("postgresql:///linyue?user=web&password=s%40crët", "web", "s@crët"),
    ],
)
def test_who_logs_in_is_read_from_wherever_it_stands(address: str, user: str | None, password: str | None) -> None:
    assert (user_of(address), password_of(address)) == (user, password)


def test_databases_can_be_logged_without_their_passwords() -> None:
    shown = repr(external(APP, "postgresql://p:hunter2@db.example/linyue", "postgresql://o:hunter3@db.example/linyue"))
    assert "db.example" in shown
    assert "crët" not in repr(external("postgresql:///x?user=web&password=s%40crët&ssl=off", None, None))
    for secret in ("s%40crët", "s@crët", "hunter2", "hunter3"):
        assert secret not in shown


def test_the_address_of_a_socket_bears_any_folder() -> None:
    assert on_socket(Path("/a b/100%"), "linyue_app", "linyue") == "postgresql://linyue_app@/linyue?host=/a%20b/100%25"


def test_the_embedded_servers_addresses_differ_by_role_alone() -> None:
    assert embedded(Path("/s")) == Databases(
        app="postgresql://linyue_app@/linyue?host=/s",
        projector="postgresql://linyue_projector@/linyue?host=/s",
        owner="postgresql://linyue_owner@/linyue?host=/s",
    )


def test_an_engine_means_by_an_address_what_asyncpg_means(database: TestDatabase) -> None:
    async def who() -> str:
        superusers = engine(acting_as(database.superuser, "linyue_app"), pool_size=1)
        async with superusers.connect() as connection:
            found = await connection.scalar(text("SELECT session_user || ' as ' || current_user"))
        await superusers.dispose()
        return str(found)

    assert asyncio.run(who()) == "postgres as linyue_app"

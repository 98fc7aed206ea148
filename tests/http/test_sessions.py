"""Browser sessions: under an id that we made, known to the database by its hash alone."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import httpx
import pytest
from litestar import Litestar, Request, get
from litestar.stores.registry import StoreRegistry
from tests.http.conftest import NOW, Served

from linyue.identity import SESSION_PERSON
from linyue.sessions import COOKIE, SESSION_SECONDS, SessionStore, session_config

pytestmark = pytest.mark.asyncio


@get("/in/{person:str}")
async def sign_in(request: Request) -> str:  # type: ignore[type-arg]
    request.set_session({SESSION_PERSON: request.path_params["person"]})
    return "in"


@get("/out")
async def sign_out(request: Request) -> str:  # type: ignore[type-arg]
    request.clear_session()
    return "out"


@get("/who")
async def who(request: Request) -> dict[str, str | None]:  # type: ignore[type-arg]
    actor = await request.app.state["identity"].actor_of(request)
    return {"person": actor.person if actor else None}


@asynccontextmanager
async def browser(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser, on a small app with the sessions of the pages."""
    store = SessionStore()
    store.identity = served.parts[0].identity
    app = Litestar(
        [sign_in, sign_out, who],
        middleware=[session_config().middleware],
        stores=StoreRegistry({"sessions": store}),
        openapi_config=None,
    )
    app.state["identity"] = served.parts[0].identity
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://linyue.test") as client:  # type: ignore[arg-type]
        yield client


async def test_a_session_says_who_asks_until_it_is_ended(served: Served) -> None:
    person = served.people["resident"]
    async with browser(served) as client:
        assert (await client.get("/who")).json() == {"person": None}
        cookie = (await client.get(f"/in/{person}")).headers["set-cookie"]
        assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={SESSION_SECONDS}"} <= set(cookie.split("; "))
        assert "set-cookie" not in (await client.get("/who")).headers
        assert (await client.get("/who")).json() == {"person": person}
        secret = client.cookies[COOKIE]
        await client.get("/out")
        assert (await client.get("/who")).json() == {"person": None}
        # Who kept the cookie has nothing either.
        client.cookies.set(COOKIE, secret)
        assert (await client.get("/who")).json() == {"person": None}


async def test_the_database_knows_an_id_by_its_hash_alone(served: Served) -> None:
    async with browser(served) as client:
        await client.get(f"/in/{served.people['resident']}")
        secret = client.cookies[COOKIE]
    connection = await asyncpg.connect(served.database.superuser)
    try:
        rows = await connection.fetch("SELECT hash, data FROM identity.sessions")
    finally:
        await connection.close()
    assert [row["hash"] for row in rows] == [hashlib.sha256(secret.encode()).digest()]
    assert secret not in str(rows)


async def test_an_id_that_somebody_planted_is_never_taken_over(served: Served) -> None:
    async with browser(served) as client:
        client.cookies.set(COOKIE, "planted", domain="linyue.test")
        await client.get(f"/in/{served.people['resident']}")
        first = client.cookies.get(COOKIE, domain="linyue.test", path="/")
        assert first != "planted"
        await client.get(f"/in/{served.people['admin']}")
        assert client.cookies.get(COOKIE, domain="linyue.test", path="/") != first


async def test_a_session_is_over_after_its_time(served: Served) -> None:
    async with browser(served) as client:
        await client.get(f"/in/{served.people['resident']}")
        served.clock.move_to(NOW + timedelta(seconds=SESSION_SECONDS + 1))
        assert (await client.get("/who")).json() == {"person": None}


async def test_the_store_is_a_whole_store(served: Served) -> None:
    store = SessionStore()
    store.identity = served.parts[0].identity
    await store.set("a", "text", timedelta(seconds=60))
    assert (await store.get("a"), await store.exists("a"), await store.expires_in("a")) == (b"text", True, 60)
    await store.delete("a")
    assert (await store.get("a"), await store.exists("a"), await store.expires_in("a")) == (None, False, None)
    await store.set("b", b"bytes")
    await store.delete_all()
    assert not await store.exists("b")

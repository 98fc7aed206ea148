"""Below a prefix everything is found there, and nothing points past it."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from html import unescape
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from tests.http.conftest import PEOPLE, Served, slot

from linyue.demo_people import DemoPerson
from linyue.pages.page import HERE
from linyue.settings import OWN_PATHS, SettingsInvalid, from_environment
from linyue.web import create_app
from linyue.wiring import Parts

pytestmark = pytest.mark.asyncio

PREFIX = "/linyue"
PAGES_MAX = 200


@asynccontextmanager
async def below(served: Served, prefix: str = PREFIX) -> AsyncIterator[httpx.AsyncClient]:
    """One more worker, found below a prefix, where one can be everybody."""
    settings = msgspec.structs.replace(served.parts[0].settings, prefix=prefix)
    visitors = tuple(
        DemoPerson(part=part, role=role, name=name, person=served.people[part], token="")
        for part, role, name, _ in PEOPLE
    )

    @asynccontextmanager
    async def parts() -> AsyncIterator[Parts]:
        yield replace(served.parts[0], demo_people=visitors)

    app = create_app(settings, parts)
    async with (
        app.lifespan(),
        # Browsers send cookies back by their path, and so does httpx.
        httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", app)), base_url="http://linyue.test") as client,
    ):
        yield client


async def enter(client: httpx.AsyncClient, part: str) -> httpx.Response:
    page = (await client.get(PREFIX)).text
    token = re.search(r'name="_csrf_token" value="([^"]+)"', page)
    assert token
    return await client.post(f"{PREFIX}/enter", data={"as": part, "_csrf_token": token[1]})


def addresses(page: str) -> Iterable[str]:
    return map(unescape, re.findall(r'(?:href|action|src)="([^"#][^"]*)"', page))


@pytest.mark.parametrize("part", ["resident", "staff"])
async def test_no_page_points_past_the_prefix_and_all_that_is_pointed_to_is_there(served: Served, part: str) -> None:
    await served.book("resident")
    async with below(served) as client:
        assert (await enter(client, part)).headers["location"] == f"{PREFIX}/"
        seen, waiting = {PREFIX}, [PREFIX]
        while waiting and len(seen) < PAGES_MAX:
            answer = await client.get(waiting.pop())
            assert answer.status_code in (200, 303), answer.url
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            for address in addresses(answer.text):
                assert address == PREFIX or address.startswith(f"{PREFIX}/"), (address, answer.url)
                # One address of each path. A form's takes no GET, and the docs page has a test of its own.
                path = urlsplit(address).path
                if path not in seen and f'action="{address}"' not in answer.text and "/schema" not in path:
                    seen.add(path)
                    waiting.append(address)
    assert seen > {f"{PREFIX}/rooms/tribe", f"{PREFIX}/rooms/tribe/book", f"{PREFIX}/static/linyue.css"}


async def test_cookies_are_bound_to_the_prefix(served: Served) -> None:
    async with below(served) as client:
        await enter(client, "resident")
        await client.get(f"{PREFIX}/language?to=en&back=/me")
        paths = {cookie.name: cookie.path for cookie in client.cookies.jar}
    assert paths == dict.fromkeys(("linyue_csrf", "linyue_session", "linyue_language"), PREFIX)


async def test_the_language_leads_back_to_the_same_page(served: Served) -> None:
    async with below(served) as client:
        page = (await client.get(f"{PREFIX}/rooms/tribe?day=2026-11-26")).text
        other = next(address for address in addresses(page) if "/language?" in address)
        answer = await client.get(other)
    assert answer.headers["location"] == f"{PREFIX}/rooms/tribe?day=2026-11-26"


async def test_the_api_answers_below_the_prefix_and_says_where(served: Served) -> None:
    asked = {"Authorization": f"Bearer {served.tokens['resident']}"}
    async with below(served) as client:
        made = await client.post(f"{PREFIX}/api/v1/bookings", json=slot(), headers=asked)
        assert made.status_code == 201
        assert made.headers["location"] == f"{PREFIX}/api/v1/bookings/{made.json()['id']}"
        asked["X-Log-Position"] = str(made.json()["position"])
        assert (await client.get(made.headers["location"], headers=asked)).json()["id"] == made.json()["id"]
        missing = await client.get(f"{PREFIX}/api/v1/nothing")
        assert missing.headers["content-type"] == "application/problem+json"


async def test_the_description_names_the_prefix_and_its_page_loads_from_there(served: Served) -> None:
    async with below(served) as client:
        described = (await client.get(f"{PREFIX}/schema/openapi.json")).json()
        assert described["servers"] == [{"url": PREFIX}]
        page = (await client.get(f"{PREFIX}/schema")).text
        loaded = re.findall(r'(?:src|href)=["\'](/[^"\']+)', page)
        assert len(loaded) == 3
        for address in loaded:
            assert address.startswith(f"{PREFIX}/schema/assets/")
            assert (await client.get(address)).status_code == 200


async def test_a_proxy_may_have_taken_the_prefix_off(served: Served) -> None:
    """What it points to begins with it all the same."""
    async with below(served) as client:
        page = await client.get("/rooms/tribe")
        assert page.status_code == 200
        assert f'href="{PREFIX}/static/linyue.css' in page.text
        assert (await client.get("/health/live")).status_code == 200


async def test_what_only_begins_like_the_prefix_is_not_below_it(served: Served) -> None:
    async with below(served) as client:
        assert (await client.get(f"{PREFIX}-elsewhere")).status_code == 404


async def test_without_a_prefix_nothing_begins_with_one(served: Served) -> None:
    assert 'href="/static/linyue.css' in (await served.call(None, "GET", "/")).text


async def test_every_address_in_a_template_begins_with_the_root() -> None:
    """Also on the pages that the walk above does not come to."""
    bare = [
        f"{template.name}: {address}"
        for template in sorted((HERE / "templates").glob("*.html"))
        for address in re.findall(r'(?:href|action|src)="([^"]*)', template.read_text(encoding="utf-8"))
        if not address.startswith(("{{ root }}", "#"))
    ]
    assert bare == []


async def test_a_prefix_is_none_of_our_own_paths(served: Served) -> None:
    transport = served.clients[0]._transport
    assert isinstance(transport, httpx.ASGITransport)
    app: Any = transport.app
    assert set(OWN_PATHS) == {route.path.split("/")[1] for route in app.routes} - {""}
    assert from_environment({"LINYUE_PREFIX": "/apis/rooms"}).prefix == "/apis/rooms"
    for taken in ("/api", "/rooms/linyue", "linyue", "/linyue/", "/", "/Linyue"):
        with pytest.raises(SettingsInvalid, match="LINYUE_PREFIX must be a path like /linyue"):
            from_environment({"LINYUE_PREFIX": taken})

"""What stands around the routes: limits, tokens against cookies, and what an app needs to start."""

import pytest
from tests.http.conftest import Served, settings_for, slot

from linyue.sessions import COOKIE
from linyue.settings import Settings
from linyue.web import create_app

pytestmark = pytest.mark.asyncio


async def test_the_api_takes_no_cookies_so_no_other_site_can_act_in_a_browsers_name(served: Served) -> None:
    served.clients[0].cookies.set(COOKIE, "anything")
    answer = await served.post(None, "bookings", slot())
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_a_body_beyond_the_limit_is_not_read(served: Served) -> None:
    answer = await served.post("resident", "bookings", {"purpose": "x" * 70_000})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


async def test_head_is_answered_as_get_is_without_the_body(served: Served) -> None:
    for path in (
        "stations",
        "rooms?use=书画",
        "nothing",
        "me/bookings",
        "bookings",
        "/",
        "/health/live",
        "/schema/openapi.json",
    ):
        whole = await served.call("resident", "GET", path)
        head = await served.call("resident", "HEAD", path)
        assert (head.status_code, head.content) == (whole.status_code, b""), path
        for name in ("content-type", "content-length", "x-log-position", "vary", "allow"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)
    assert (await served.call("resident", "HEAD", "bookings")).status_code == 405
    assert "HEAD" in (await served.call("resident", "DELETE", "stations")).headers["allow"]


async def test_a_cache_is_told_what_an_answer_depends_on(served: Served) -> None:
    made = await served.book("resident")
    for path in ("stations", "availability", f"bookings/{made['id']}", "bookings/nothing", "audit/events"):
        answer = await served.get("resident", path, made["position"])
        assert answer.headers["vary"] == "Accept-Language, Authorization", path


async def test_a_body_that_is_no_json_is_told_what_to_send(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.tokens['resident']}", "Content-Type": "text/plain"}
    answer = await served.clients[0].post("/api/v1/bookings", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (415, "请用 application/json。")


async def test_what_is_not_there_is_told_as_a_problem(served: Served) -> None:
    for path, status in (("nothing", 404), ("/schema/nothing.json", 404), ("/health/nothing", 404)):
        answer = await served.get(None, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path


async def test_a_worker_that_nobody_told_of_a_database_does_not_start(served: Served) -> None:
    settings: Settings = settings_for(served.parts[0].settings.data)
    with pytest.raises(BaseException) as fault:  # noqa: PT011 - a group of one
        async with create_app(settings).lifespan():
            pass
    assert "LINYUE_DATABASE_URL" in repr(fault.value) + repr(getattr(fault.value, "exceptions", ""))

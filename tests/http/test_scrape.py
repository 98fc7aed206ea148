"""Who may read /metrics, and what it says of the database and the read models."""

from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from tests.http.conftest import Served, slot

from linyue.scheduler import note_tick
from linyue.wiring import TICK_FILE

pytestmark = pytest.mark.asyncio

TOKEN = "0123456789abcdef"


async def scraped(served: Served) -> dict[str, float]:
    answer = await served.call(None, "GET", "/metrics")
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(figure) for name, _, figure in (line.rpartition(" ") for line in lines)}


async def test_what_is_level_and_what_lags(served: Served) -> None:
    """A follower that stands before an event is as late as that event is old."""
    connection = await asyncpg.connect(served.database.superuser)
    try:
        head = (await scraped(served))["linyue_log_position"]
        await connection.execute(
            "UPDATE history.checkpoints SET position = position - 3, error = 'UnknownEvent: Wished version 1'"
        )
        served.clock.move_to(served.clock.now().replace(hour=served.clock.now().hour + 1))
        now = await scraped(served)
    finally:
        await connection.close()
    assert now["linyue_database_up"] == 1
    assert now['linyue_read_model_position{read_model="history"}'] == head - 3
    assert now['linyue_read_model_lag_events{read_model="history"}'] == 3
    assert now['linyue_read_model_lag_seconds{read_model="history"}'] == 3600
    assert now['linyue_read_model_stopped{read_model="history"}'] == 1
    assert now['linyue_read_model_lag_events{read_model="agenda"}'] == 0
    assert now['linyue_read_model_lag_seconds{read_model="agenda"}'] == 0
    assert now['linyue_read_model_stopped{read_model="agenda"}'] == 0


async def test_the_last_tick_has_an_age_once_there_was_one(served: Served) -> None:
    assert "linyue_tick_age_seconds" not in await scraped(served)
    note_tick(served.parts[0].settings.data / TICK_FILE)
    assert 0 <= (await scraped(served))["linyue_tick_age_seconds"] < 60


async def test_a_database_that_is_away_is_told_beside_all_that_is_known(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status(_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(served.parts[0].reader, "status", status)
    now = await scraped(served)
    assert now["linyue_database_up"] == 0
    assert "linyue_log_position" not in now
    assert "linyue_desk_queue" in now


async def test_nobody_is_named(served: Served) -> None:
    made = await served.book("resident")
    await served.post("resident2", "bookings", slot())
    said = (await served.call(None, "GET", "/metrics")).text
    for secret in (made["id"], made["code"], *served.people.values(), *served.tokens.values(), "painting"):
        assert secret not in said


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"])
async def test_what_comes_through_a_proxy_is_told_nothing(served: Served, header: str) -> None:
    answer = await served.call(None, "GET", "/metrics", headers={header: "127.0.0.1"})
    assert answer.status_code == httpx.codes.NOT_FOUND


async def test_another_machine_is_told_nothing(served: Served) -> None:
    transport = served.clients[0]._transport
    assert isinstance(transport, httpx.ASGITransport)
    transport.client = ("192.0.2.7", 40000)
    assert (await served.call(None, "GET", "/metrics")).status_code == httpx.codes.NOT_FOUND


async def test_where_a_token_is_set_whoever_has_it_may_read_and_nobody_else(served: Served) -> None:
    parts = served.parts[0]
    settings = msgspec.structs.replace(parts.settings, metrics_token=TOKEN)
    transport = served.clients[0]._transport
    assert isinstance(transport, httpx.ASGITransport)
    app: Any = transport.app
    app.state["parts"] = replace(parts, settings=settings)
    for sent, status in ((None, 401), ("Bearer wrong", 401), (f"Bearer {TOKEN}", 200)):
        headers = {"X-Forwarded-For": "192.0.2.7"} | ({"Authorization": sent} if sent else {})
        assert (await served.call(None, "GET", "/metrics", headers=headers)).status_code == status

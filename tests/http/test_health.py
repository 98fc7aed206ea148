"""Whether a worker answers, and whether what stands behind it does."""

import asyncpg
import pytest
from tests.http.conftest import Served

from linyue.scheduler import note_tick
from linyue.wiring import TICK_FILE

pytestmark = pytest.mark.asyncio


async def test_a_worker_is_live_whatever_stands_behind_it(served: Served) -> None:
    answer = await served.get(None, "/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_readiness_tells_the_read_models_the_head_and_the_last_tick(served: Served) -> None:
    answer = (await served.get(None, "/health/ready")).json()
    assert (answer["status"], answer["database"], answer["tick_age_seconds"]) == ("ready", "up", None)
    models = {model["name"]: (model["position"], model["error"]) for model in answer["read_models"]}
    assert models == dict.fromkeys(("availability", "agenda", "due", "history"), (answer["head"], None))
    note_tick(served.parts[0].settings.data / TICK_FILE)
    assert 0 <= (await served.get(None, "/health/ready")).json()["tick_age_seconds"] < 60


async def test_a_read_model_that_does_not_go_on_is_told(served: Served) -> None:
    connection = await asyncpg.connect(served.database.superuser)
    try:
        await connection.execute("UPDATE history.checkpoints SET error = 'UnknownEvent: Wished version 1'")
        answer = await served.get(None, "/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        await connection.execute("ALTER SCHEMA history RENAME TO gone")
        answer = await served.get(None, "/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    finally:
        await connection.close()


async def test_a_read_model_that_is_filled_anew_beside_is_told(served: Served) -> None:
    connection = await asyncpg.connect(served.database.superuser)
    try:
        await connection.execute("ALTER SCHEMA due RENAME TO due_next")
        answer = await served.get(None, "/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
        (told,) = [model for model in answer.json()["read_models"] if model["name"] == "due"]
        assert told == {"name": "due", "position": 0, "error": "not built", "building": answer.json()["head"]}
    finally:
        await connection.close()


async def test_a_database_that_is_away_is_told(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def status(_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(served.parts[0].reader, "status", status)
    answer = await served.get(None, "/health/ready")
    assert (answer.status_code, answer.json()["database"]) == (503, "away")

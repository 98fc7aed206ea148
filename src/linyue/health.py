"""Whether a worker answers, and whether what stands behind it does."""

from typing import Any, Literal

import msgspec
from litestar import Request, Response, get

from booking import log
from linyue.api.answers import TheParts
from linyue.api.asking import connection_of
from linyue.problems import database_is_away
from linyue.scheduler import tick_age_seconds
from linyue.wiring import TICK_FILE, Parts
from projections.questions import NAMES
from projections.reading import NOT_BUILT, Status

# A tick comes every five seconds; after a minute without one the close-outs stand still.
TICK_AGE_SECONDS_MAX = 60.0


class Live(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["live"] = "live"


class ReadModel(msgspec.Struct, frozen=True, kw_only=True):
    """How far a read model is; `error` says why it does not go on from there.

    `building`: how far the one is that is filled beside it and will take its place; null where there is none.
    """

    name: str
    position: int
    error: str | None
    building: int | None


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is `ready` where everything works, `degraded` where people are answered, though not with all there is.

    `tick_age_seconds`: how long ago the scheduler last looked; null where no tick of this machine is known.
    """

    status: Literal["ready", "degraded", "not_ready"]
    database: Literal["up", "away"]
    head: int | None
    read_models: list[ReadModel]
    tick_age_seconds: float | None


@get("/health/live", opt={"open": True}, operation_id="health_live", tags=["health"])
async def live() -> Live:
    """Whether this worker answers at all. Asks nobody."""
    return Live()


@get("/health/ready", opt={"open": True}, operation_id="health_ready", tags=["health"])
async def ready(request: Request[Any, Any, Any], parts: TheParts) -> Response[Ready]:
    """Whether the database answers, how far the read models are, what stops them, and the age of the last tick.

    503 where the database is away, or a read model is not there or in no shape to be read.
    """
    age = tick_age_seconds(parts.settings.data / TICK_FILE)
    try:
        statuses = await parts.reader.status(NAMES)
        head = await _head(parts)
    except Exception as error:
        if not database_is_away(error):
            raise
        return Response(
            Ready(status="not_ready", database="away", head=None, read_models=[], tick_age_seconds=age),
            status_code=503,
        )
    models = [ReadModel(name=s.question, position=s.position, error=s.error, building=s.building) for s in statuses]
    status = _status(statuses, age)
    told = Ready(status=status, database="up", head=head, read_models=models, tick_age_seconds=age)
    return Response(told, status_code=503 if status == "not_ready" else 200)


async def _head(parts: Parts) -> int:
    async with connection_of(parts) as connection:
        return (await log.head(connection, parts.subdistrict)).position


def _status(statuses: list[Status], age: float | None) -> Literal["ready", "degraded", "not_ready"]:
    if any(status.error == NOT_BUILT for status in statuses):
        return "not_ready"
    late = age is not None and age > TICK_AGE_SECONDS_MAX
    return "degraded" if late or any(status.error for status in statuses) else "ready"


HANDLERS = (live, ready)

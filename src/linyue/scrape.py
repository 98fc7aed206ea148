"""`GET /metrics`: what all processes of this installation counted, and how the database and the read models are now."""

import asyncio
import hmac
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import msgspec
from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from booking import log
from linyue.api.answers import TheParts
from linyue.api.asking import connection_of
from linyue.counting import FOLDER_SETTING
from linyue.identity import BadToken
from linyue.metrics import COUNTED
from linyue.problems import Problem, database_is_away
from linyue.scheduler import tick_age_seconds
from linyue.wiring import TICK_FILE, Parts
from projections.questions import NAMES

PATH = "/metrics"
# Whoever scrapes waits ten seconds by default: told sooner that the database is away, they still learn the rest.
DATABASE_SECONDS_MAX = 4.0


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """How far a read model is behind; `lag` since the first event that it has not taken in was written."""

    name: str
    position: int
    lag: timedelta
    stopped: bool


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands: `head` is the log's last position, None where the database does not say."""

    head: int | None
    models: Sequence[Model] = ()
    tick_age_seconds: float | None


class _Written(msgspec.Struct, frozen=True):
    """When an event was written, whatever else it says: also one that this program does not know."""

    at: datetime


@get(PATH, opt={"open": True}, include_in_schema=False)
async def metrics(request: Request[Any, Any, Any], parts: TheParts) -> Response[bytes]:
    """Prometheus' text format, for whoever may read it: see `_let_in`."""
    _let_in(request, parts.settings.metrics_token)
    now = await _now(parts)
    body = await asyncio.to_thread(exposed, now)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


def _let_in(request: Request[Any, Any, Any], token: str | None) -> None:
    """Where a token is set, whoever sends it; else only this machine itself, and not through a proxy."""
    if token is not None:
        sent = request.headers.get("authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            raise BadToken
    elif _is_passed_on(request) or not _is_this_machine(request):
        raise Problem("not_found")


def _is_passed_on(request: Request[Any, Any, Any]) -> bool:
    return any(name in request.headers for name in ("x-forwarded-for", "x-forwarded-proto", "forwarded"))


def _is_this_machine(request: Request[Any, Any, Any]) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _now(parts: Parts) -> Now:
    age = tick_age_seconds(parts.settings.data / TICK_FILE)
    try:
        async with asyncio.timeout(DATABASE_SECONDS_MAX):
            head, models = await _positions(parts)
    except Exception as error:
        if not isinstance(error, TimeoutError) and not database_is_away(error):
            raise
        return Now(head=None, tick_age_seconds=age)
    return Now(head=head, models=models, tick_age_seconds=age)


async def _positions(parts: Parts) -> tuple[int, list[Model]]:
    statuses = await parts.reader.status(NAMES)
    async with connection_of(parts) as connection:
        head = (await log.head(connection, parts.subdistrict)).position
        models = []
        for status in statuses:
            missed = await log.follow(connection, parts.subdistrict, status.position, limit=1)
            lag = _since(missed[0].data, parts.now()) if missed else timedelta()
            stopped = status.error is not None
            models.append(Model(name=status.question, position=status.position, lag=lag, stopped=stopped))
    return head, models


def _since(written: bytes, now: datetime) -> timedelta:
    return max(now - msgspec.json.decode(written, type=_Written).at, timedelta())


def exposed(now: Now) -> bytes:
    """All of it, as Prometheus reads it. Reads a file for each kind and process."""
    registry = CollectorRegistry()
    if FOLDER_SETTING in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        # One process by itself, as in tests: what it counted is all there is.
        registry = COUNTED
    return generate_latest(registry) + generate_latest(_Standing(now))


class _Standing(Collector):
    """What stands in the database and in DATA, which any worker can tell."""

    def __init__(self, now: Now) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        now = self._now
        yield _gauge("database_up", "Whether the database answers.", float(now.head is not None))
        if now.tick_age_seconds is not None:
            yield _gauge("tick_age_seconds", "How long ago the scheduler last looked.", now.tick_age_seconds)
        if now.head is None:
            return
        yield _gauge("log_position", "The position of the log's last event.", now.head)
        yield self._of_models("position", "How far a read model is.", [m.position for m in now.models])
        behind = [max(now.head - m.position, 0) for m in now.models]
        yield self._of_models("lag_events", "Events that a read model has not taken in.", behind)
        waited = [m.lag.total_seconds() for m in now.models]
        yield self._of_models("lag_seconds", "How long the first of them has been in the log.", waited)
        stopped = [float(m.stopped) for m in now.models]
        yield self._of_models("stopped", "Whether a read model fails on the next event, or is not built.", stopped)

    def _of_models(self, name: str, what: str, figures: Sequence[float]) -> Metric:
        family = GaugeMetricFamily(f"linyue_read_model_{name}", what, labels=["read_model"])
        for model, figure in zip(self._now.models, figures, strict=True):
            family.add_metric([model.name], figure)
        return family


def _gauge(name: str, what: str, figure: float) -> Metric:
    return GaugeMetricFamily(f"linyue_{name}", what, figure)


HANDLERS = (metrics,)

"""LIST 3: the routes, and what stands around each of them: who calls, errors, sessions, the API's description."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any, cast

from litestar import Litestar, Request, Response, Router
from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.stores.registry import StoreRegistry
from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

from linyue import health, metrics, openapi, permissions, problems, scrape
from linyue.api import agenda, audit, availability, bookings, catalogue, closures, history, moves, queries, rooms
from linyue.api.advice import Advice
from linyue.api.answers import TheParts
from linyue.api.drawings import Drawings
from linyue.clock import clock_of
from linyue.front import Prefix
from linyue.pages import site, trouble
from linyue.permissions import Caller
from linyue.postgres import external_databases
from linyue.sessions import SessionStore, session_config
from linyue.settings import Settings, from_environment, vault_keys
from linyue.wiring import Parts, wire
from projections.kept import Kept

API_HANDLERS = (
    *catalogue.HANDLERS,
    *availability.HANDLERS,
    *bookings.HANDLERS,
    *moves.HANDLERS,
    *agenda.HANDLERS,
    *history.HANDLERS,
    *closures.HANDLERS,
    *rooms.HANDLERS,
    *audit.HANDLERS,
)
# Nothing that is asked of the API is longer; a page's form neither.
BODY_BYTES_MAX = 64 * 1024

OpenParts = Callable[[], AbstractAsyncContextManager[Parts]]


class App(Litestar):
    """Answers HEAD as it would GET, without the body (RFC 9110, section 9.3.2), and below a prefix if it has one."""

    prefix: Prefix | None = None

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        if self.prefix is not None and scope["type"] == "http":  # type: ignore[comparison-overlap]
            scope = self.prefix.inwards(cast("HTTPScope", scope))
            send = self.prefix.outwards(cast("Send", send))
        # By the name, as the server does not make it the enumeration's.
        if scope["type"] == "http" and scope["method"] == "HEAD":  # type: ignore[comparison-overlap,typeddict-item]
            scope, send = cast("HTTPScope", {**scope, "method": "GET"}), _without_body(cast("Send", send))
        await super().__call__(scope, receive, send)


def create_app(settings: Settings | None = None, open_parts: OpenParts | None = None) -> Litestar:
    """The app of one HTTP worker. Without arguments, by the environment, as a worker of `linyue serve` makes it."""
    settings = settings or from_environment()
    store = SessionStore()
    app = App(
        route_handlers=[
            Router(permissions.API, route_handlers=API_HANDLERS, response_headers={"Vary": problems.VARY}),
            *health.HANDLERS,
            *scrape.HANDLERS,
            openapi.assets(),
            *site.ROUTES,
        ],
        lifespan=[_with_parts(open_parts or _by_environment(settings), store)],
        dependencies={
            "parts": Provide(_parts, sync_to_thread=False),
            "caller": Provide(_caller, sync_to_thread=False),
        },
        guards=[_guard],
        exception_handlers={HTTPException: _trouble, Exception: _trouble},
        middleware=[session_config().middleware],
        stores=StoreRegistry({"sessions": store}),
        csrf_config=_csrf(settings),
        before_send=[metrics.count_answer],
        openapi_config=openapi.config(version("linyue"), settings.prefix),
        state=State({"root": settings.prefix}),
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
    )
    app.prefix = Prefix(settings.prefix) if settings.prefix else None
    permissions.check(app)
    queries.learn(app)
    return app


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head


def _with_parts(open_parts: OpenParts, store: SessionStore) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with metrics.present("worker"), open_parts() as parts:
            kept = Kept(parts.reader)
            app.state["parts"], app.state["advice"] = parts, Advice(parts, kept)
            app.state["drawings"] = Drawings(kept, parts.now)
            store.identity = parts.identity
            yield

    return lifespan


def _by_environment(settings: Settings) -> OpenParts:
    """A worker finds its database by the address that its parent set, and the clock by DATA."""

    def open_parts() -> AbstractAsyncContextManager[Parts]:
        databases = external_databases(settings)
        if databases is None:
            raise RuntimeError("a worker finds its database by LINYUE_DATABASE_URL, which its parent sets")
        return wire(settings, databases, clock_of(settings.data))

    return open_parts


def _parts(state: State) -> Parts:
    parts: Parts = state["parts"]
    return parts


# It asks for `parts` so that one comes after the other: two at once cost Litestar a group of tasks with each request.
def _caller(request: Request[Any, Any, Any], parts: TheParts) -> Caller:
    caller: Caller = request.state["caller"]
    return caller


async def _guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Who calls, and with what. One guard for both, as Litestar copies the handler for each."""
    await permissions.guard(connection, handler)
    await queries.guard(connection, handler)


def _trouble(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Programs get problem details, people a page."""
    path = request.scope["path"]
    of_programs = path.startswith((permissions.API, "/schema", "/health", scrape.PATH))
    return problems.answer(request, error) if of_programs else trouble.answer(request, error)


def _csrf(settings: Settings) -> CSRFConfig:
    """Forms carry a token that only our pages know. The API takes no cookies, so it needs none."""
    key = vault_keys(settings)[0].encode()
    secret = base64.b64encode(hmac.digest(key, b"linyue csrf", hashlib.sha256)).decode()
    return CSRFConfig(
        secret=secret,
        cookie_name="linyue_csrf",
        header_name="x-csrftoken",
        cookie_samesite="lax",
        exclude=["^/api/", "^/schema", "^/health", "^/metrics", "^/static"],
    )

"""What may stand in the query of a call's address: what its handler reads, each once, and nothing that is ignored."""

from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from linyue.permissions import API
from linyue.problems import wrong

_READ = "query"
NAME_SHOWN_MAX = 60


def learn(app: Litestar) -> None:
    """Let each of the API's handlers know its parameters. To be called when the app is built."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format.startswith(API):
            for handler, parameters in route.route_handler_map.values():
                handler.opt[_READ] = sorted(parameter.field_alias for parameter in parameters.expected_query_params)


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise a Problem for a parameter that is not known, or stands there twice: whoever mistypes a filter learns it."""
    known: list[str] | None = handler.opt.get(_READ)
    if known is None or not connection.scope["query_string"]:
        return
    seen: set[str] = set()
    for name, _ in connection.query_params.multi_items():
        if name not in known:
            raise _unknown(name[:NAME_SHOWN_MAX], known)
        if name in seen:
            raise wrong("twice", name)
        seen.add(name)


def _unknown(name: str, known: list[str]) -> Exception:
    if not known:
        return wrong("no_parameters", name)
    return wrong("unknown_parameter", name, listed=", ".join(known))

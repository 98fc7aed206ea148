"""Who may call what: one table, which the code asks, the API's description shows and the tests go through.

A call is a method and a path below `/api/v1`. Where a role has no entry it may not call; its scope says how far it
reaches: `own`, the `stations` of who asks, or `all`. The deciders hold the scope again, under the log's lock.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from booking.messages import Asker, Channel, Role, Scope
from booking.reservations.events import Asked
from linyue.identity import Actor
from linyue.problems import bad_role, sign_in_first
from linyue.words import Language, language_of

API = "/api/v1"
Who = Literal["nobody", "resident", "volunteer", "staff", "auditor", "admin"]
WHO: tuple[Who, ...] = ("nobody", "resident", "volunteer", "staff", "auditor", "admin")

_EVERYBODY: Mapping[Who, Scope] = dict.fromkeys(WHO, "all")
_OWN: Mapping[Who, Scope] = dict.fromkeys(WHO[1:], "own")
_SEE: Mapping[Who, Scope] = {
    "resident": "own", "volunteer": "all", "staff": "stations", "auditor": "all", "admin": "all",
}  # fmt: skip
_CHANGE: Mapping[Who, Scope] = {"resident": "own", "staff": "stations", "admin": "all"}
_STAFF: Mapping[Who, Scope] = {"staff": "stations", "admin": "all"}

TABLE: Mapping[str, Mapping[Who, Scope]] = {
    "GET stations": _EVERYBODY,
    "GET rooms": _EVERYBODY,
    "GET availability": _EVERYBODY,
    "POST bookings": _CHANGE,
    "POST bookings/check": _CHANGE,
    "GET bookings/{booking}": _SEE,
    "GET bookings/{booking}/history": _SEE,
    "POST bookings/{booking}/cancel": _CHANGE,
    "POST bookings/{booking}/reschedule": _CHANGE,
    "POST bookings/{booking}/extend": _CHANGE,
    "POST bookings/{booking}/end": _CHANGE,
    "POST bookings/{booking}/check-in": {"resident": "own", "volunteer": "all", "staff": "stations", "admin": "all"},
    "POST bookings/{booking}/approve": _STAFF,
    "POST bookings/{booking}/reject": _STAFF,
    "GET me/bookings": _OWN,
    "POST rooms": _STAFF,
    "PATCH rooms/{room}": _STAFF,
    "POST rooms/replace": _STAFF,
    "POST rooms/{room}/close": _STAFF,
    "POST rooms/{room}/reopen": _STAFF,
    "GET resources": {"staff": "stations", "auditor": "all", "admin": "all"},
    "POST resources": _STAFF,
    "PATCH resources/{resource}": _STAFF,
    "GET audit/events": {"auditor": "all", "admin": "all"},
}

ACTIONS: Mapping[Asked, str] = {
    "cancel": "POST bookings/{booking}/cancel",
    "reschedule": "POST bookings/{booking}/reschedule",
    "extend": "POST bookings/{booking}/extend",
    "end": "POST bookings/{booking}/end",
    "check_in": "POST bookings/{booking}/check-in",
    "approve": "POST bookings/{booking}/approve",
    "reject": "POST bookings/{booking}/reject",
}
"""What can be done with a booking, and by which call."""


class Caller(NamedTuple):
    """Who calls, how far this call reaches for that one, and in which language they are answered."""

    actor: Actor | None
    scope: Scope
    language: Language

    def known(self) -> Actor:
        """The actor of a call that the table gives to nobody without a name."""
        assert self.actor is not None
        return self.actor

    def asker(self, channel: Channel) -> Asker:
        return self.known().asker(self.scope, channel)


class NoEntry(Exception):
    """A handler has no entry in the table of permissions: name its call there, or mark it `open`."""


def scope_of(call: str, role: Role | None) -> Scope | None:
    """How far a call reaches for a role, or for nobody in particular; None where it may not be called."""
    who: Mapping[Any, Scope] = TABLE[call]
    return who.get(role or "nobody")


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a call through to its handler, with its Caller in the connection's state; else raise a Problem."""
    call = handler.opt.get("call")
    if call is not None:
        connection.state["caller"] = await caller_of(connection, call)


async def caller_of(connection: ASGIConnection[Any, Any, Any, Any], call: str) -> Caller:
    """Who calls. Raises a Problem where the table has no entry for them."""
    actor = await connection.app.state["parts"].identity.actor_of(connection)
    scope = scope_of(call, actor.role if actor else None)
    if scope is None:
        raise bad_role(actor.role) if actor else sign_in_first()
    return Caller(actor, scope, language_of(connection.headers.get("accept-language")))


def check(app: Litestar) -> None:
    """Raise `NoEntry` where a handler could be called past the table. To be called when the app is built."""
    for path, method, handler in handlers(app):
        call = handler.opt.get("call")
        if path.startswith(API):
            expected = f"{method} {path.removeprefix(API + '/')}"
            if call != expected or expected not in TABLE:
                raise NoEntry(f"{expected} (its handler says {call})")
        elif call is None and not handler.opt.get("open"):
            raise NoEntry(f"{method} {path}")
        elif call is not None and call not in TABLE:
            raise NoEntry(call)


def handlers(app: Litestar) -> Iterator[tuple[str, str, BaseRouteHandler]]:
    """Path, method and handler of each route that is ours; the API's own description is Litestar's."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path_format.startswith("/schema"):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                yield route.path_format, method, handler


def sentence(call: str) -> str:
    """Who may call, for the API's description."""
    told = [f"{who} ({scope})" if scope != "all" else who for who, scope in TABLE[call].items()]
    return "Who may call: " + ", ".join(told) + "."


def as_markdown() -> str:
    """The whole table, for the docs."""
    rows = [
        f"| `{call}` | " + " | ".join(allowed.get(who, "–") for who in WHO) + " |" for call, allowed in TABLE.items()
    ]
    head = ["| call | " + " | ".join(WHO) + " |", "| --- |" + " --- |" * len(WHO)]
    return "\n".join([*head, *rows]) + "\n"

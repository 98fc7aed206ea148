"""What a served bench runs in its worker: linyue's own app, and beside it handlers that do next to nothing.

The same server, the same framework, the same reading of the request: what is left is what linyue itself costs.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

from litestar import Litestar, Response, get, post
from litestar.params import JSONBody

from booking.messages import Role
from linyue.api.bodies import BookingRequest, Strict
from linyue.identity import Budget
from linyue.web import create_app

# Below these no form's token is asked for, as for the API.
BOOKINGS = "/api/beside/bookings"
CONSTANT = "/api/beside/constant"
CONSTANT_FILE = "LINYUE_BENCH_CONSTANT"
"""Where the bytes stand that the constant handler answers with."""
UNBOUND = "LINYUE_BENCH_UNBOUND"
"""Set where everybody may ask as much as they like: a bench asks more in a minute than people do."""

_MADE = {
    "id": "0123456789abcdefghjk", "code": "01234567", "room": "room-000", "use": "书画",
    "start": "2026-03-02T14:00:00+08:00", "end": "2026-03-02T15:00:00+08:00", "units": 1, "state": "confirmed",
    "person": "person00000000000000", "booked_by": "person00000000000000", "position": 123456,
}  # fmt: skip


@post(BOOKINGS, opt={"open": True}, dto=Strict[BookingRequest], return_dto=None)
async def decodes(data: JSONBody[BookingRequest]) -> Response[dict[str, Any]]:
    """Reads the same body as a booking, and answers with as much."""
    return Response(_MADE, status_code=201)


@get(CONSTANT, opt={"open": True})
async def constant() -> Response[bytes]:
    """The same bytes, whatever happens."""
    return Response(_constant(), media_type="application/json")


def _constant() -> bytes:
    path = Path(os.environ[CONSTANT_FILE])
    if not _KEPT and path.exists():
        _KEPT.append(path.read_bytes())
    return _KEPT[0] if _KEPT else b""


_KEPT: list[bytes] = []


def app() -> Litestar:
    """The app of a worker, by the environment."""
    made = create_app()
    for handler in (decodes, constant):
        made.register(handler)
    if os.environ.get(UNBOUND):
        made._lifespan_managers.append(_unbound)  # noqa: SLF001 - nothing else lets one in after the app was made
    return made


@asynccontextmanager
async def _unbound(made: Litestar) -> AsyncIterator[None]:
    made.state["parts"].identity.allow(dict.fromkeys(get_args(Role), (Budget(seconds=60, commands=100_000_000),)))
    yield

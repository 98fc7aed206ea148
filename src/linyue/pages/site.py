"""All that the pages add to the web: their routes, their files, and what they answer where something goes wrong."""

from litestar import Response, Router, get
from litestar.di import Provide
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from linyue.pages import book, bookings, desk, door, moves, rooms, trouble
from linyue.pages.page import HERE, visit_of
from linyue.problems import Problem

TYPES = {"linyue.css": "text/css", "seal.svg": "image/svg+xml"}
# The address changes with the file.
FOR_GOOD = "public, max-age=31536000, immutable"


@get("/static/{name:str}", opt={"open": True}, sync_to_thread=False)
def static(name: FromPath[str]) -> Response[bytes]:
    """The stylesheet and the icon: all that a page loads."""
    if name not in TYPES:
        raise Problem("not_found")
    headers = {"Cache-Control": FOR_GOOD, "X-Content-Type-Options": "nosniff"}
    return Response((HERE / "static" / name).read_bytes(), media_type=TYPES[name], headers=headers)


PAGES = Router(
    path="/",
    route_handlers=[
        *door.HANDLERS,
        *rooms.HANDLERS,
        *book.HANDLERS,
        *bookings.HANDLERS,
        *moves.HANDLERS,
        *desk.HANDLERS,
        static,
    ],
    dependencies={"visit": Provide(visit_of)},
    exception_handlers={Exception: trouble.answer},
    include_in_schema=False,
)
ROUTES: tuple[ControllerRouterHandler, ...] = (PAGES,)

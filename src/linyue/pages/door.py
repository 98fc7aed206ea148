"""The door: who one is in the demo, the way out, and the language of the pages."""

from typing import Annotated

from litestar import get, post
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery, QueryParameter
from litestar.response import Response

from linyue.identity import SESSION_PERSON
from linyue.pages.language import COOKIE
from linyue.pages.page import PageRequest, see
from linyue.problems import Problem
from linyue.wiring import Parts

YEAR_SECONDS = 365 * 86_400

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/enter", status_code=303, opt={"open": True})
async def enter(request: PageRequest, data: Form) -> Response[None]:
    """Be somebody of the demo. Where it is no demo, nobody can be anybody."""
    parts: Parts = request.app.state["parts"]
    person = next((someone.person for someone in parts.demo_people if someone.part == data.get("as")), None)
    if person is None:
        raise Problem("not_found")
    request.set_session({SESSION_PERSON: person})
    return see("/")


@post("/leave", status_code=303, opt={"open": True})
async def leave(request: PageRequest) -> Response[None]:
    """Be nobody again."""
    request.clear_session()
    return see("/")


@get("/language", status_code=303, opt={"open": True})
async def language(to: FromQuery[str], back: Annotated[str, QueryParameter(max_length=2000)] = "/") -> Response[None]:
    """Speak Chinese or English from now on, and show the same page again."""
    answer = see(back if _is_ours(back) else "/")
    if to in ("zh", "en"):
        answer.cookies.append(Cookie(key=COOKIE, value=to, max_age=YEAR_SECONDS, samesite="lax"))
    return answer


def _is_ours(address: str) -> bool:
    """Whether an address is a path of this host and nothing else: browsers take // and a backslash for another host."""
    return address.startswith("/") and not address.startswith("//") and not set(address) & set("\\\r\n\t\x00")


HANDLERS = (enter, leave, language)

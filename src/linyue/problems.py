"""Whatever goes wrong as problem details (RFC 9457), with a sentence in the caller's language.

Problem                    a call that is answered with an error; raised anywhere below a handler
BadToken                   401
NotDone, Unknown           503 from the desk: nothing happened, or it may have
NotBuilt, NotOpened        503 from a read model that is not there yet
Malformed...               400, from Litestar's own reading of a request
whatever else              500, logged; 503 where the database is away
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from booking.desk import ClockBehind, NotDone, Unknown
from booking.messages import Role
from linyue.identity import BadToken
from linyue.words import TAGS, Language, Words, language_of
from linyue.words.codes import ROLES
from linyue.words.malformed import Malformed, malformed
from linyue.words.problems import SENTENCES, TITLES, Kind
from projections.agenda import NotACursor
from projections.availability import NotOpened
from projections.reading import NotBuilt

MEDIA_TYPE = "application/problem+json"
# Every answer depends on who asks, and every sentence in it on their language.
VARY = "Accept-Language, Authorization"
BUSY_SECONDS = 1
CLOCK_SECONDS = 60
STATUSES: Mapping[Kind, int] = {
    "malformed": 400, "unauthenticated": 401, "bad_token": 401, "role": 403, "not_found": 404, "not_allowed": 405,
    "conflict": 409, "refused": 409, "too_large": 413, "media_type": 415, "key_reused": 422, "too_many": 429,
    "internal": 500, "busy": 503, "unknown": 503,
}  # fmt: skip

Sentence = Callable[[Language], str]
log = structlog.get_logger()


class Problem(Exception):
    """A call is answered with an error. `members` stand in the answer beside type, title, status and detail."""

    def __init__(
        self,
        kind: Kind,
        sentence: Sentence | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status or STATUSES[kind]
        self.headers = dict(headers or {})
        self.members = members
        self._sentence = sentence or SENTENCES[kind].say

    def title(self, language: Language) -> str:
        return TITLES[self.kind].say(language)

    def detail(self, language: Language) -> str:
        return self._sentence(language)


def sign_in_first() -> Problem:
    return Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})


def bad_role(role: Role) -> Problem:
    return Problem("role", lambda language: SENTENCES["role"].say(language, role=ROLES[role].say(language)))


def wrong(what: str, field: str | None = None, **figures: object) -> Problem:
    """A request that cannot be read; `what` is a key of MALFORMED."""
    return _malformed(Malformed(what, field, figures))


def not_read(said: str, listed: Mapping[str, tuple[str, ...]] | None = None) -> Problem:
    """A body that msgspec could not read, by what it said."""
    return _malformed(malformed(said, dict(listed or {})))


def too_many(seconds: int) -> Problem:
    return Problem(
        "too_many",
        lambda language: SENTENCES["too_many"].say(language, seconds=seconds),
        headers={"Retry-After": str(seconds)},
    )


def busy(seconds: int = BUSY_SECONDS) -> Problem:
    """Nothing was done, and asking again may help."""
    return Problem("busy", headers={"Retry-After": str(seconds)}, outcome="not_done")


def unknown() -> Problem:
    return Problem("unknown", headers={"Retry-After": str(BUSY_SECONDS)}, outcome="unknown")


def say(words: Words) -> Sentence:
    """A sentence without figures."""
    return words.say


def as_problem(error: Exception) -> Problem:
    """What an error is to the caller. What nobody foresaw is logged here."""
    match error:
        case Problem():
            return error
        case BadToken():
            return Problem("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        case ClockBehind():
            log.error("clock_behind", error=str(error))
            return busy(CLOCK_SECONDS)
        case NotDone() | NotBuilt() | NotOpened():
            return busy()
        case Unknown():
            return unknown()
        case NotACursor():
            return wrong("not_a_cursor", "cursor")
        case HTTPException():
            return _of_litestar(error)
    if database_is_away(error):
        log.warning("database_away", error=repr(error))
        return busy()
    log.error("unforeseen", exc_info=error)
    return Problem("internal")


def database_is_away(error: BaseException) -> bool:
    """Whether this is the database's not answering. Its libraries are known here by name alone: SQL has other homes."""
    seen: BaseException | None = error
    while seen is not None:
        names = {kind.__module__.split(".")[0] + "." + kind.__name__ for kind in type(seen).__mro__}
        # A value that the database's library could not send is a fault of ours, whatever else it is called.
        if not names & _OURS and (isinstance(seen, OSError | TimeoutError) or names & _AWAY):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


_OURS = {"asyncpg.DataError", "sqlalchemy.DataError"}
_AWAY = {
    "asyncpg.PostgresConnectionError",
    "asyncpg.OperatorInterventionError",
    "asyncpg.InsufficientResourcesError",
    "asyncpg.InterfaceError",
    # What asyncpg says of a connection that the server ended in the middle of something.
    "asyncpg.InternalClientError",
    "sqlalchemy.InterfaceError",
    "sqlalchemy.TimeoutError",
}


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of the API and of everything that has no page."""
    return response(as_problem(error), language_of(request.headers.get("accept-language")))


def response(problem: Problem, language: Language) -> Response[Any]:
    """A problem as it is sent. Its type is a name of ours, not an address."""
    body = {
        "type": f"urn:linyue:problem:{problem.kind.replace('_', '-')}",
        "title": problem.title(language),
        "status": problem.status,
        "detail": problem.detail(language),
        **problem.members,
    }
    headers = {"Content-Language": TAGS[language], "Vary": VARY, **problem.headers}
    return Response(msgspec.json.encode(body), status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def _malformed(found: Malformed) -> Problem:
    members: dict[str, Any] = {"field": found.field} if found.field else {}
    return Problem("malformed", found.sentence, **members)


# What Litestar says, with a 500, of a request whose body nobody will send any more. It has no type of its own for it.
CALLER_LEFT = "client disconnected prematurely"


def _of_litestar(error: HTTPException) -> Problem:
    if isinstance(error, ValidationException):
        return _of_parameter(error)
    kinds: dict[int, Kind] = {
        400: "malformed", 401: "unauthenticated", 404: "not_found", 405: "not_allowed", 413: "too_large",
        415: "media_type",
    }  # fmt: skip
    if error.status_code >= 500:
        if error.detail == CALLER_LEFT:
            log.info("caller_left")
        else:
            log.error("unforeseen", exc_info=error)
        return Problem("internal")
    kind = kinds.get(error.status_code, "other")
    return Problem(kind, status=error.status_code, headers=_allowed(error.headers or {}))


def _allowed(headers: Mapping[str, str]) -> dict[str, str]:
    """Which methods an address takes; HEAD wherever it takes GET."""
    allowed = next((value for name, value in headers.items() if name.lower() == "allow"), None)
    if allowed is None:
        return {}
    return {"Allow": f"{allowed}, HEAD" if "GET" in allowed and "HEAD" not in allowed else allowed}


def _of_parameter(error: ValidationException) -> Problem:
    """Which query parameter or header does not fit, and why."""
    extra = error.extra if isinstance(error.extra, list) else []
    for item in extra:
        if isinstance(item, dict) and item.get("key"):
            # Litestar calls the body `data`, and complains of it as of a parameter where none was sent.
            if item["key"] == "data":
                return wrong("no_body")
            found = malformed(str(item.get("message", "")))
            # `from` and `type` are Python's own words, so their parameters are called `from_` and `type_` there.
            return _malformed(found._replace(field=str(item["key"])[:60].rstrip("_")))
    return Problem("malformed")

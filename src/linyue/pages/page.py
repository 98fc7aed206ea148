"""What every page stands on: who visits, in which language, and how a template becomes an answer."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.template.base import csrf_token

from booking.local_time import zone_named
from booking.messages import Channel, Reason, Role
from booking.places.events import SUBDISTRICT, Subdistrict
from linyue.api.people import names
from linyue.identity import Actor
from linyue.pages.accents import accent_of, seal_of
from linyue.pages.language import COOKIE, Calendar, chosen, other, translations
from linyue.permissions import Caller, scope_of
from linyue.problems import bad_role, sign_in_first
from linyue.wiring import Parts
from linyue.words import TAGS, Language, codes, rules
from projections import availability
from projections.reading import Snapshot

HERE = Path(__file__).parent
# The position of the log that this browser has seen: what it reads next reflects its own last command.
SEEN = "linyue_seen"
VISIT = "visit"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # A page is one person's, and the way back shall show what is so now.
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}
PageRequest = Request[Any, Any, Any]


class Place(NamedTuple):
    """Where a page stands: its path, and the address (with its query) that shows it again."""

    path: str
    address: str


class Viewer(NamedTuple):
    """Who looks, as the templates know them. `desk`: sees who comes today to a station."""

    person: str
    name: str
    role: Role
    desk: bool


class Visit:
    """One request to a page. A page takes the same two doors as the API: `desk.ask`, and the reads of a question."""

    def __init__(self, request: PageRequest, parts: Parts, actor: Actor | None, name: str, whose: Subdistrict) -> None:
        self.request = request
        self.parts = parts
        self.actor = actor
        self.language = language_for(request)
        self.now = parts.now()
        self.subdistrict = whose.name
        self.calendar = Calendar(self.language, zone_named(whose.time_zone), self.now)
        self.viewer = _viewer(actor, name) if actor else None

    @property
    def zone(self) -> ZoneInfo:
        return self.calendar.zone

    @property
    def quota_of(self) -> str | None:
        """Whose quota the grid counts: a resident's own."""
        return self.actor.quota_of if self.actor else None

    def may(self, call: str) -> bool:
        """Whether the table of permissions lets the visitor do this."""
        return scope_of(call, self.actor.role if self.actor else None) is not None

    def may_at(self, call: str, station: str) -> bool:
        """Whether the table lets the visitor do this at a station."""
        scope = scope_of(call, self.actor.role if self.actor else None)
        if scope is None or self.actor is None:
            return False
        return scope != "stations" or station in self.actor.stations

    def caller(self, call: str) -> Caller:
        """The visitor as the API's doors know who calls. Raises a Problem where the table has no entry for them."""
        scope = scope_of(call, self.actor.role if self.actor else None)
        if self.actor is None:
            raise sign_in_first()
        if scope is None:
            raise bad_role(self.actor.role)
        return Caller(self.actor, scope, self.language)

    @property
    def channel(self) -> Channel:
        """Residents come by their own phone, all others by the desk."""
        return "phone" if self.actor and self.actor.role == "resident" else "desk"

    @asynccontextmanager
    async def reading(self, question: str) -> AsyncIterator[Snapshot]:
        """A read model as far as this browser has seen."""
        async with self.parts.reader.of(question, reflecting=seen(self.request)) as snapshot:
            yield snapshot

    def say(self, text: str, **figures: object) -> str:
        """A text of the pages in the visitor's language."""
        return translations(self.language).gettext(text) % figures

    def sentences(self, reasons: Iterable[Reason]) -> list[str]:
        return [rules.message(reason, self.language, self.zone) for reason in reasons]

    def page(self, template: str, *, status: int = 200, address: str | None = None, **shown: object) -> Response[str]:
        """A template as an answer. `address` shows the same page again where the request's own does not."""
        context = {
            "viewer": self.viewer,
            "demo": bool(self.parts.demo_people),
            "subdistrict": self.subdistrict,
            **_calendar(self.calendar),
            **shown,
        }
        return page(self.request, self.language, template, context, status=status, address=address)


# Ours, and no need to look at its type with each request.
TheVisit = NamedDependency[SkipValidation[Visit]]


def page(
    request: PageRequest,
    language: Language,
    template: str,
    context: Mapping[str, object],
    *,
    status: int,
    address: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """A template as an answer, with all that every page has."""
    url = request.url
    here = Place(url.path, address or (f"{url.path}?{url.query}" if url.query else url.path))
    shown = {"here": here, "root": request.app.state["root"], "csrf_input": csrf_input(request), **context}
    text = environment(language).get_template(template).render(shown)
    sent = {**HEADERS, "Content-Language": TAGS[language], **(headers or {})}
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=sent)


def _viewer(actor: Actor, name: str) -> Viewer:
    scope = scope_of("GET bookings/{booking}", actor.role)
    return Viewer(actor.person, name, actor.role, desk=scope in ("stations", "all"))


def language_for(request: PageRequest) -> Language:
    """The language of whoever asks."""
    return chosen(request.cookies.get(COOKIE), request.headers.get("accept-language"))


def see(address: str, position: int | None = None) -> Response[None]:
    """Go there next, by GET; with `position`, the browser has seen the log so far."""
    cookies = [Cookie(key=SEEN, value=str(position), httponly=True, samesite="lax")] if position is not None else []
    return Response(None, status_code=303, headers={"Location": address, "Cache-Control": "no-store"}, cookies=cookies)


def seen(request: PageRequest) -> int | None:
    """The position that this browser has seen."""
    value = request.cookies.get(SEEN, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else None


def room_address(room: str, **query: object) -> str:
    return address(f"/rooms/{room}", **query)


def address(path: str, **query: object) -> str:
    """A path with what is not None of a query."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def csrf_input(request: PageRequest) -> str:
    """The hidden field without which no form of ours is taken."""
    return f'<input type="hidden" name="_csrf_token" value="{csrf_token({"request": request})}">'


@cache
def environment(language: Language) -> Environment:
    """The templates in a language. What a template names and nobody gave is an error, not a gap on the page."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        language=language,
        html_lang=TAGS[language],
        other_language=other(language),
        other_html_lang=TAGS[other(language)],
        static=static_address,
        # The Chinese dot has its own space around it.
        dot="·" if language == "zh" else " · ",
        accent_of=accent_of,
        seal_of=seal_of,
        room_address=room_address,
        address=address,
        # Of the catalogue's own words, which may hold a percent sign: never formatted.
        translated=translations(language).gettext,
        role_word=lambda code: codes.ROLES[code].say(language),
        state_word=lambda code: codes.STATES[code].say(language),
    )
    return made


@cache
def static_address(name: str) -> str:
    """A file of ours under a name that changes with what is in it, so that browsers may keep it for good."""
    return f"/static/{name}?v={hashlib.sha256((HERE / 'static' / name).read_bytes()).hexdigest()[:12]}"


async def visit_of(request: PageRequest) -> Visit:
    """Who visits. Raises what the read models do where they are not there yet."""
    parts: Parts = request.app.state["parts"]
    actor = await parts.identity.actor_of(request)
    name = (await names(parts, [actor.person])).get(actor.person, "") if actor else ""
    visit = Visit(request, parts, actor, name, await _subdistrict(request, parts))
    # Should the page fail, what is said then is said to the same person.
    request.state[VISIT] = visit
    return visit


async def _subdistrict(request: PageRequest, parts: Parts) -> Subdistrict:
    """Whose pages these are; a worker asks once, as the zone never changes and the name hardly. Raises `NotOpened`."""
    known: Subdistrict | None = request.app.state.get(SUBDISTRICT)
    if known is None:
        async with parts.reader.of(availability.NAME) as snapshot:
            await availability.zone(snapshot)
            known = request.app.state[SUBDISTRICT] = await availability.subdistrict(snapshot)
    return known


def _calendar(calendar: Calendar) -> dict[str, Callable[..., Any]]:
    return {
        "day": calendar.day,
        "clock": calendar.clock,
        "span": calendar.span,
        "moment": calendar.moment,
        "minutes": calendar.minutes,
        "iso": calendar.iso,
        "date_of": calendar.date_of,
    }

"""The API's description (OpenAPI 3.1) and its page, which loads nothing from another host."""

import re
from pathlib import Path
from typing import Any

import litestar_offline_docs
import msgspec
from litestar import Request, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server, Tag
from litestar.static_files import create_static_files_router

from linyue.examples import EXAMPLES
from linyue.permissions import API, TABLE, sentence
from linyue.problems import VARY

ASSETS = "/schema/assets"

DESCRIPTION = """
Books the rooms of neighbourhood service stations, and shows who decided what, and why.

Send `Authorization: Bearer TOKEN`; without it the catalogue and availability can be read. Instants are RFC 3339 with
an offset; days are the subdistrict's own. Every write takes `Idempotency-Key` (up to 200 bytes): the same key with the
same body gives the first answer again. Every answer says which log position it reflects (`position`,
`X-Log-Position`); a read that sends `X-Log-Position: N` waits up to 2 s until its answer reflects N. Errors are problem
details, with a sentence in the language of `Accept-Language` (zh-Hans, or English where it is asked for).
""".strip()

_POSITION = {
    "name": "X-Log-Position",
    "in": "header",
    "required": False,
    "description": "Wait up to 2 s until the answer reflects this log position.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body gives the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
}
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "zh-Hans unless English is asked for.",
    "schema": {"type": "string"},
    "example": "en",
}
_HELD = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an answer that one holds: 304 where the same would be sent again.",
    "schema": {"type": "string"},
}
# Whose answers have a tag.
_TAGGED = {"GET availability"}
_REASON = {
    "type": "object",
    "required": ["rule", "message", "limit", "actual", "rules_version"],
    "properties": {
        "rule": {"type": "string"},
        "message": {"type": "string"},
        "limit": {"type": ["integer", "string", "null"]},
        "actual": {"type": ["integer", "string", "null"]},
        "rules_version": {"type": "integer"},
        "possible_from": {"type": "string", "format": "date-time"},
        "bookings": {"type": "array", "items": {"type": "string"}},
    },
}
_ALTERNATIVE = {
    "type": "object",
    "required": ["room", "use", "start", "end", "free"],
    "properties": {
        "room": {"type": "string"},
        "use": {"type": "string"},
        "start": {"type": "string", "format": "date-time"},
        "end": {"type": "string", "format": "date-time"},
        "free": {"type": "integer", "minimum": 1},
    },
}
_ORDER = (
    "Free instead, at `position` (409): the room at other times that day, other rooms at the same time, then what is "
    "near both; each nearest first. Where the same is asked again under its Idempotency-Key they are of now, and all "
    "else is the first answer's."
)
_ASKED = {
    "type": "object",
    "required": ["room", "use", "start", "end", "units", "attendees"],
    "properties": {
        "room": {"type": "string"},
        "use": {"type": ["string", "null"]},
        "start": {"type": "string", "format": "date-time"},
        "end": {"type": "string", "format": "date-time"},
        "units": {"type": "integer", "minimum": 1},
        "attendees": {"type": ["integer", "null"]},
    },
}
_PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "Which field of the request does not fit (400)."},
        "outcome": {"enum": ["unknown", "not_done"], "description": "Whether it may have been done (503)."},
        "position": {"type": "integer"},
        "reasons": {"type": "array", "items": _REASON, "description": "Every rule that said no (409)."},
        "asked": {**_ASKED, "description": "The slot that was asked for, as it was understood (409)."},
        "alternatives": {"type": "array", "items": _ALTERNATIVE, "description": _ORDER},
    },
}
# A question, though it takes a body: it writes nothing, so there is nothing to ask for twice, or to refuse.
_ONLY_ASKS = {"POST bookings/check"}
_ERRORS = {
    400: "Malformed.",
    401: "No token, or one that opens nothing.",
    403: "Not for this role.",
    404: "No such thing, or not yours to see.",
    409: "A rule said no: every reason, with figures.",
    413: "Too large.",
    415: "A body that is not JSON.",
    422: "The Idempotency-Key was used for another request.",
    429: "Too many; Retry-After says when.",
    503: "Not now; Retry-After says when to ask again.",
}


class Described(JsonRenderPlugin):
    """The description with what only we know: who may call, errors, headers, examples."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._bytes: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._bytes is None:
            self._bytes = msgspec.json.encode(completed(msgspec.json.decode(self.render_json(request, openapi_schema))))
        return self._bytes


class DocsPage(SwaggerRenderPlugin):
    """A page that reads the description and lets one try it."""

    def __init__(self, root: str) -> None:
        super().__init__(
            path="/docs",
            js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            css_url=f"{root}{ASSETS}/swagger-ui.css",
            standalone_preset_js_url=f"{root}{ASSETS}/swagger-ui-standalone-preset.js",
            favicon="<link rel='icon' href='data:,'>",
        )

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, completed(msgspec.json.decode(self.render_json(request, openapi_schema))))


def config(version: str, root: str = "") -> OpenAPIConfig:
    """What Litestar makes the description from; `root` is the prefix that the API is found below."""
    return OpenAPIConfig(
        title="Linyue 邻约",
        version=version,
        description=DESCRIPTION,
        path="/schema",
        servers=[Server(url=root or "/")],
        render_plugins=[DocsPage(root), Described()],
        tags=[Tag(name=name) for name in ("catalogue", "availability", "bookings", "rooms", "audit", "health")],
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
    )


def assets() -> Router:
    """The files of the docs page."""
    folder = Path(str(litestar_offline_docs.__file__)).parent / "static"
    return create_static_files_router(path=ASSETS, directories=[folder], opt={"open": True}, name="schema-assets")


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The description, completed."""
    schemas = document["components"].setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            call = f"{method.upper()} {path.removeprefix(API + '/')}"
            if call in TABLE:
                _complete(call, operation)
            _leave_out_litestars_errors(operation)
    _complete_bodies(document, schemas)
    ready = document["paths"]["/health/ready"]["get"]["responses"]
    ready["503"] = {**ready["200"], "description": "The database is away, or a read model is not there."}
    return _with_plain_names(document)


def _with_plain_names(document: dict[str, Any]) -> dict[str, Any]:
    """A list's schema is named for what it lists, not for the module where that stands."""
    text = re.sub(r"Items_(?:\w+\.)+(\w+)_", r"\1List", msgspec.json.encode(document).decode())
    plain: dict[str, Any] = msgspec.json.decode(text)
    return plain


def _complete(call: str, operation: dict[str, Any]) -> None:
    reads, allowed = call.startswith("GET"), TABLE[call]
    writes = not reads and call not in _ONLY_ASKS
    operation["description"] = f"{operation.get('description', '')}\n\n{sentence(call)}".strip()
    operation["security"] = [{}, {"token": []}] if "nobody" in allowed else [{"token": []}]
    headers = [_POSITION] if reads else [_KEY] if writes else []
    tag = {}
    if call in _TAGGED:
        headers, tag = [*headers, _HELD], {"ETag": {"schema": {"type": "string"}}}
    operation["parameters"] = [*operation.get("parameters", []), *headers, _LANGUAGE]
    statuses = [400, 401, 403, 404, 503, *([] if reads else [413, 415, 429]), *([409, 422] if writes else [])]
    for status in statuses:
        operation["responses"][str(status)] = {
            "description": _ERRORS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    for status, response in operation["responses"].items():
        if status.startswith(("2", "304")):
            response["headers"] = {
                **tag,
                "X-Log-Position": {"schema": {"type": "integer"}},
                "Vary": {"schema": {"const": VARY}},
            }
    _exemplify(call, operation)


def _exemplify(call: str, operation: dict[str, Any]) -> None:
    example = EXAMPLES[call]
    for parameter in operation["parameters"]:
        if parameter["name"] in example.parameters:
            parameter["example"] = example.parameters[parameter["name"]]
    if example.body is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example.body
    response = next(r for status, r in operation["responses"].items() if status.startswith("2"))
    response["content"]["application/json"]["example"] = example.answer
    if example.refusal is not None:
        operation["responses"]["409"]["content"]["application/problem+json"]["example"] = example.refusal


def _leave_out_litestars_errors(operation: dict[str, Any]) -> None:
    """Litestar describes its own errors; ours look otherwise."""
    response = operation["responses"].get("400", {})
    if "application/json" in response.get("content", {}):
        del operation["responses"]["400"]


def _complete_bodies(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body's struct refuses fields that it does not know; where it needs none, none need be sent."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                if name in schemas:
                    schemas[name]["additionalProperties"] = False
                    operation["requestBody"]["required"] = bool(schemas[name].get("required"))

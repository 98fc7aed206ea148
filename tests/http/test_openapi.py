"""The API's description is true: examples fit, and what it allows is answered as it says. Its page loads nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast, get_args

import httpx
import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.core.result import Ok
from tests.conftest import TestDatabase
from tests.http.conftest import at, slot
from tests.http.running import Running

from booking.places.decide import CLOSE_REASONS
from linyue.api.bodies import CloseReason, GivenReason
from linyue.examples import EXAMPLES
from linyue.permissions import API, TABLE, Who, sentence
from linyue.words.codes import CANCEL_REASONS, REJECT_REASONS

Case: TypeAlias = "schemathesis.Case[Any]"
Operation: TypeAlias = "schemathesis.APIOperation[Any, Any, Any, Any]"

# Of each operation, for each who may call: some 20 s in all.
EXAMPLES_MAX = 8
CALLERS: dict[Who, str | None] = {"nobody": None, "resident": "resident", "staff": "staff", "auditor": "auditor"}
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def sent(running: Running, case: Case, who: str | None) -> httpx.Response:
    """A generated request, with a caller's token."""
    made = requests.Request(**case.as_transport_kwargs(base_url="http://linyue.test")).prepare()
    headers = {name: str(value) for name, value in made.headers.items() if name.lower() != "authorization"}
    if who:
        headers["Authorization"] = f"Bearer {running.served.tokens[who]}"
    body = made.body.encode() if isinstance(made.body, str) else cast("bytes | None", made.body)
    client = running.served.clients[0]
    return running.run(client.request(made.method or "", made.url or "", headers=headers, content=body))


@pytest.fixture
def running(database: TestDatabase, tmp_path: Path) -> Iterator[Running]:
    running = Running(database, tmp_path)
    yield running
    running.stop()


def description(running: Running) -> dict[str, Any]:
    found: dict[str, Any] = running.run(running.served.get(None, "/schema/openapi.json")).json()
    return found


@pytest.mark.timeout(300)
def test_whatever_the_description_allows_is_answered_as_it_says(running: Running) -> None:
    """No fault of ours, no status, type or body that is not described; for nobody, a resident, staff and an auditor."""
    document = description(running)
    made = [running.run(running.served.book("resident", slot("painting", hour))) for hour in (10, 12)]
    # Half of the ids are those of bookings and rooms that are there.
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _point_at(operation, path, [m["id"] for m in made])
    schemas = document["components"]["schemas"]
    places = ("RoomOpening", "RoomInPlace", "RoomChanging", "RoomsReplacing", "ResourceOpening", "TakeGiven")
    for name in ("BookingRequest", "BookingReschedule", "BookingExtend", *places):
        fields = schemas[name]["properties"]
        for field, known in (
            ("room", ["painting", "tribe", "hall", "nowhere"]),
            ("start", [at(hour) for hour in (10, 12, 20)]),
            ("end", [at(hour) for hour in (11, 13, 21)]),
            ("person", [None, "nobody", running.served.people["resident"]]),
            ("station", ["wanyuan", "gulong", "nowhere"]),
            ("space", ["create", "poem", "nowhere"]),
            ("resource", ["floor", "tables", "ink", "nowhere"]),
        ):
            if field in fields:
                fields[field] = {"enum": known}
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        call = operation.label.replace(f"{API}/", "")
        for who, caller in CALLERS.items():
            _try(running, operation, caller, EXAMPLES_MAX if who in TABLE.get(call, CALLERS) else 1)


def _point_at(operation: dict[str, Any], path: str, bookings: list[str]) -> None:
    known = {"booking": [*bookings, "0123456789abcdefghjk"], "room": ["painting", "ink", "nowhere"]}
    known["resource"] = ["floor", "ink", "nowhere"]
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["schema"] = {"enum": known[parameter["name"]]}
        if parameter["name"] == "X-Log-Position":
            # A position that is not there yet makes a read wait: that is tested elsewhere.
            parameter["schema"]["maximum"] = 10


def _try(running: Running, operation: Operation, who: str | None, examples: int) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def answered(case: Case) -> None:
        case.validate_response(sent(running, case, who), checks=CHECKS)

    answered()


@pytest.mark.timeout(300)
def test_examples_fit_their_schemas(running: Running) -> None:
    document = description(running)
    assert document["openapi"].startswith("3.1")
    for call in TABLE:
        operation = operation_of(document, call)
        contents = [response.get("content", {}) for response in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        shown = [media for content in contents for media in content.values() if "example" in media]
        assert shown, call
        for media in shown:
            schema = {**media["schema"], "components": document["components"]}
            jsonschema.validate(media["example"], schema, format_checker=jsonschema.FormatChecker())
    assert EXAMPLES.keys() == TABLE.keys()


@pytest.mark.timeout(300)
def test_the_description_says_who_may_call_and_which_reasons_there_are(running: Running) -> None:
    document = description(running)
    for call in TABLE:
        operation = operation_of(document, call)
        assert sentence(call) in operation["description"]
        assert ({} in operation["security"]) == ("nobody" in TABLE[call])
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert ("X-Log-Position" in names) == call.startswith("GET")
        # A check writes nothing, so there is nothing that could be done twice.
        assert ("Idempotency-Key" in names) == (not call.startswith("GET") and call != "POST bookings/check")
    optional = {call for call in TABLE if operation_of(document, call).get("requestBody", {}).get("required") is False}
    assert optional == {
        *(f"POST bookings/{{booking}}/{action}" for action in ("cancel", "check-in", "approve", "end")),
        "PATCH rooms/{room}",
        "PATCH resources/{resource}",
    }
    schemas = document["components"]["schemas"]
    assert set(schemas["BookingCancel"]["properties"]["reason"]["enum"]) == {*get_args(GivenReason), None}
    assert schemas["BookingReject"]["properties"]["reason"]["enum"] == list(REJECT_REASONS)
    assert schemas["RoomClosing"]["properties"]["reason"]["enum"] == list(get_args(CloseReason))
    assert {"StationViewList", "RoomOutList", "OwnBookingList"} <= schemas.keys()
    assert not any("linyue" in name for name in schemas)


def test_the_reasons_of_the_api_are_those_of_the_deciders() -> None:
    assert get_args(CloseReason) == CLOSE_REASONS
    assert set(get_args(GivenReason)) < CANCEL_REASONS.keys()


@pytest.mark.timeout(300)
def test_the_docs_page_loads_nothing_from_another_host(running: Running) -> None:
    page = running.run(running.served.get(None, "/schema/docs"))
    assert page.status_code == 200
    assert "/api/v1/bookings" in page.text
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    files = [address for address in loaded if not address.startswith("data:")]
    assert files
    for address in files:
        assert address.startswith("/schema/assets/"), address
        assert running.run(running.served.get(None, address)).status_code == 200


def operation_of(document: dict[str, Any], call: str) -> dict[str, Any]:
    method, path = call.split(" ", 1)
    found: dict[str, Any] = document["paths"][f"{API}/{path}"][method.lower()]
    return found

"""What goes wrong is told as problem details, in the caller's language, and says what is true."""

import asyncpg
import pytest
from litestar.exceptions import InternalServerException
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs
from tests.http.conftest import Served, slot

from booking.desk import ClockBehind, NotDone, QueueFull, Unknown
from linyue.problems import as_problem, database_is_away
from linyue.words import Words, language_of
from linyue.words.malformed import MALFORMED, malformed
from linyue.words.problems import SENTENCES, TITLES
from projections.availability import NotOpened
from projections.reading import NotBuilt


@pytest.mark.asyncio
async def test_every_error_is_problem_details_in_the_language_asked_for(served: Served) -> None:
    for who, method, path, status in (
        (None, "GET", "me/bookings", 401),
        ("resident", "GET", "audit/events", 403),
        ("resident", "GET", "bookings/nothing", 404),
        ("resident", "GET", "nothing", 404),
        ("resident", "DELETE", "bookings", 405),
        ("resident", "POST", "bookings", 400),
    ):
        for language, tag in (
            ("en-GB,en;q=0.9,zh;q=0.5", "en"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
            ("fr", "zh-Hans"),
        ):
            answer = await served.call(who, method, path, headers={"Accept-Language": language})
            body = answer.json()
            assert (answer.status_code, body["status"]) == (status, status), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["content-language"] == tag
            assert body["type"].startswith("urn:linyue:problem:")
            assert body["detail"].isascii() == (tag == "en"), body["detail"]
            assert body["title"]


@pytest.mark.asyncio
async def test_what_is_true_of_a_command_is_told_when_the_desk_cannot_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fault, outcome, seconds in (
        (NotDone("closing"), "not_done", "1"),
        (QueueFull("full"), "not_done", "1"),
        (ClockBehind("an hour"), "not_done", "60"),
        (Unknown("no answer"), "unknown", "1"),
    ):

        async def ask(_: object, fault: Exception = fault) -> None:
            raise fault

        monkeypatch.setattr(served.parts[0].desk, "ask", ask)
        answer = await served.post("resident", "bookings", slot())
        assert (answer.status_code, answer.json()["outcome"]) == (503, outcome)
        assert answer.headers["Retry-After"] == seconds


@pytest.mark.asyncio
async def test_a_fault_of_ours_is_told_without_its_cause(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(served.parts[0].desk, "ask", ask)
    answer = await served.post("resident", "bookings", slot())
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Zero" not in answer.text


def test_who_leaves_in_the_middle_of_a_request_raises_no_alarm() -> None:
    with capture_logs() as logged:
        as_problem(InternalServerException("client disconnected prematurely"))
        as_problem(InternalServerException("something else"))
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("caller_left", "info"),
        ("unforeseen", "error"),
    ]


def test_a_database_that_is_away_is_no_fault_of_ours() -> None:
    for away in (
        ConnectionRefusedError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.AdminShutdownError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.InterfaceError("connection is closed"),
        DBAPIError("SELECT 1", {}, asyncpg.AdminShutdownError()),
    ):
        error = away
        if isinstance(away, DBAPIError):
            error.__cause__ = away.orig
        assert database_is_away(error), away
        assert as_problem(error).status == 503
    for ours in (
        KeyError("x"),
        asyncpg.UndefinedTableError(),
        asyncpg.UniqueViolationError(),
        asyncpg.DataError("NUL"),
    ):
        assert not database_is_away(ours)


def test_a_read_model_that_is_not_there_yet_is_worth_another_try() -> None:
    for error in (NotBuilt("availability"), NotOpened()):
        assert (as_problem(error).status, as_problem(error).headers["Retry-After"]) == (503, "1")


def test_english_is_for_those_who_ask_for_it_before_chinese() -> None:
    for accept in ("en", "en-US", "en;q=0.5", "fr, en;q=0.3", "zh;q=0.2,en;q=0.3"):
        assert language_of(accept) == "en", accept
    for other in (None, "", "*", "zh-CN,en", "zh,en;q=0.9", "fr", "en;q=0", ";;;", "en;q=x"):
        assert language_of(other) == "zh", other


def test_every_kind_of_problem_has_its_title_and_its_sentence() -> None:
    assert TITLES.keys() == SENTENCES.keys()
    for words in (*TITLES.values(), *SENTENCES.values(), *MALFORMED.values()):
        assert isinstance(words, Words)
        assert words.en.isascii()
        assert not words.zh.isascii()


def test_what_cannot_be_read_is_told_by_field() -> None:
    assert malformed("Expected `str`, got `int` - at `$.room`")[:2] == ("not_text", "room")
    assert malformed("Object missing required field `end`")[:2] == ("missing", "end")
    assert malformed("Something new - at `$.a.b`")[:2] == ("other", "a.b")
    assert malformed("Something new")[:2] == ("other", None)

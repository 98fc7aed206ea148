"""One way from a caller's wish to the desk, for the API and the pages: the budget, then the command."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
from litestar import Request

from booking import answers
from booking.desk import Desk, DeskFault, fingerprint, new_command_id, sealed_text_key
from booking.messages import Answer, Ask, Channel, Command, Denied, Outcome, Reason, RefusedBody, SealedText
from linyue.api.bodies import POSITION_MAX, key_of, known_form
from linyue.permissions import Caller
from linyue.problems import Problem, Sentence, too_many, wrong
from linyue.wiring import Parts
from linyue.words import Language
from linyue.words.denials import DENIALS
from linyue.words.malformed import Malformed
from linyue.words.rules import message

POSITION = "X-Log-Position"

log = structlog.get_logger()


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A command with all that belongs to its asking; `texts` are for the vault, by their kind."""

    command: Command
    channel: Channel = "api"
    key: str | None = None
    fingerprint: bytes = b""
    texts: Mapping[str, str | None] = {}
    dry_run: bool = False


async def ask(parts: Parts, caller: Caller, wish: Wish) -> Answer:
    """The desk's answer: DONE, or REFUSED by the rules.

    Raises a Problem where the budget is used up, where the request is denied, or where its key was used for another;
    and what the desk raises where it could not answer.
    """
    seconds = await parts.identity.spend(caller.known())
    if seconds is not None and not await _was_answered(parts, caller, wish):
        raise too_many(seconds)
    texts = {kind: SealedText(text=text, key=sealed_text_key()) for kind, text in wish.texts.items() if text}
    asked = Ask(
        id=new_command_id(),
        command=wish.command,
        asker=caller.asker(wish.channel),
        key=wish.key,
        fingerprint=wish.fingerprint,
        texts=texts,
        dry_run=wish.dry_run,
    )
    answer = await _told_by(parts.desk, asked)
    if answer.outcome is Outcome.KEY_REUSED:
        raise Problem("key_reused")
    if answer.outcome is Outcome.DENIED:
        raise denied(msgspec.json.decode(answer.body, type=Denied))
    return answer


async def _was_answered(parts: Parts, caller: Caller, wish: Wish) -> bool:
    """Whether this key has its answer: who asks for that once more is told it, also when the budget is used up."""
    if wish.key is None:
        return False
    async with parts.pool.acquire() as connection:
        return bool(await answers.known(connection, parts.subdistrict, [(caller.known().person, wish.key)]))


async def _told_by(desk: Desk, asked: Ask) -> Answer:
    """The desk's answer. A fault that it does not know says nothing of whether it was done, so neither do we."""
    try:
        return await desk.ask(asked)
    except DeskFault:
        raise
    except Exception as error:
        log.exception("desk_fault", command=type(asked.command).__name__)
        raise Problem("internal") from error


def denied(answer: Denied) -> Problem:
    """What never reached the log, as an error. Another's booking is as good as none: its id tells nothing."""
    said = _said_of(answer)
    if answer.code == "not_found" or (answer.code, answer.what) == ("forbidden", "booking"):
        return Problem("not_found", said)
    if answer.code == "forbidden":
        return Problem("role", said)
    return Problem("malformed", said, field=answer.what)


def _said_of(answer: Denied) -> Sentence:
    words = DENIALS.get((answer.code, answer.what))
    # A field out of its bounds, which the request's own reading let pass.
    return words.say if words else Malformed("other", answer.what).sentence


class ReasonOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that said no: its code, a sentence, its limit and the actual figure, and the version of the house rules.

    `possible_from`: since when it would say yes, where that is known. `bookings` stand in the way of a change.
    """

    rule: str
    message: str
    limit: int | str | None
    actual: int | str | None
    rules_version: int
    possible_from: datetime | None = None
    bookings: tuple[str, ...] = ()


def reason_out(reason: Reason, version: int, language: Language, zone: ZoneInfo) -> ReasonOut:
    """A reason as it is answered."""
    return ReasonOut(
        rule=reason.rule,
        message=message(reason, language, zone),
        limit=reason.limit,
        actual=reason.actual,
        rules_version=version,
        possible_from=reason.possible_from.astimezone(zone) if reason.possible_from else None,
        bookings=reason.bookings,
    )


def reasons_of(answer: Answer) -> tuple[Reason, ...]:
    """Every rule that said no, of an answer that is REFUSED."""
    return msgspec.json.decode(answer.body, type=RefusedBody).reasons


def reasons_out(answer: Answer, language: Language, zone: ZoneInfo) -> list[ReasonOut]:
    """Every rule that said no, as they are answered."""
    body = msgspec.json.decode(answer.body, type=RefusedBody)
    return [reason_out(reason, body.rules_version, language, zone) for reason in body.reasons]


def refusal(answer: Answer, language: Language, zone: ZoneInfo, **beside: object) -> Problem:
    """A refusal as an error, with every rule broken; `beside` it stands what was asked for and what is free instead."""
    reasons = reasons_out(answer, language, zone)

    def sentence(_: Language) -> str:
        return ("" if language == "zh" else " ").join(reason.message for reason in reasons)

    members: dict[str, Any] = {"reasons": reasons, "alternatives": [], "position": answer.position} | beside
    return Problem("refused", sentence, headers={POSITION: str(members["position"])}, **members)


def key_and_print(request: Request[Any, Any, Any], body: object) -> tuple[str | None, bytes]:
    """The request's Idempotency-Key, and what tells two requests under one key apart: method, path and body."""
    key = key_of(request.headers.get("idempotency-key"))
    return key, fingerprint([request.method, request.scope["path"], body]) if key is not None else b""


def position_asked(request: Request[Any, Any, Any]) -> int | None:
    """The position that the answer is to reflect, if the caller names one. Raises a Problem."""
    header = request.headers.get(POSITION)
    if header is None:
        return None
    if not (header.isascii() and header.isdigit() and len(header) < 20 and int(header) <= POSITION_MAX):
        raise wrong("not_whole", POSITION)
    return int(header)


_PLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def place_id(place: str, kind: str) -> str:
    """The id of a room or a resource in a path; what no place can be called is not there. Raises a Problem."""
    if not _PLACE.fullmatch(known_form(place, kind)):
        raise denied(Denied(code="not_found", what=kind))
    return place


@asynccontextmanager
async def connection_of(parts: Parts) -> AsyncIterator[Any]:
    """A connection to read the log and the vault with, from the worker's pool."""
    async with parts.pool.acquire() as connection:
        yield connection

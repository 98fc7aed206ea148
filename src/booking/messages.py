"""What every subject speaks: events, the commands that lead to them, who asks, and what is answered.

Times are aware and in UTC. Nothing here does I/O or reads a clock.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec

Role = Literal["resident", "volunteer", "staff", "auditor", "admin", "system"]
Channel = Literal["phone", "family", "desk", "telephone", "api", "scheduler", "import"]
Scope = Literal["own", "stations", "all"]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
"""What something is known by: a tag with it in it fits into an index of the database."""
Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
"""What a station, a space, a room or a resource is known by."""
Name = Annotated[str, msgspec.Meta(max_length=200)]
"""What a place is called."""
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
"""How many of something there are, or are wanted."""


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule that said no: its code, its limit and the actual figure; never a sentence.

    `possible_from` is the first instant at which this rule would say yes, where that is known;
    `bookings` are the bookings that stand in the way of a change of a room.
    """

    rule: str
    limit: int | str | None = None
    actual: int | str | None = None
    possible_from: datetime | None = None
    bookings: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact that was decided. Holds codes and figures, no name, number or free text of a person.

    `gc=False` here and in what is made of events: a desk keeps many, and nothing frozen can lie in a circle.
    """

    version: ClassVar[int] = 1

    def tags(self) -> tuple[str, ...]:
        """Under what a later decision finds this event; a pure function of the event alone."""
        raise NotImplementedError(type(self).__name__)

    def person_about(self) -> str | None:
        """The person under whom texts that came with this event are filed in the vault."""
        return getattr(self, "person", None)


class Refusal(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A request in due form that the rules answered no, with every rule that said so."""

    reasons: tuple[Reason, ...]


class Overdue(NamedTuple):
    """An event that has been in force since `due`, before it is recorded."""

    event: Event
    due: datetime


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """A request that never reaches the log: about something unknown, not the asker's to touch, or incomplete."""

    code: Literal["not_found", "forbidden", "use_needed", "not_valid"]
    what: str


Decision = Sequence[Event | Overdue] | Denied
"""What a decider says: the events that follow (none where all is so already), a Refusal alone, or Denied."""


EVENTS_MAX = 400
"""The most events that one command may make: what is more is asked for piece by piece, so that no batch is long."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be asked. Its instants are kept in UTC, in whatever zone they came."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, datetime) and value.tzinfo is not UTC:
                msgspec.structs.force_setattr(self, name, _in_utc(value))


YEARS = range(2000, 2200)
"""The years that an instant in a command may lie in: far from the ends of what a computer can count."""


def _in_utc(instant: datetime) -> datetime:
    """The same instant in UTC, unless it is beyond all calendars. Raises `ValueError` for one without a zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC) if instant.year in YEARS else instant


def not_valid(command: Command) -> str | None:
    """The first field that breaks its own bounds, where nobody held the command to them; None where none does."""
    plain = msgspec.to_builtins(command, builtin_types=(datetime,))
    try:
        msgspec.convert(plain, type(command))
    except msgspec.ValidationError as error:
        return str(error).rpartition("`$.")[2].rstrip("`")
    return next((name for name, value in plain.items() if not _can_be_kept(value)), None)


def _can_be_kept(value: object) -> bool:
    """Whether the log and its database can hold it: no instant beyond all calendars, no text that is none."""
    match value:
        case datetime():
            return value.year in YEARS
        case str():
            # PostgreSQL keeps no NUL, and UTF-8 no half of a surrogate pair.
            return "\0" not in value and (
                value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
            )
        case list() | tuple():
            return all(map(_can_be_kept, value))
        case dict():
            return all(map(_can_be_kept, value.values()))
    return True


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and how far the right to ask this reaches.

    `own`: only what is the asker's own; `stations`: only what belongs to `stations`; `all`: all of the subdistrict.
    """

    id: str
    role: Role
    channel: Channel
    scope: Scope
    stations: frozenset[str] = frozenset()

    def may_touch(self, *, person: str | None, station: str) -> bool:
        """Whether something of this person at this station lies within the asker's scope."""
        match self.scope:
            case "all":
                return True
            case "stations":
                return station in self.stations
            case "own":
                return person == self.id


SYSTEM = Asker(id="system", role="system", channel="scheduler", scope="all")


class SealedText(msgspec.Struct, frozen=True, kw_only=True):
    """A free text on its way to the vault, with the random key whose HMAC the event carries in its place."""

    text: str
    key: bytes

    def digest(self) -> str:
        """HMAC-SHA256 in hex: proves that a kept text is the one that was sent, tells nothing once the key is gone."""
        return hmac.new(self.key, self.text.encode(), hashlib.sha256).hexdigest()


class Ask(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One command as somebody asks it.

    `id` is unique to this asking; ids of what it makes are derived from it. `key` and `fingerprint` are those of an
    idempotent request: the same asker's key gives the first answer again, with another fingerprint it is refused.
    `dry_run` decides and answers, and writes nothing.
    """

    id: str
    command: Command
    asker: Asker
    key: str | None = None
    fingerprint: bytes = b""
    texts: Mapping[str, SealedText] = {}
    cause: str | None = None
    dry_run: bool = False

    def digest_of(self, kind: str) -> str | None:
        """What an event carries in place of the text of this kind; None where none was sent."""
        text = self.texts.get(kind)
        return text.digest() if text else None

    @cached_property
    def fault(self) -> str | None:
        """The first field of the command that breaks its own bounds; None where none does."""
        return not_valid(self.command)

    @cached_property
    def sameness(self) -> bytes:
        """Equal for the same command of the same asker, whatever its id, key and texts: repeats are told by it."""
        plain = [self.asker.id, type(self.command).__name__, self.command]
        return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).digest()


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event with all that its envelope says. `rules` is the position of the rules event it was decided under."""

    position: int
    at: datetime
    due: datetime | None = None
    command: str
    n: int
    cause: int | str | None = None
    actor: str
    for_person: str | None = None
    role: Role
    channel: Channel
    rules: int
    event: Event

    def tags(self) -> tuple[str, ...]:
        return self.event.tags()


class Outcome(IntEnum):
    """How a command was answered. The numbers are stored."""

    DONE = 1
    REFUSED = 2
    DENIED = 3
    KEY_REUSED = 4


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a command was answered: `body` is canonical JSON, `position` the last of the log that it reflects."""

    outcome: Outcome
    body: bytes
    position: int


class RefusedBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an answer whose outcome is REFUSED."""

    reasons: tuple[Reason, ...]
    rules_version: int


_SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(low + high for high in _SYMBOLS for low in _SYMBOLS)
ID_LENGTH = 20
CODE_LENGTH = 8


def derived_id(command: str, n: int = 0) -> str:
    """The id of the n-th thing that a command makes: 100 bits of SHA-256.

    In Crockford's base 32, which has no i, l, o or u (https://www.crockford.com/base32.html).
    """
    number = int.from_bytes(hashlib.sha256(f"{command}/{n}".encode()).digest(), "big")
    return "".join([_PAIRS[(number >> 10 * i) & 1023] for i in range(ID_LENGTH // 2)])


def code_of(booking: str) -> str:
    """The eight characters that people read out: the first of the booking's id."""
    return booking[:CODE_LENGTH].upper()


def unique(tags: Iterable[str]) -> tuple[str, ...]:
    """The same tags without repetition, in the order of their first appearance."""
    return tuple(dict.fromkeys(tags))

"""Reads an event from the log's bytes with the standard library alone, and says under which tags it must be found."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

Data: TypeAlias = dict[str, Any]

_FIELDS = frozenset({
    "v", "subdistrict", "position", "at", "type", "version", "command", "n", "actor", "role", "channel", "rules",
    "data",
})  # fmt: skip
_FIELDS_AT_TIMES = frozenset({"due", "cause", "for"})

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What code that reads an event may raise where the event is none."""


class NotAnEvent(ValueError):
    """The bytes are no event of a type and version that this program knows; a newer program may have written it."""


class Event(NamedTuple):
    """An event as its bytes say."""

    subdistrict: str
    position: int
    at: datetime
    due: datetime | None
    type: str
    command: str
    n: int
    cause: int | str | None
    rules: int
    data: Data


def _no_float(text: str) -> float:
    raise NotAnEvent(f"{text} is not an integer")


_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(row: bytes) -> Data:
    """The JSON object of a row. Raises one of `UNREADABLE`."""
    decoded = _DECODER.decode(row.decode())
    if not isinstance(decoded, dict):
        raise NotAnEvent("it is not a JSON object")
    return decoded


def canonical(decoded: Data) -> bytes:
    """The one way to write it: sorted keys, no white space, UTF-8. Raises one of `UNREADABLE`."""
    return _ENCODER.encode(decoded).encode()


def instant(text: str) -> datetime:
    """An instant as the log writes it, in UTC with a Z."""
    read = datetime.fromisoformat(text)
    if read.tzinfo != UTC or read.isoformat() != text.removesuffix("Z") + "+00:00":
        raise NotAnEvent(f"{text} is no instant as the log writes it")
    return read


def whole(number: object) -> int:
    """An integer that is no boolean."""
    if type(number) is not int:
        raise NotAnEvent(f"{number!r} is not an integer")
    return number


def word(text: object) -> str:
    """A text that is not empty."""
    if not isinstance(text, str) or not text:
        raise NotAnEvent(f"{text!r} is not a text")
    return text


def event(decoded: Data) -> Event:
    """The event that a row's object holds. Raises one of `UNREADABLE`."""
    if not decoded.keys() >= _FIELDS or not decoded.keys() <= _FIELDS | _FIELDS_AT_TIMES:
        raise NotAnEvent(f"its fields are {', '.join(sorted(decoded))}")
    if decoded["v"] != 1 or (decoded["type"], decoded["version"]) not in TAGS:
        raise NotAnEvent(f"{decoded['type']} version {decoded['version']} in envelope {decoded['v']} is not known")
    due, cause = decoded.get("due"), decoded.get("cause")
    return Event(
        subdistrict=word(decoded["subdistrict"]),
        position=whole(decoded["position"]),
        at=instant(decoded["at"]),
        due=None if due is None else instant(due),
        type=decoded["type"],
        command=word(decoded["command"]),
        n=whole(decoded["n"]),
        cause=cause if cause is None or isinstance(cause, str) else whole(cause),
        rules=whole(decoded["rules"]),
        data=decoded["data"],
    )


def tags(decoded: Data) -> frozenset[str]:
    """Under what a decision must find the event. Raises one of `UNREADABLE`."""
    return frozenset(TAGS[decoded["type"], decoded["version"]](decoded["data"]))


def _made(data: Data) -> Iterable[str]:
    return _of_booking(data, [take["resource"] for take in data["takes"]])


def _touching(data: Data) -> Iterable[str]:
    return _of_booking(data, data["resources"])


def _of_booking(data: Data, resources: list[str]) -> Iterable[str]:
    yield f"booking:{data['booking']}"
    for day in data["days"]:
        yield f"person:{data['person']}:{day[:7]}"
        for resource in resources:
            yield f"resource:{resource}:{day}"


def _rescheduled(data: Data) -> Iterable[str]:
    yield from _made(data)
    left = data["left"]
    yield from _of_booking({**data, "days": left["days"]}, left["resources"])


def _closed_out(data: Data) -> Iterable[str]:
    return (f"booking:{data['booking']}",)


def _room(data: Data) -> Iterable[str]:
    return (f"room:{data['room']}",)


def _resource(data: Data) -> Iterable[str]:
    return (f"resource:{data['resource']}",)


def _booking_refused(data: Data) -> Iterable[str]:
    return (f"refused:person:{data['person']}:{data['day'][:7]}", f"refused:room:{data['room']}:{data['day']}")


def _change_refused(data: Data) -> Iterable[str]:
    return (f"refused:room:{data['room']}",) if data.get("room") else (f"refused:resource:{data.get('resource', '')}",)


TAGS: dict[tuple[str, int], Callable[[Data], Iterable[str]]] = {
    ("SubdistrictOpened", 1): lambda _: ("subdistrict",),
    ("StationOpened", 1): lambda data: (f"station:{data['station']}",),
    ("SpaceOpened", 1): lambda data: (f"space:{data['space']}",),
    ("ResourceOpened", 1): _resource,
    ("ResourceChanged", 1): _resource,
    ("RoomOpened", 1): _room,
    ("RoomOpened", 2): _room,
    ("RoomChanged", 1): _room,
    ("RoomChanged", 2): _room,
    ("RoomRetired", 1): _room,
    ("RoomClosed", 1): _room,
    ("RoomReopened", 1): _room,
    ("ChangeRefused", 1): _change_refused,
    ("RulesChanged", 1): lambda _: ("rules",),
    ("BookingRequested", 1): _made,
    ("BookingConfirmed", 1): _made,
    ("BookingRescheduled", 1): _rescheduled,
    ("BookingExtended", 1): _made,
    ("BookingApproved", 1): _touching,
    ("BookingRejected", 1): _touching,
    ("BookingCancelled", 1): _touching,
    ("BookingCheckedIn", 1): _touching,
    ("BookingEnded", 1): _touching,
    ("BookingCompleted", 1): _closed_out,
    ("NoShowRecorded", 1): _closed_out,
    ("BookingExpired", 1): _closed_out,
    ("BookingRefused", 1): _booking_refused,
    ("BookingChangeRefused", 1): lambda data: (f"refused:booking:{data['booking']}",),
}
"""Every event type and version that the log may hold, and its tags; a type that is not here cannot be proved."""

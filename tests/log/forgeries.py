"""Days that never were: one more event at the end of the log, for somebody who then makes the chain sound again."""

import copy
from collections.abc import Callable
from typing import Any

from tests.log.tampering import Envelope

from booking.verify import Kind

Forgery = Callable[[list[Envelope]], None]

# Of the confirmed bookings the first was completed, the third cancelled, and the last is still to come: tomorrow from
# 14:00 to 15:00 (06:00 to 07:00 UTC). The requested ones were confirmed and missed, rejected, and left to expire.
CONFIRMED = "BookingConfirmed"
REQUESTED = "BookingRequested"
REFUSED = "BookingRefused"


def forged(type_: str, nth: int = 0, data: dict[str, Any] | None = None, **envelope: object) -> Forgery:
    """One more event at the end, as it was the n-th time for this type, but for these changes."""

    def forge(envelopes: list[Envelope]) -> None:
        one = copy.deepcopy(like(envelopes, type_, nth))
        rules = like(envelopes, "RulesChanged")["position"]
        one.update(command="forged", n=0, at=envelopes[-1]["at"], rules=rules)
        one.pop("cause", None)
        one.update(envelope)
        one["data"].update(data or {})
        envelopes.append(one)

    return forge


def stepped(type_: str, made: str, nth: int, data: dict[str, Any] | None = None, **envelope: object) -> Forgery:
    """One more step at the end, of the booking that the n-th event of the type `made` made."""

    def forge(envelopes: list[Envelope]) -> None:
        making = like(envelopes, made, nth)["data"]
        about = {key: making[key] for key in ("booking", "room", "person")}
        if "resources" in like(envelopes, type_)["data"]:
            about |= {"resources": [take["resource"] for take in making["takes"]], "days": making["days"]}
        forged(type_, 0, about | (data or {}), **envelope)(envelopes)

    return forge


def like(envelopes: list[Envelope], type_: str, nth: int = 0) -> Envelope:
    """The n-th event of a type."""
    return [envelope for envelope in envelopes if envelope["type"] == type_][nth]


def twin(**data: object) -> Forgery:
    """A booking like the last one, at the same time."""
    return forged(CONFIRMED, -1, {"booking": "twin", **data})


def later(**data: object) -> Forgery:
    """A booking like the last one, but when that is over."""
    return twin(**{**slot("2026-11-25", "08:00", "09:00", "09:10"), **data})


def slot(day: str, start: str, end: str, held_until: str) -> dict[str, Any]:
    """What a booking says of its time, all of it in UTC."""
    times = {"start": start, "end": end, "held_until": held_until}
    return {"days": [day], **{key: f"{day}T{time}:00Z" for key, time in times.items()}}


def missed(due: str, at: str) -> Forgery:
    """The last booking closed out as a no-show."""
    return stepped("NoShowRecorded", CONFIRMED, -1, due=due, at=at)


OVERBOOKED = {
    "a twin of a live booking": twin(),
    "a booking that begins in another's buffer": later(start="2026-11-25T07:09:00Z"),
    "a booking that ends in another": later(**slot("2026-11-25", "05:00", "06:00", "06:10")),
    "a request on a live booking": forged(CONFIRMED, -1, {"booking": "twin"}, type=REQUESTED),
    "a capacity below what is held": forged("ResourceChanged", data={"capacity": 0}),
}
ODD_BOOKINGS = {
    # The first one again, once on the day of its completion and once when it is long forgotten.
    "a booking that was made before": forged(CONFIRMED, 0, slot("2026-11-25", "08:00", "09:00", "09:10")),
    "a booking that was made a month before": forged(
        CONFIRMED, 0, slot("2026-12-25", "08:00", "09:00", "09:10"), at="2026-12-24T08:00:00Z"
    ),
    "a booking that takes less than its use": later(takes=[]),
    "a booking of more units than it takes": later(units=2),
    "a booking of no unit": later(units=0, takes=[]),
    "a booking that names another day": later(days=["2026-11-26"]),
    "a booking without the room's buffer": later(held_until="2026-11-25T09:00:00Z"),
    "a booking with another grace": later(grace_minutes=0),
    "a booking of a room that is not there": later(room="cellar"),
    "a booking of a use that is not there": later(use="桌球"),
    "a booking for long ago": later(**slot("2026-11-01", "08:00", "09:00", "09:10")),
    "a step of a booking that was never made": stepped("BookingCancelled", CONFIRMED, -1, {"booking": "none"}),
    "a cancellation that names other days": stepped("BookingCancelled", CONFIRMED, -1, {"days": []}),
    "a cancellation that names another person": stepped("BookingCancelled", CONFIRMED, -1, {"person": "x"}),
}
ODD_LIVES = {
    "a check-in after a cancellation": stepped("BookingCheckedIn", CONFIRMED, 2),
    "a check-in of what is completed": stepped("BookingCheckedIn", CONFIRMED, 0),
    "a check-in of what awaited approval": stepped("BookingCheckedIn", REQUESTED, 2),
    "an approval of what never awaited": stepped("BookingApproved", CONFIRMED, -1),
    "a rejection of what never awaited": stepped("BookingRejected", CONFIRMED, -1),
    "an approval of what has expired": stepped("BookingApproved", REQUESTED, 2),
    "a cancellation of what was rejected": stepped("BookingCancelled", REQUESTED, 1),
    "a cancellation of a no-show that nobody recorded": stepped(
        "BookingCancelled", CONFIRMED, -1, at="2026-11-25T06:20:00Z"
    ),
    "a close-out before it was due": missed("2026-11-24T09:30:00Z", "2026-11-24T09:30:00Z"),
    "a close-out due at another instant": missed("2026-11-25T06:00:00Z", "2026-11-26T00:00:00Z"),
    "a close-out as something else": stepped(
        "BookingCompleted", CONFIRMED, -1, due="2026-11-25T06:20:00Z", at="2026-11-26T00:00:00Z"
    ),
    "a second close-out": forged("BookingCompleted"),
    "a close-out of what was cancelled": stepped("NoShowRecorded", CONFIRMED, 2),
}
ODD_ENVELOPES: dict[Kind, dict[str, Forgery]] = {
    "time": {
        "an event before the last": forged(REFUSED, at="2026-11-24T00:00:00Z"),
        "an event due only later": forged(REFUSED, due="2026-11-24T23:00:00Z"),
    },
    "rules": {
        "rules that are not in force": forged(REFUSED, rules=0),
        "rules that are none": forged(REFUSED, rules=7),
    },
    "cause": {
        "a cause that comes no earlier": forged(REFUSED, cause=42),
        "a cause before the first": forged(REFUSED, cause=0),
    },
    "command": {"a command that begins in its middle": forged(REFUSED, n=1)},
    "envelope": {"an event of another subdistrict": forged(REFUSED, subdistrict="hongqiao")},
    "form": {
        "a type that nobody knows": forged(REFUSED, type="BookingForgiven"),
        "a version that nobody knows": forged(REFUSED, version=2),
        "an envelope of another version": forged(REFUSED, v=2),
        "a field that envelopes have not": forged(REFUSED, note="for you"),
        "an instant in another zone": forged(REFUSED, at="2026-11-24T17:30:00+08:00"),
        "a figure that is no integer": forged(REFUSED, rules=8.0),
        "a figure that is a truth value": forged(REFUSED, n=False),
        "a booking that ends before it begins": twin(end="2026-11-25T05:00:00Z"),
    },
}
FORGERIES: dict[str, tuple[Kind, Forgery]] = {
    **{what: ("overbooked", forgery) for what, forgery in OVERBOOKED.items()},
    **{what: ("booking", forgery) for what, forgery in ODD_BOOKINGS.items()},
    **{what: ("life", forgery) for what, forgery in ODD_LIVES.items()},
    **{what: (kind, forgery) for kind, found in ODD_ENVELOPES.items() for what, forgery in found.items()},
}
"""What must be found at its position, and as what."""

ALLOWED = {
    "a booking that begins where a buffer ends": later(start="2026-11-25T07:10:00Z"),
    "a check-in in the last instant of the grace": stepped(
        "BookingCheckedIn", CONFIRMED, -1, at="2026-11-25T06:19:59.999999Z"
    ),
    "a cancellation in the last instant of the grace": stepped(
        "BookingCancelled", CONFIRMED, -1, at="2026-11-25T06:19:59.999999Z"
    ),
    "a close-out that comes a month late": missed("2026-11-25T06:20:00Z", "2026-12-30T00:00:00Z"),
    "a capacity of 0 when the last booking is a no-show": forged(
        "ResourceChanged", data={"capacity": 0}, at="2026-11-25T06:20:00Z"
    ),
    "a booking on what a no-show has freed": forged(
        CONFIRMED, -1, {"booking": "twin", "start": "2026-11-25T06:30:00Z"}, at="2026-11-25T06:21:00Z"
    ),
}
"""What may just be, and must not be found."""

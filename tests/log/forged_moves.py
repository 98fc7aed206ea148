"""Moves, extensions and early ends that never were: at the end of the log, in a chain that was made sound again."""

import copy
from typing import Any

from tests.log.forgeries import CONFIRMED, REQUESTED, Forgery, like, slot, stepped, twin
from tests.log.tampering import Envelope

from booking.verify import Kind

MOVED = "BookingRescheduled"
EXTENDED = "BookingExtended"
ENDED = "BookingEnded"

MORNING = slot("2026-11-25", "02:00", "03:00", "03:10")
"""Four hours before the last booking, which is tomorrow from 06:00 to 07:00 UTC and held until 07:10."""
AFTER = slot("2026-11-25", "03:05", "04:05", "04:15")
"""In its buffer."""
EARLIER = slot("2026-11-25", "00:00", "01:00", "01:10")
AN_HOUR_MORE = {"end": "2026-11-25T08:00:00Z", "held_until": "2026-11-25T08:10:00Z"}
STUDIO = {"room": "studio", "use": "书画", "takes": [{"resource": "floor", "units": 1}]}


def moved(data: dict[str, Any] | None = None, made: str = CONFIRMED, nth: int = -1, **envelope: object) -> Forgery:
    """The booking that the n-th making made, moved to tomorrow morning, but for these changes."""

    def forge(envelopes: list[Envelope]) -> None:
        was = like(envelopes, made, nth)["data"]
        left = {"room": was["room"], "resources": [take["resource"] for take in was["takes"]], "days": was["days"]}
        said = {**was, **MORNING, "left": left, "awaits": made == REQUESTED, **(data or {})}
        append(envelopes, MOVED, said, **envelope)

    return forge


def extended(data: dict[str, Any] | None = None, made: str = CONFIRMED, nth: int = -1, **envelope: object) -> Forgery:
    """The booking that the n-th making made, with an hour more, but for these changes."""

    def forge(envelopes: list[Envelope]) -> None:
        making = like(envelopes, made, nth)
        life = {"made_at": making["at"], "confirmed_at": making["at"]}
        append(envelopes, EXTENDED, {**making["data"], **AN_HOUR_MORE, **life, **(data or {})}, **envelope)

    return forge


def ended(held_until: str, at: str) -> Forgery:
    """The last booking ended early; `at` and `held_until` are times of tomorrow in UTC."""
    until = {"held_until": f"2026-11-25T{held_until}Z"}
    return stepped(ENDED, CONFIRMED, -1, until, at=f"2026-11-25T{at}Z", command=f"ended {at}")


def came(at: str = "06:00:00") -> Forgery:
    return stepped("BookingCheckedIn", CONFIRMED, -1, at=f"2026-11-25T{at}Z", command=f"came {at}")


def append(envelopes: list[Envelope], type_: str, data: dict[str, Any], **envelope: object) -> None:
    one = copy.deepcopy(like(envelopes, type_))
    rules = like(envelopes, "RulesChanged")["position"]
    one.update(command=f"forged {len(envelopes)}", n=0, at=envelopes[-1]["at"], rules=rules, data=data)
    one.update(envelope)
    envelopes.append(one)


def each(*forgeries: Forgery) -> Forgery:
    """One after the other: only the last is what must be found."""

    def forge(envelopes: list[Envelope]) -> None:
        for forgery in forgeries:
            forgery(envelopes)

    return forge


def beside(at: str = "2026-11-24T09:30:00Z", **data: object) -> Forgery:
    """Another booking, at the time of the last one but for these changes."""

    def forge(envelopes: list[Envelope]) -> None:
        append(envelopes, CONFIRMED, {**like(envelopes, CONFIRMED, -1)["data"], "booking": "other", **data}, at=at)

    return forge


OVERBOOKED = {
    "a move to more than there is": moved({"units": 2, "takes": [{"resource": "table", "units": 2}]}),
    "a move onto another booking": each(beside(**MORNING), moved(nth=-2)),
    "a move into another's buffer": each(beside(**MORNING), moved(AFTER, nth=-2)),
    "an extension into another booking": each(
        beside(**slot("2026-11-25", "07:30", "08:30", "08:40")), extended(nth=-2)
    ),
    "an extension whose buffer is in another booking": each(
        beside(**slot("2026-11-25", "08:05", "09:05", "09:15")), extended(nth=-2)
    ),
    "a booking where one has moved to": each(moved(), beside(**MORNING)),
    "a booking where one was extended to": each(extended(), beside(**slot("2026-11-25", "07:30", "08:30", "08:40"))),
    "a booking in the buffer of an early end": each(
        came(), ended("06:30:00", "06:20:00"),
        beside("2026-11-25T06:21:00Z", **slot("2026-11-25", "06:25", "07:25", "07:35")),
    ),
}  # fmt: skip
ODD = {
    "a move of what was never made": moved({"booking": "none"}),
    "an extension of what was never made": extended({"booking": "none"}),
    "a move that leaves another day": moved({"left": {"room": "tribe", "resources": ["table"], "days": []}}),
    "a move that leaves another room": moved(
        {"left": {"room": "studio", "resources": ["table"], "days": ["2026-11-25"]}}
    ),
    "a move that leaves another resource": moved(
        {"left": {"room": "tribe", "resources": ["floor"], "days": ["2026-11-25"]}}
    ),
    "a move for another person": moved({"person": "zhao"}),
    "a move without the room's buffer": moved({"held_until": MORNING["end"]}),
    "a move that names another day": moved({"days": ["2026-11-26"]}),
    "a move with another grace": moved({"grace_minutes": 0}),
    "a move that takes nothing": moved({"takes": []}),
    "a move to a room that is not there": moved({"room": "cellar"}),
    "a move to long ago": moved(slot("2026-11-01", "02:00", "03:00", "03:10")),
    "a move that holds without approval": moved({**STUDIO, "held_until": MORNING["end"]}),
    "a move that awaits an approval that nobody asks for": moved({"awaits": True}),
    "an extension without the room's buffer": extended({"held_until": AN_HOUR_MORE["end"]}),
    "an extension with another grace": extended({"grace_minutes": 15}),
    "an extension for another person": extended({"person": "zhao"}),
    "a booking that holds without approval": twin(**{**STUDIO, "held_until": "2026-11-25T07:00:00Z"}),
}
LIVES = {
    "a move of what was cancelled": moved(nth=2),
    "a move of what has expired": moved({"held_until": MORNING["end"]}, made=REQUESTED, nth=2),
    "a move of a no-show that nobody recorded": moved(
        slot("2026-11-26", "02:00", "03:00", "03:10"), at="2026-11-25T06:20:00Z"
    ),
    "a move of what is in use": each(
        came(),
        moved(
            {**slot("2026-11-26", "02:00", "03:00", "03:10"), "checked_in_at": "2026-11-25T06:00:00Z"},
            at="2026-11-25T06:20:00Z",
        ),
    ),
    "a move that says that somebody came": moved({"checked_in_at": "2026-11-24T09:30:00Z"}),
    "an extension of what was cancelled": extended({"days": ["2026-11-24", "2026-11-25"]}, nth=2),
    "an extension to an earlier end": extended({"end": "2026-11-25T06:30:00Z", "held_until": "2026-11-25T06:40:00Z"}),
    "an extension that says that somebody came": extended({"checked_in_at": "2026-11-24T09:30:00Z"}),
    "an extension that begins earlier": extended({"start": "2026-11-25T05:00:00Z"}),
    "an extension with a new grace": extended({"confirmed_at": "2026-11-25T06:00:00Z"}),
    "an end of what nobody had come to": ended("06:30:00", "06:10:00"),
    "an end before the start": each(came("05:50:00"), ended("06:05:00", "05:55:00")),
    "an end with a longer buffer": each(came(), ended("06:40:00", "06:20:00")),
    "an end of what was over": each(came(), ended("07:20:00", "07:10:00")),
    "a close-out of what was ended": stepped(
        "BookingCompleted", CONFIRMED, 3, due="2026-11-24T03:20:00Z", at="2026-11-25T00:00:00Z"
    ),
    "a second end": stepped(ENDED, CONFIRMED, 3, {"resources": ["table"], "days": ["2026-11-24"]}),
}
FORGERIES: dict[str, tuple[Kind, Forgery]] = {
    **{what: ("overbooked", forgery) for what, forgery in OVERBOOKED.items()},
    **{what: ("booking", forgery) for what, forgery in ODD.items()},
    **{what: ("life", forgery) for what, forgery in LIVES.items()},
}
"""What must be found at the last event, and as what."""

ALLOWED = {
    "a booking where one has moved from": each(moved(), beside()),
    "a move into a part of its own time": moved(slot("2026-11-25", "06:30", "07:30", "07:40")),
    "a move and a move back": each(
        moved(), moved({**slot("2026-11-25", "06:00", "07:00", "07:10")}), beside(**MORNING)
    ),
    "a move to where another has moved from": each(
        beside(**MORNING), moved({**EARLIER, "booking": "other"}), moved(nth=-2)
    ),
    "a move to a use with approval, which awaits it": moved({**STUDIO, "held_until": MORNING["end"], "awaits": True}),
    "an extension up to another's start": each(
        beside(**slot("2026-11-25", "08:10", "09:10", "09:20")), extended(nth=-2)
    ),
    "an extension that is in use": each(
        came(), extended({"checked_in_at": "2026-11-25T06:00:00Z"}, at="2026-11-25T06:30:00Z")
    ),
    "a booking after the buffer of an early end": each(
        came(), ended("06:30:00", "06:20:00"),
        beside("2026-11-25T06:21:00Z", **slot("2026-11-25", "06:30", "07:30", "07:40")),
    ),
    "a move of what has begun to another room": moved(
        {**STUDIO, **slot("2026-11-25", "06:00", "07:00", "07:00"), "awaits": True}, at="2026-11-25T05:59:59Z"
    ),
}  # fmt: skip
"""What may just be, and must not be found."""

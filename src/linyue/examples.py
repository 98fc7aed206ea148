"""An example of every call, for the API's description and whoever tries it there."""

from typing import Any

import msgspec


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters by their names, the body, and what is answered; `refusal` is what a rule's no looks like."""

    answer: Any
    parameters: dict[str, Any] = {}
    body: Any = None
    refusal: Any = None


BOOKING_ID = "7h2kq9mvx4c0trwz8n3d"
_BOOKING = {
    "id": BOOKING_ID,
    "code": "7H2KQ9MV",
    "room": "wanyuan-1-vitality",
    "use": "乒乓球",
    "start": "2026-12-01T14:00:00+08:00",
    "end": "2026-12-01T15:00:00+08:00",
    "units": 1,
    "state": "confirmed",
    "person": "p4v9s0k2h7d3mx8c1q6z",
    "booked_by": "p4v9s0k2h7d3mx8c1q6z",
    "position": 1234,
}
_REASON = {
    "rule": "slot_taken",
    "message": "已被预约：共 2 份，这段时间已约出 2 份。",
    "limit": 2,
    "actual": 2,
    "rules_version": 1,
}
_ALTERNATIVES = [
    {
        "room": "wanyuan-1-vitality",
        "use": "乒乓球",
        "start": "2026-12-01T15:00:00+08:00",
        "end": "2026-12-01T16:00:00+08:00",
        "free": 1,
    }
]
_ASKED = {
    "room": "wanyuan-1-vitality",
    "use": "乒乓球",
    "start": "2026-12-01T14:00:00+08:00",
    "end": "2026-12-01T15:00:00+08:00",
    "units": 1,
    "attendees": 2,
}
_REQUEST = {**{name: _ASKED[name] for name in ("room", "use", "start", "end", "attendees")}, "purpose": "和邻居练球"}
_REFUSAL = {
    "type": "urn:linyue:problem:refused",
    "title": "未通过",
    "status": 409,
    "detail": "已被预约：共 2 份，这段时间已约出 2 份。",
    "reasons": [_REASON],
    "asked": _ASKED,
    "alternatives": _ALTERNATIVES,
    "position": 1234,
}
_WRONG_STATE = {
    **{name: value for name, value in _REFUSAL.items() if name != "asked"},
    "detail": "这个预约现在是“已取消”，不能这样做。",
    "reasons": [
        {
            "rule": "wrong_state",
            "message": "这个预约现在是“已取消”，不能这样做。",
            "limit": "confirmed",
            "actual": "cancelled",
            "rules_version": 1,
        }
    ],
    "alternatives": [],
}
_FULL = {
    **_BOOKING,
    "station": "wanyuan-1",
    "attendees": 2,
    "made_at": "2026-11-28T08:00:03+08:00",
    "checked_in_at": None,
    "ended_at": None,
    "due_at": "2026-12-01T14:15:00+08:00",
    "becomes": "no_show",
    "reason": None,
    "purpose": "和邻居练球",
    "note": None,
    "actions": ["cancel", "reschedule", "extend"],
    "not_now": [
        {
            "action": "check_in",
            "reason": {
                "rule": "too_early",
                "message": "开始前 15 分钟起可以签到，即 12月1日 13:45 起。",
                "limit": 15,
                "actual": 45,
                "rules_version": 1,
                "possible_from": "2026-12-01T13:45:00+08:00",
            },
        }
    ],
}
_ROOM = {
    "id": "wanyuan-1-vitality",
    "name": "活力·星部落",
    "station": {"id": "wanyuan-1", "name": "万源一居"},
    "space": {"id": "wanyuan-1-create", "name": "星创造"},
    "uses": [
        {
            "use": "乒乓球",
            "units": 2,
            "slot_minutes": 60,
            "approval": False,
            "takes": [{"resource": "wanyuan-1-table", "units": 1}],
        }
    ],
    "open": [{"weekday": 1, "from": "09:00", "to": "21:00"}],
    "extra_hours": [
        {"first_day": "2026-12-24", "last_day": "2026-12-31", "weekdays": [], "from": "21:00", "to": "22:00"}
    ],
    "buffer_minutes": 0,
    "seats": None,
    "sample": True,
}
_NEW_ROOM = {
    "id": "wanyuan-1-tennis",
    "name": "乒乓球室",
    "station": "wanyuan-1",
    "space": "wanyuan-1-create",
    "uses": [{"use": "乒乓球", "takes": [{"resource": "wanyuan-1-table"}], "units": 2}],
    "hours": [{"weekday": 1, "from": "09:00", "to": "21:00"}],
}
_RESOURCE = {"id": "wanyuan-1-table", "name": "乒乓球台", "station": "wanyuan-1", "capacity": 2}
_EFFECT: dict[str, Any] = {"does_not_fit": [], "cancelled": [], "dry_run": False, "position": 1234}
_ID_TAKEN = {
    **_REFUSAL,
    "detail": "这个编号已经在用，内容不同：请换一个编号，或者变更原来的。",
    "reasons": [
        {
            "rule": "already_open",
            "message": "这个编号已经在用，内容不同：请换一个编号，或者变更原来的。",
            "limit": None,
            "actual": "wanyuan-1-tennis",
            "rules_version": 1,
        }
    ],
    "alternatives": [],
}
_DOES_NOT_FIT = {
    **_REFUSAL,
    "detail": "有 1 个预约不适合这一变更：确认要取消的，请写进 cancels；否则请换一种做法。",
    "reasons": [
        {
            "rule": "bookings_do_not_fit",
            "message": "有 1 个预约不适合这一变更：确认要取消的，请写进 cancels；否则请换一种做法。",
            "limit": 0,
            "actual": 1,
            "rules_version": 1,
            "bookings": [BOOKING_ID],
        }
    ],
    "alternatives": [],
}
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_BOOKING_PATH = {"booking": BOOKING_ID}

EXAMPLES: dict[str, Example] = {
    "GET stations": Example(
        answer={
            "items": [
                {
                    "id": "wanyuan-1",
                    "name": "万源一居",
                    "power": "创新创造力",
                    "theme": "青春智慧",
                    "spaces": [{"id": "wanyuan-1-create", "name": "星创造"}],
                }
            ],
            "next": None,
            "position": 1234,
        }
    ),
    "GET rooms": Example(
        parameters={"station": "wanyuan-1", "use": "乒乓球"},
        answer={"items": [_ROOM], "next": None, "position": 1234},
    ),
    "GET availability": Example(
        parameters={"room": "wanyuan-1-vitality", "use": "乒乓球", "from": "2026-12-01", "to": "2026-12-01"},
        answer={
            "position": 1234,
            "rooms": [
                {
                    "room": "wanyuan-1-vitality",
                    "use": "乒乓球",
                    "name": "活力·星部落",
                    "units": 2,
                    "days": [
                        {
                            "date": "2026-12-01",
                            "slots": [
                                {
                                    "start": "2026-12-01T14:00:00+08:00",
                                    "end": "2026-12-01T15:00:00+08:00",
                                    "free": 0,
                                    "state": "full",
                                    "reasons": [_REASON],
                                }
                            ],
                        }
                    ],
                }
            ],
        },
    ),
    "POST bookings": Example(body=_REQUEST, answer=_BOOKING, refusal=_REFUSAL),
    "POST bookings/check": Example(
        body=_REQUEST,
        answer={
            "allowed": False,
            "state": None,
            **{name: value for name, value in _ASKED.items() if name != "attendees"},
            "reasons": [_REASON],
            "alternatives": _ALTERNATIVES,
            "position": 1234,
        },
    ),
    "GET bookings/{booking}": Example(parameters=_BOOKING_PATH, answer=_FULL),
    "GET bookings/{booking}/history": Example(
        parameters=_BOOKING_PATH,
        answer={
            "items": [
                {
                    "position": 1234,
                    "at": "2026-11-28T08:00:03+08:00",
                    "due": None,
                    "type": "BookingConfirmed",
                    "actor": {"role": "resident", "name": "王秀英"},
                    "channel": "api",
                    "text": "预约 12月1日 14:00–15:00，乒乓球，1 份，已确认。",
                    "purpose": "和邻居练球",
                    "note": None,
                    "hash": _HASH,
                }
            ],
            "next": None,
            "position": 1234,
        },
    ),
    "POST bookings/{booking}/cancel": Example(
        parameters=_BOOKING_PATH,
        body={"reason": "changed_plans", "note": "孩子要开家长会"},
        answer={**_BOOKING, "state": "cancelled"},
        refusal=_WRONG_STATE,
    ),
    "POST bookings/{booking}/reschedule": Example(
        parameters=_BOOKING_PATH,
        body={"start": "2026-12-01T16:00:00+08:00", "end": "2026-12-01T17:00:00+08:00"},
        answer={**_BOOKING, "start": "2026-12-01T16:00:00+08:00", "end": "2026-12-01T17:00:00+08:00"},
        refusal=_REFUSAL,
    ),
    "POST bookings/{booking}/extend": Example(
        parameters=_BOOKING_PATH,
        body={"end": "2026-12-01T16:00:00+08:00"},
        answer={**_BOOKING, "end": "2026-12-01T16:00:00+08:00", "state": "checked_in"},
        refusal=_REFUSAL,
    ),
    "POST bookings/{booking}/end": Example(
        parameters=_BOOKING_PATH,
        answer={**_BOOKING, "end": "2026-12-01T14:40:00+08:00", "state": "completed"},
        refusal=_WRONG_STATE,
    ),
    "POST bookings/{booking}/check-in": Example(
        parameters=_BOOKING_PATH, answer={**_BOOKING, "state": "checked_in"}, refusal=_WRONG_STATE
    ),
    "POST bookings/{booking}/approve": Example(
        parameters=_BOOKING_PATH, body={"note": "请带好画具"}, answer=_BOOKING, refusal=_WRONG_STATE
    ),
    "POST bookings/{booking}/reject": Example(
        parameters=_BOOKING_PATH,
        body={"reason": "needed_by_station", "note": "当天有选举"},
        answer={**_BOOKING, "state": "rejected"},
        refusal=_WRONG_STATE,
    ),
    "GET me/bookings": Example(
        parameters={"state": "confirmed,awaiting_approval", "from": "2026-12-01", "to": "2026-12-14"},
        answer={
            "items": [
                {name: _FULL[name] for name in _FULL if name not in _NOT_IN_LISTS}
                for _NOT_IN_LISTS in [
                    {"position", "attendees", "ended_at", "due_at", "becomes", "purpose", "note", "actions", "not_now"}
                ]
            ],
            "next": None,
            "position": 1234,
        },
    ),
    "POST rooms": Example(body=_NEW_ROOM, answer={**_ROOM, "id": "wanyuan-1-tennis", **_EFFECT}, refusal=_ID_TAKEN),
    "PATCH rooms/{room}": Example(
        parameters={"room": "wanyuan-1-vitality"},
        body={"seats": None, "extra_hours": _ROOM["extra_hours"], "cancels": [], "dry_run": True},
        answer={**_ROOM, **_EFFECT, "does_not_fit": [BOOKING_ID], "dry_run": True},
        refusal=_DOES_NOT_FIT,
    ),
    "POST rooms/replace": Example(
        body={"retire": ["wanyuan-1-vitality"], "open": [_NEW_ROOM], "cancels": [], "dry_run": False},
        answer={
            "rooms": [{**_ROOM, "id": "wanyuan-1-tennis"}],
            "retired": ["wanyuan-1-vitality"],
            "moved": [{"booking": BOOKING_ID, "room": "wanyuan-1-tennis"}],
            **_EFFECT,
        },
        refusal=_DOES_NOT_FIT,
    ),
    "POST rooms/{room}/reopen": Example(
        parameters={"room": "wanyuan-1-vitality"},
        body={"from": "2026-12-02T14:00:00+08:00", "to": "2026-12-02T15:00:00+08:00"},
        answer={**_ROOM, **_EFFECT},
    ),
    "GET resources": Example(
        parameters={"station": "wanyuan-1"}, answer={"items": [_RESOURCE], "next": None, "position": 1234}
    ),
    "POST resources": Example(
        body={"id": "wanyuan-1-table", "station": "wanyuan-1", "name": "乒乓球台", "capacity": 2},
        answer={**_RESOURCE, **_EFFECT},
        refusal=_ID_TAKEN,
    ),
    "PATCH resources/{resource}": Example(
        parameters={"resource": "wanyuan-1-table"},
        body={"capacity": 1, "cancels": [BOOKING_ID]},
        answer={**_RESOURCE, "capacity": 1, **_EFFECT, "cancelled": [BOOKING_ID]},
        refusal=_DOES_NOT_FIT,
    ),
    "POST rooms/{room}/close": Example(
        parameters={"room": "wanyuan-1-vitality"},
        body={
            "from": "2026-12-02T13:00:00+08:00",
            "to": "2026-12-02T15:00:00+08:00",
            "reason": "maintenance",
            "note": "更换灯管",
            "dry_run": True,
        },
        answer={**_ROOM, "cancelled": [BOOKING_ID], "dry_run": True, "position": 1234},
    ),
    "GET audit/events": Example(
        parameters={"after": 1233, "limit": 100},
        answer={
            "items": [
                {
                    "position": 1234,
                    "at": "2026-11-28T08:00:03+08:00",
                    "type": "BookingCheckedIn",
                    "version": 1,
                    "actor": "p4v9s0k2h7d3mx8c1q6z",
                    "role": "resident",
                    "channel": "api",
                    "tags": [f"booking:{BOOKING_ID}"],
                    "data": {"booking": BOOKING_ID, "room": "wanyuan-1-vitality"},
                    "prev_hash": _HASH,
                    "hash": _HASH,
                    "stored": "{…}",
                }
            ],
            "next": None,
            "position": 1234,
        },
    ),
}

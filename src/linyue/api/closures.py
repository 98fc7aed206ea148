"""Closing a room: first what it would cancel, then the closure."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath, JSONBody

from booking.messages import Outcome
from booking.places.decide import CloseRoom
from linyue.api.answers import TheCaller, TheParts, answered
from linyue.api.asking import Wish, ask, key_and_print, place_id, refusal
from linyue.api.bodies import RoomClosing, Strict, after, in_bounds
from linyue.api.catalogue import RoomOut, room_out
from projections.availability import RoomView


class ClosureOut(RoomOut, frozen=True, kw_only=True):
    """The room, and the bookings that the closure cancelled, or with `dry_run` would cancel."""

    cancelled: list[str]
    dry_run: bool
    position: int


class _Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The desk's answer."""

    room: RoomView
    cancelled: list[str]


@post(
    "/rooms/{room:str}/close",
    opt={"call": "POST rooms/{room}/close"},
    operation_id="close_room",
    tags=["rooms"],
    dto=Strict[RoomClosing],
    return_dto=None,
    status_code=200,
)
async def close_room(
    request: Request[Any, Any, Any],
    room: FromPath[str],
    data: JSONBody[RoomClosing],
    parts: TheParts,
    caller: TheCaller,
) -> Response[ClosureOut]:
    """Close a room for a time, or until further notice; what lies ahead is cancelled, and listed first by `dry_run`."""
    key, fingerprint = key_and_print(request, data)
    command = _command(place_id(room, "room"), data)
    wish = Wish(command=command, key=key, fingerprint=fingerprint, texts={"note": data.note}, dry_run=data.dry_run)
    answer = await ask(parts, caller, wish)
    if answer.outcome is Outcome.REFUSED:
        raise refusal(answer, caller.language, await parts.lasting.zone())
    told = msgspec.json.decode(answer.body, type=_Closed)
    out = ClosureOut(
        **msgspec.structs.asdict(room_out(told.room)),
        cancelled=told.cancelled,
        dry_run=data.dry_run,
        position=answer.position,
    )
    return answered(out, answer.position)


def _command(room: str, body: RoomClosing) -> CloseRoom:
    start = in_bounds(body.from_, "from")
    end: datetime | None = None
    if body.to is not None:
        end = in_bounds(body.to, "to")
        after(start, end, "to")
    return CloseRoom(room=room, start=start, end=end, reason=body.reason)


HANDLERS = (close_room,)

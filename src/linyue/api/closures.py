"""Closing a room: first what it would cancel, then the closure."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath, JSONBody

from booking.messages import Denied, Outcome
from booking.places.decide import CloseRoom
from linyue.api.answers import TheCaller, TheParts, answered
from linyue.api.asking import Wish, ask, denied, key_and_print, refusal
from linyue.api.bodies import RoomClosing, Strict, after, in_bounds, known_form
from linyue.api.catalogue import RoomOut, room_out
from projections import availability


class ClosureOut(RoomOut, frozen=True, kw_only=True):
    """The room, and the bookings that the closure cancelled, or with `dry_run` would cancel."""

    cancelled: list[str]
    dry_run: bool
    position: int


class _Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The desk's answer."""

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
    command = _command(known_form(room, "room"), data)
    zone = await parts.lasting.zone()
    # Before the command: once that is done, nothing may keep its answer from the caller.
    async with parts.reader.of(availability.NAME) as snapshot:
        known = await availability.room(snapshot, command.room)
    if known is None:
        raise denied(Denied(code="not_found", what="room"))
    wish = Wish(command=command, key=key, fingerprint=fingerprint, texts={"note": data.note}, dry_run=data.dry_run)
    answer = await ask(parts, caller, wish)
    if answer.outcome is Outcome.REFUSED:
        raise await refusal(answer, caller.language, zone)
    cancelled = msgspec.json.decode(answer.body, type=_Closed).cancelled
    told = msgspec.structs.asdict(room_out(known))
    out = ClosureOut(**told, cancelled=cancelled, dry_run=data.dry_run, position=answer.position)
    return answered(out, answer.position)


def _command(room: str, body: RoomClosing) -> CloseRoom:
    start = in_bounds(body.from_, "from")
    end: datetime | None = None
    if body.to is not None:
        end = in_bounds(body.to, "to")
        after(start, end, "to")
    return CloseRoom(room=room, start=start, end=end, reason=body.reason)


HANDLERS = (close_room,)

"""Rooms and resources: open, change, reopen, merge, split and retire them; first what that would cancel, then it is."""

from typing import Any, NamedTuple

import msgspec
from litestar import Request, Response, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import UNSET

from booking.desk import new_command_id
from booking.messages import EVENTS_MAX, Answer, Command, Outcome, Reason, derived_id
from booking.places.decide import ChangeResource, ChangeRoom, OpenResource, OpenRoom, ReopenRoom, ReplaceRooms
from linyue.api.answers import Items, TheCaller, TheParts, answered
from linyue.api.asking import Wish, ask, key_and_print, place_id, position_asked, reasons_of, refusal
from linyue.api.bodies import Body, Strict, after, in_bounds, known_form
from linyue.api.catalogue import RoomOut, check_named, room_out
from linyue.api.room_bodies import (
    ResourceChanging,
    ResourceOpening,
    RoomChanging,
    RoomOpening,
    RoomReopening,
    RoomsReplacing,
)
from linyue.permissions import Caller
from linyue.wiring import Parts
from projections import availability
from projections.availability import ResourceView, RoomView

AnyRequest = Request[Any, Any, Any]
# Between two dry runs others may book: after so many the caller is told of what came last.
LOOKS_MAX = 3


class ChangedRoomOut(RoomOut, frozen=True, kw_only=True):
    """The room as it is now, or with `dry_run` would be, and what that does to bookings.

    `does_not_fit` stand in its way until `cancels` names them: without `dry_run` it is refused for them.
    """

    does_not_fit: list[str]
    cancelled: list[str]
    dry_run: bool
    position: int


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A booking, and the room that it moved to."""

    booking: str
    room: str


class ReplacedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The rooms that were opened in the place of those that retired, and what that does to bookings.

    `does_not_fit` stand in its way until `cancels` names them: without `dry_run` it is refused for them.
    """

    rooms: list[RoomOut]
    retired: list[str]
    moved: list[Moved]
    does_not_fit: list[str]
    cancelled: list[str]
    dry_run: bool
    position: int


class ResourceOut(ResourceView, frozen=True, kw_only=True):
    """What bookings take up, and how much of it there is."""


class ChangedResourceOut(ResourceOut, frozen=True, kw_only=True):
    """The resource as it is now, or with `dry_run` would be, and what that does to bookings.

    `does_not_fit` stand in its way until `cancels` names them: without `dry_run` it is refused for them.
    """

    does_not_fit: list[str]
    cancelled: list[str]
    dry_run: bool
    position: int


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """The desk's answer: of a room, of several, or of a resource."""

    cancelled: tuple[str, ...]
    room: RoomView | None = None
    rooms: tuple[RoomView, ...] = ()
    moved: list[Moved] = []
    resource: ResourceView | None = None


_AS_IT_WOULD_BE = "With `dry_run`: as it would be; nothing was opened."


@post(
    "/rooms",
    opt={"call": "POST rooms"},
    operation_id="open_room",
    tags=["rooms"],
    dto=Strict[RoomOpening],
    return_dto=None,
    responses={200: ResponseSpec(data_container=ChangedRoomOut, description=_AS_IT_WOULD_BE, generate_examples=False)},
)
async def open_room(
    request: AnyRequest, data: JSONBody[RoomOpening], parts: TheParts, caller: TheCaller
) -> Response[ChangedRoomOut]:
    """Open a room at one's station. It can be booked at once, by what its resources and the house rules let."""
    command = OpenRoom(room=data.id or _new_id(), definition=data.definition())
    return await _room_changed(_Asking(request, data, parts, caller, data.dry_run, 201), command)


@patch(
    "/rooms/{room:str}",
    opt={"call": "PATCH rooms/{room}"},
    operation_id="change_room",
    tags=["rooms"],
    dto=Strict[RoomChanging],
    return_dto=None,
    status_code=200,
)
async def change_room(
    request: AnyRequest,
    room: FromPath[str],
    parts: TheParts,
    caller: TheCaller,
    data: JSONBody[RoomChanging | None] = None,
) -> Response[ChangedRoomOut]:
    """Change what is sent and nothing else: two who change different things at once both have their way."""
    body = data or RoomChanging()
    command = ChangeRoom(room=place_id(room, "room"), **body.changes(), cancels=tuple(body.cancels))
    return await _room_changed(_Asking(request, body, parts, caller, body.dry_run), command)


@post(
    "/rooms/{room:str}/reopen",
    opt={"call": "POST rooms/{room}/reopen"},
    operation_id="reopen_room",
    tags=["rooms"],
    dto=Strict[RoomReopening],
    return_dto=None,
    status_code=200,
)
async def reopen_room(
    request: AnyRequest, room: FromPath[str], data: JSONBody[RoomReopening], parts: TheParts, caller: TheCaller
) -> Response[ChangedRoomOut]:
    """Open a room again for a time within a closure, or for good. What the closure cancelled stays cancelled."""
    start, end = in_bounds(data.from_, "from"), None
    if data.to is not None:
        end = in_bounds(data.to, "to")
        after(start, end, "to")
    command = ReopenRoom(room=place_id(room, "room"), start=start, end=end)
    return await _room_changed(_Asking(request, data, parts, caller, data.dry_run), command)


@post(
    "/rooms/replace",
    opt={"call": "POST rooms/replace"},
    operation_id="replace_rooms",
    tags=["rooms"],
    dto=Strict[RoomsReplacing],
    return_dto=None,
    status_code=200,
)
async def replace_rooms(
    request: AnyRequest, data: JSONBody[RoomsReplacing], parts: TheParts, caller: TheCaller
) -> Response[ReplacedOut]:
    """Merge, split or give up rooms of a station: all of it or nothing.

    Each live booking moves to the first new room that has its use and is free for it, those made first before the
    others. It keeps its time, its state and its code.
    """
    command = ReplaceRooms(
        retire=tuple(data.retire),
        open=tuple(new.new_room() for new in data.open),
        cancels=tuple(data.cancels),
    )
    told, effect = await _told(_Asking(request, data, parts, caller, data.dry_run), command)
    out = ReplacedOut(
        **effect._asdict(),
        rooms=[room_out(room) for room in told.rooms],
        retired=data.retire,
        moved=told.moved,
    )
    return answered(out, effect.position)


@get("/resources", opt={"call": "GET resources"}, operation_id="list_resources", tags=["rooms"])
async def list_resources(
    request: AnyRequest, parts: TheParts, caller: TheCaller, station: FromQuery[str | None] = None
) -> Response[Items[ResourceOut]]:
    """What bookings take up, at one's stations or at one of them: rooms name it in `takes`."""
    if station is not None:
        known_form(station, "station")
    async with parts.reader.of(availability.NAME, position_asked(request)) as snapshot:
        found = await availability.resources(snapshot, station)
        if not found:
            await check_named(snapshot, station=station)
    own = caller.known().stations if caller.scope == "stations" else None
    items = [_resource_out(resource) for resource in found if own is None or resource.station in own]
    return answered(Items(items=items, next=None, position=snapshot.position), snapshot.position)


@post(
    "/resources",
    opt={"call": "POST resources"},
    operation_id="open_resource",
    tags=["rooms"],
    dto=Strict[ResourceOpening],
    return_dto=None,
    responses={
        200: ResponseSpec(data_container=ChangedResourceOut, description=_AS_IT_WOULD_BE, generate_examples=False)
    },
)
async def open_resource(
    request: AnyRequest, data: JSONBody[ResourceOpening], parts: TheParts, caller: TheCaller
) -> Response[ChangedResourceOut]:
    """Enter something that bookings take up: a floor, half a hall, three tables. Rooms then name it in `takes`."""
    command = OpenResource(resource=data.id or _new_id(), station=data.station, name=data.name, capacity=data.capacity)
    return await _resource_changed(_Asking(request, data, parts, caller, data.dry_run, 201), command)


@patch(
    "/resources/{resource:str}",
    opt={"call": "PATCH resources/{resource}"},
    operation_id="change_resource",
    tags=["rooms"],
    dto=Strict[ResourceChanging],
    return_dto=None,
    status_code=200,
)
async def change_resource(
    request: AnyRequest,
    resource: FromPath[str],
    parts: TheParts,
    caller: TheCaller,
    data: JSONBody[ResourceChanging | None] = None,
) -> Response[ChangedResourceOut]:
    """Change its name, or how much of it there is. What a smaller capacity has no room for must be named first."""
    body = data or ResourceChanging()
    changes = {name: value for name in ("name", "capacity") if (value := getattr(body, name)) is not UNSET}
    command = ChangeResource(resource=place_id(resource, "resource"), **changes, cancels=tuple(body.cancels))
    return await _resource_changed(_Asking(request, body, parts, caller, body.dry_run), command)


_Giving = ChangeRoom | ChangeResource | ReplaceRooms
"""What may have to give up bookings, and names them."""


class _Asking(NamedTuple):
    """Who asks, with what; where nothing goes wrong the answer has this status."""

    request: AnyRequest
    body: Body
    parts: Parts
    caller: Caller
    dry_run: bool
    status: int = 200


async def _room_changed(asking: _Asking, command: Command) -> Response[ChangedRoomOut]:
    told, effect = await _told(asking, command)
    assert told.room is not None
    out = ChangedRoomOut(**msgspec.structs.asdict(room_out(told.room)), **effect._asdict())
    return answered(out, effect.position, 200 if asking.dry_run else asking.status)


async def _resource_changed(asking: _Asking, command: Command) -> Response[ChangedResourceOut]:
    told, effect = await _told(asking, command)
    assert told.resource is not None
    out = ChangedResourceOut(**msgspec.structs.asdict(told.resource), **effect._asdict())
    return answered(out, effect.position, 200 if asking.dry_run else asking.status)


class _Effect(NamedTuple):
    """What a command does to live bookings, or would do."""

    does_not_fit: list[str]
    cancelled: list[str]
    dry_run: bool
    position: int


async def _told(asking: _Asking, command: Command) -> tuple[_Told, _Effect]:
    """What the desk says of a command, and its effect on bookings. Raises a Problem where it is refused.

    A dry run that bookings stand against is looked at once more, as if they were given up: so it lists what the
    command would cancel once it names them, and shows the place as it would be then.
    """
    parts, caller, dry_run = asking.parts, asking.caller, asking.dry_run
    key, fingerprint = key_and_print(asking.request, asking.body)
    wish = Wish(command=command, key=key, fingerprint=fingerprint, dry_run=dry_run)
    answer = await ask(parts, caller, wish)
    unfit: tuple[str, ...] = ()
    for _ in range(LOOKS_MAX):
        more = _does_not_fit(answer)
        if not (dry_run and more and isinstance(command, _Giving)):
            break
        unfit += more
        given_up = msgspec.structs.replace(command, cancels=(*unfit, *command.cancels)[:EVENTS_MAX])
        answer = await ask(parts, caller, msgspec.structs.replace(wish, command=given_up))
    if answer.outcome is Outcome.REFUSED:
        raise refusal(answer, caller.language, await parts.lasting.zone())
    told = msgspec.json.decode(answer.body, type=_Told)
    cancelled = [] if unfit else list(told.cancelled)
    return told, _Effect(list(unfit), cancelled, dry_run, answer.position)


def _does_not_fit(answer: Answer) -> tuple[str, ...]:
    """The bookings for which alone a command was refused."""
    reasons = reasons_of(answer) if answer.outcome is Outcome.REFUSED else ()
    match reasons:
        case (Reason(rule="bookings_do_not_fit", bookings=bookings),):
            return bookings
    return ()


def _new_id() -> str:
    """An id for a place that was given none."""
    return derived_id(new_command_id())


def _resource_out(resource: ResourceView) -> ResourceOut:
    return ResourceOut(**msgspec.structs.asdict(resource))


HANDLERS = (open_room, change_room, reopen_room, replace_rooms, list_resources, open_resource, change_resource)

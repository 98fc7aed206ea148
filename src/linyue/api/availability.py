"""What is free and when, and why the rest is not."""

from datetime import date
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, QueryParameter

from booking.local_time import local_day
from linyue.api.answers import TheCaller, TheParts
from linyue.api.asking import position_asked
from linyue.api.bodies import days, known_form
from linyue.api.catalogue import check_named
from linyue.api.drawings import AvailabilityOut, Drawings
from linyue.api.etags import tagged
from projections import availability
from projections.boards import Sought

DAYS_MAX = 31


@get(
    "/availability",
    opt={"call": "GET availability"},
    operation_id="get_availability",
    tags=["availability"],
    responses={
        200: ResponseSpec(AvailabilityOut, description="The slots of each day.", generate_examples=False),
        304: ResponseSpec(None, description="Whoever sent its tag holds it: the very bytes would be sent again."),
    },
)
async def get_availability(
    request: Request[Any, Any, Any],
    *,
    parts: TheParts,
    caller: TheCaller,
    room: FromQuery[str | None] = None,
    station: FromQuery[str | None] = None,
    use: FromQuery[str | None] = None,
    from_: Annotated[date | None, QueryParameter(name="from")] = None,
    to: FromQuery[date | None] = None,
) -> Response[bytes]:
    """Free units of each slot, from one local day to another (both included, at most 31), and why the rest is not free.

    Without `from`, today; without `to`, that one day. A resident is told what their own quota lets them have. `ETag` is
    that of the very bytes: they change with events, with who asks in which language, and with the passing time.
    """
    for value, field in ((room, "room"), (station, "station"), (use, "use")):
        if value is not None:
            known_form(value, field)
    now, zone, position = parts.now(), await parts.lasting.zone(), position_asked(request)
    first = from_ or local_day(now, zone)
    first, last = days(first, to or first, days_max=DAYS_MAX)
    person = caller.actor.quota_of if caller.actor else None
    sought = Sought(first, last, room, station, use, person)
    drawings: Drawings = request.app.state["drawings"]
    answer = await drawings.answer(sought, caller.language, position or 0)
    if not answer.rooms:
        async with parts.reader.of(availability.NAME, answer.position) as snapshot:
            await check_named(snapshot, room=room, station=station, use=use)
    return tagged(answer.body, answer.tag, answer.position, request.headers.getall("if-none-match", []))


HANDLERS = (get_availability,)

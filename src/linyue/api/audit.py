"""The log itself, for those whose office is to read it: every event as it was written, with its place in the chain."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get
from litestar.params import FromQuery, QueryParameter

from booking import log
from booking.codec import Envelope
from linyue.api.answers import Items, TheParts, answered
from linyue.api.asking import connection_of, position_asked
from linyue.api.bodies import POSITION_MAX, known_form
from linyue.api.history import position_after
from linyue.wiring import Parts
from projections import history
from projections.history import Row

LIMIT_MAX = 500
_ENVELOPES = msgspec.json.Decoder(Envelope)


class AuditItem(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was written; hashes in hex.

    `stored` is the row's very bytes as text: SHA-256 of `prev_hash` (as bytes) and of these in UTF-8 is `hash`.
    """

    position: int
    at: datetime
    type: str
    version: int
    actor: str
    role: str
    channel: str
    tags: tuple[str, ...]
    data: dict[str, Any]
    prev_hash: str
    hash: str
    stored: str


@get("/audit/events", opt={"call": "GET audit/events"}, operation_id="list_audit_events", tags=["audit"])
async def list_audit_events(  # noqa: PLR0913 - an argument for each filter that can be asked for
    request: Request[Any, Any, Any],
    *,
    parts: TheParts,
    after: Annotated[int, QueryParameter(ge=0, le=POSITION_MAX, description="Begin after this position.")] = 0,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = 100,
    room: FromQuery[str | None] = None,
    person: FromQuery[str | None] = None,
    booking: FromQuery[str | None] = None,
    type_: Annotated[str | None, QueryParameter(name="type")] = None,
) -> Response[Items[AuditItem]]:
    """The events of the log after a position, oldest first: all, or those about a room, person, booking or of a type.

    `next` is the position to pass as `after`, or as `cursor` like everywhere else, for the rest.
    """
    about = {"room": room, "person": person, "booking": booking, "type": type_}
    for field, value in about.items():
        if value is not None:
            known_form(value, field)
    since = max(after, position_after(cursor))
    zone = await parts.lasting.zone()
    async with parts.reader.of(history.NAME, position_asked(request)) as snapshot:
        rows = await history.events(snapshot, since, limit, **about)
    items = await _as_stored(parts, rows, zone)
    more = str(rows[-1].position) if len(rows) == limit else None
    return answered(Items(items=items, next=more, position=snapshot.position), snapshot.position)


async def _as_stored(parts: Parts, rows: list[Row], zone: ZoneInfo) -> list[AuditItem]:
    """The events of these rows from the log itself: what an auditor reads is no copy that could have been changed."""
    tags = {row.position: row.tags for row in rows}
    wanted = {position for row in rows for position in (row.position, row.position - 1)}
    async with connection_of(parts) as connection:
        stored = {row.position: row for row in await log.at_positions(connection, parts.subdistrict, wanted)}
    hashes = {0: log.first_hash(parts.subdistrict)} | {position: row.hash for position, row in stored.items()}
    return [_item(stored[row.position], hashes[row.position - 1], tags[row.position], zone) for row in rows]


def _item(row: log.Row, previous: bytes, tags: tuple[str, ...], zone: ZoneInfo) -> AuditItem:
    envelope = _ENVELOPES.decode(row.data)
    return AuditItem(
        position=row.position,
        at=envelope.at.astimezone(zone),
        type=envelope.type,
        version=envelope.version,
        actor=envelope.actor,
        role=envelope.role,
        channel=envelope.channel,
        tags=tags,
        data=msgspec.json.decode(envelope.data),
        prev_hash=previous.hex(),
        hash=row.hash.hex(),
        stored=row.data.decode(),
    )


HANDLERS = (list_audit_events,)

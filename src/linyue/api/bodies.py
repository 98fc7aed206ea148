"""What a request may bring: bodies, read once and strictly, and ids, instants and days that are in bounds."""

from collections.abc import Generator
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import msgspec
from litestar._openapi.schema_generation import SchemaCreator
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from booking.local_time import ExtraHours, Hours, TimeOfDay, Weekday
from booking.reservations.events import RejectReason
from linyue.problems import Problem, not_read, wrong

ID_LENGTH_MAX = 64
KEY_BYTES_MAX = 200
POSITION_MAX = 2**63 - 1
# Outside of these, adding an offset or a day could leave what a datetime can say.
YEARS = range(2000, 2200)
# A request for longer is no booking; up to here the rules say what is too long.
BOOKING_DAYS_MAX = 31

# No control characters: PostgreSQL takes no NUL.
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH_MAX, pattern=r"^[^\x00-\x1f\x7f]*$")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Note = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]

# The other reasons of a cancellation are those of a closed or changed room, which no one gives.
GivenReason = Literal["changed_plans", "ill", "booked_by_mistake", "other", "staff_decision"]

CloseReason = Literal["maintenance", "cleaning", "station_activity", "holiday", "safety", "other"]

LISTED: dict[str, tuple[str, ...]] = {
    "BookingCancel": get_args(GivenReason),
    "BookingReject": get_args(RejectReason),
    "RoomClosing": get_args(CloseReason),
}
"""The codes that `reason` may be, by the name of the body."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body as it is sent; a field that is not known is an error, not a silence."""


class BookingRequest(Body, frozen=True, kw_only=True):
    """A slot of a room. `use` may be left out where the room has one.

    Residents book for themselves. Staff book in their station's name, or for the resident `person`. `purpose` is free
    text for the station and never enters the log.
    """

    room: Id
    start: Instant
    end: Instant
    use: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] | None = None
    units: Count = 1
    attendees: Count | None = None
    purpose: Note | None = None
    person: Id | None = None


class BookingReschedule(Body, frozen=True, kw_only=True):
    """Another slot for a booking: what is left out stays as it was."""

    start: Instant
    end: Instant
    room: Id | None = None
    use: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] | None = None
    units: Count | None = None
    attendees: Count | None = None


class BookingExtend(Body, frozen=True, kw_only=True):
    """A later end for a booking, which may be running."""

    end: Instant


class BookingEnd(Body, frozen=True, kw_only=True):
    """Nothing more is to be said: no body, or an empty one."""


class BookingCancel(Body, frozen=True, kw_only=True):
    """Why it is given up: a code, and a note that never enters the log.

    `staff_decision` is for staff, and theirs by default; whoever else gives none is noted as `other`.
    """

    reason: GivenReason | None = None
    note: Note | None = None


class BookingCheckIn(Body, frozen=True, kw_only=True):
    """Nothing more is to be said: no body, or an empty one."""


class BookingApprove(Body, frozen=True, kw_only=True):
    note: Note | None = None


class BookingReject(Body, frozen=True, kw_only=True):
    """Why not: a code, and a note that never enters the log."""

    reason: RejectReason
    note: Note | None = None


class OpenHours(Body, frozen=True, kw_only=True):
    """Open on a weekday (1 Monday … 7 Sunday), in the subdistrict's time; 24:00 is the end of the day."""

    weekday: Weekday
    from_: TimeOfDay = msgspec.field(name="from")
    to: TimeOfDay

    @classmethod
    def of(cls, hours: Hours) -> "OpenHours":
        return cls(weekday=hours.weekday, from_=hours.opens, to=hours.closes)

    def hours(self) -> Hours:
        return Hours(weekday=self.weekday, opens=self.from_, closes=self.to)


class OpenForATime(Body, frozen=True, kw_only=True):
    """Open beside the week's hours from one local day to another, both included.

    On these weekdays, or on every day where none is named.
    """

    first_day: date
    last_day: date
    weekdays: Annotated[list[Weekday], msgspec.Meta(max_length=7)] = []
    from_: TimeOfDay = msgspec.field(name="from")
    to: TimeOfDay

    @classmethod
    def of(cls, extra: ExtraHours) -> "OpenForATime":
        return cls(
            first_day=date.fromisoformat(extra.first_day),
            last_day=date.fromisoformat(extra.last_day),
            weekdays=list(extra.weekdays),
            from_=extra.opens,
            to=extra.closes,
        )

    def extra_hours(self) -> ExtraHours:
        return ExtraHours(
            first_day=self.first_day.isoformat(),
            last_day=self.last_day.isoformat(),
            weekdays=tuple(self.weekdays),
            opens=self.from_,
            closes=self.to,
        )


class RoomClosing(Body, frozen=True, kw_only=True):
    """Close a room from `from` up to `to`; without `to`, until further notice.

    `dry_run` only lists what it would cancel.
    """

    from_: Instant = msgspec.field(name="from")
    to: Instant | None = None
    reason: CloseReason
    note: Note | None = None
    dry_run: bool = False


T = TypeVar("T")


class Strict(AbstractDTO[T], Generic[T]):
    """Reads a JSON body into its struct, once, without any leniency about types."""

    _decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}  # noqa: RUF012 - shared on purpose

    def decode_bytes(self, value: bytes) -> T:
        if not is_json(self.asgi_connection.headers.get("content-type")):
            raise Problem("media_type")
        decoder = self._decoders.get(self.model_type)
        if decoder is None:
            decoder = self._decoders[self.model_type] = msgspec.json.Decoder(self.model_type)
        try:
            read: T = decoder.decode(value)
        except msgspec.ValidationError as error:
            raise not_read(str(error), {"reason": LISTED.get(self.model_type.__name__, ())}) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise wrong("not_json") from error
        return read

    @classmethod
    def create_for_field_definition(cls, *_: object, **__: object) -> None:
        """Nothing is made: what is read is the struct itself."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(FieldDefinition.from_annotation(cls.model_type))

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        return True

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False


def is_json(content_type: str | None) -> bool:
    """Whether a body says that it is JSON; one that says nothing is taken for it."""
    if content_type is None:
        return True
    named = content_type.partition(";")[0].strip().lower()
    return named == "application/json" or (named.startswith("application/") and named.endswith("+json"))


def known_form(value: str, field: str) -> str:
    """An id from a path or a query, if it can be one. Raises a Problem."""
    if len(value) > ID_LENGTH_MAX:
        raise wrong("too_long", field, most=ID_LENGTH_MAX)
    if not value or any(character < " " or character == "\x7f" for character in value):
        raise wrong("not_an_id", field)
    return value


def in_bounds(instant: datetime, field: str) -> datetime:
    """An instant that can be reckoned with. Raises a Problem."""
    if instant.year not in YEARS:
        raise wrong("far_year", field)
    return instant


def after(start: datetime, end: datetime, field: str, days_max: int | None = None) -> None:
    """Raise a Problem where an interval ends before it starts, or is longer than so many days."""
    if end <= start:
        raise wrong("ends_first", field)
    if days_max is not None and (end - start).total_seconds() > days_max * 86_400:
        raise wrong("too_wide", field, most=days_max)


def days(first: date, last: date, *, days_max: int) -> tuple[date, date]:
    """The days from `from` to `to`, both included. Raises a Problem where they are in the wrong order or too many."""
    for day, field in ((first, "from"), (last, "to")):
        if day.year not in YEARS:
            raise wrong("far_year", field)
    if last < first:
        raise wrong("days_turned", "to")
    if (last - first).days >= days_max:
        raise wrong("too_wide", "to", most=days_max)
    return first, last


def key_of(header: str | None) -> str | None:
    """The Idempotency-Key, if one was sent and can be one. Raises a Problem."""
    if header is None:
        return None
    if not header or len(header.encode("latin-1", "replace")) > KEY_BYTES_MAX:
        raise wrong("key_too_long", "Idempotency-Key", most=KEY_BYTES_MAX)
    if "\x00" in header:
        raise wrong("other", "Idempotency-Key")
    return header

"""What is answered, as it is sent: instants in the subdistrict's offset, and the log position that it reflects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from booking.reservations.decide import BookingView
from booking.reservations.standing import Standing
from linyue.api.asking import POSITION
from linyue.permissions import Caller
from linyue.wiring import Parts

T = TypeVar("T")

# Both are ours and need no look at their types with each request.
TheParts = NamedDependency[SkipValidation[Parts]]
TheCaller = NamedDependency[SkipValidation[Caller]]


class Items(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A list, or a part of it: `next` is the cursor for the rest; `position` is what of the log it reflects."""

    items: Sequence[T]
    next: str | None
    position: int


class BookingOut(msgspec.Struct, frozen=True, kw_only=True):
    """A booking. `state` is what holds now, whether or not the scheduler has recorded it."""

    id: str
    code: str
    room: str
    use: str
    start: datetime
    end: datetime
    units: int
    state: Standing
    person: str
    booked_by: str
    position: int


def answered(body: T, position: int, status: int = 200) -> Response[T]:
    """An answer, with its position in the header too."""
    return Response(body, status_code=status, headers={POSITION: str(position)})


def booking_out(body: bytes, position: int, zone: ZoneInfo) -> BookingOut:
    """The desk's answer to a command about a booking, in the subdistrict's time."""
    view = msgspec.structs.asdict(msgspec.json.decode(body, type=BookingView))
    return BookingOut(**in_zone(view, zone), position=position)


def in_zone(values: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """The same values, with each instant in the subdistrict's offset."""
    return {name: v.astimezone(zone) if isinstance(v, datetime) else v for name, v in values.items()}

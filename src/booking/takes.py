"""What a booking takes up: units of a resource, and the tags under which they are found."""

import msgspec

from booking.messages import Count, Slug
from booking.state import TagRange


def resource_tag(resource: str) -> str:
    return f"resource:{resource}"


def resource_day_tag(resource: str, day: str) -> str:
    """What is taken of a resource on a local day (YYYY-MM-DD)."""
    return f"resource:{resource}:{day}"


def resource_days(resource: str, first: str, last: str | None) -> TagRange:
    """Every day of a resource from `first` to `last`, both included; without `last`, all that lies ahead."""
    # ":" stands just above the digits in byte order, so it ends every day, and "day:" every tag of that day.
    return TagRange(
        resource_day_tag(resource, first), f"resource:{resource}:{last}:" if last else f"resource:{resource}::"
    )


class Take(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """So many units of a resource."""

    resource: Slug
    units: Count = 1

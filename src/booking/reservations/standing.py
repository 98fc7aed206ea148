"""What holds of a booking at an instant: what falls due is in force at its due instant, recorded or not."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

Standing = Literal[
    "awaiting_approval", "confirmed", "checked_in", "completed", "cancelled", "rejected", "expired", "no_show"
]
LIVE: frozenset[Standing] = frozenset({"awaiting_approval", "confirmed", "checked_in"})


class Life(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The instants (UTC) of a booking's life, from which its standing at any `now` follows.

    `made_at`: when it was made, or last moved; it holds nothing earlier.
    """

    start: datetime
    end: datetime
    grace: timedelta
    made_at: datetime
    confirmed_at: datetime | None = None
    checked_in_at: datetime | None = None
    ended_at: datetime | None = None
    ended_as: Literal["cancelled", "rejected"] | None = None

    def due(self) -> tuple[datetime, Standing] | None:
        """What befalls it next if nobody does anything, and when; None where its life was ended."""
        return None if self.ended_as else self._due()

    def _due(self) -> tuple[datetime, Standing]:
        if self.checked_in_at:
            return self.end, "completed"
        if self.confirmed_at:
            # One that was made or approved after the start has its grace from then on, and none outlives its slot.
            return min(max(self.start, self.confirmed_at) + self.grace, self.end), "no_show"
        return self.start, "expired"

    def standing(self, now: datetime) -> Standing:
        """What it is at `now`."""
        if self.ended_as:
            return self.ended_as
        due_at, becomes = self._due()
        if now >= due_at:
            return becomes
        if self.checked_in_at:
            return "checked_in"
        return "confirmed" if self.confirmed_at else "awaiting_approval"

    def is_live(self, now: datetime) -> bool:
        return self.standing(now) in LIVE

    def releases_at(self, now: datetime) -> datetime | None:
        """The instant, not after `now`, since which it holds nothing; None while it holds its slot and buffer."""
        if self.ended_at:
            return self.ended_at
        due = self.due()
        if due and due[1] != "completed" and now >= due[0]:
            return due[0]
        return None

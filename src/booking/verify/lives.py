"""A booking's life as the log tells it: what it may become, from when to when it holds what it takes."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from booking.verify.reading import Event, NotAnEvent, instant, whole, word


class Life(msgspec.Struct, kw_only=True):
    """One booking, moved on by its events.

    What falls due is in force at its due instant, recorded or not. A booking that awaits approval expires at its start.
    A confirmed one to which nobody comes is a no-show when its grace is over: counted from its start or, if that is
    later, from when it was confirmed, and at the latest at its end. One that was checked in is completed at its end.
    """

    position: int
    booking: str
    room: str
    use: str
    units: int
    attendees: int
    person: str
    takes: Mapping[str, int]
    days: tuple[str, ...]
    start: datetime
    end: datetime
    held_until: datetime
    grace: timedelta
    made_at: datetime
    confirmed_at: datetime | None = None
    checked_in_at: datetime | None = None
    ended_at: datetime | None = None
    closed_out: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing may be written of it any more."""
        return self.closed_out or self.ended_at is not None

    def due(self) -> tuple[datetime, str]:
        """When it ends by itself, and the event that records it."""
        if self.checked_in_at is not None:
            return self.end, "BookingCompleted"
        if self.confirmed_at is not None:
            return min(max(self.start, self.confirmed_at) + self.grace, self.end), "NoShowRecorded"
        return self.start, "BookingExpired"

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.due()[0]

    def holds(self, now: datetime) -> tuple[datetime, datetime]:
        """From when up to when it holds what it takes, as it stands at `now`; nothing where the second is not later."""
        until = self.held_until
        if self.ended_at is not None:
            until = min(until, self.ended_at)
        elif self.checked_in_at is None and self.due()[0] <= now:
            until = min(until, self.due()[0])
        return max(self.start, self.made_at), until

    def step(self, event: Event) -> str | None:
        """Move on by an event of this booking. Says what it did not allow, and then stays as it is."""
        if event.type in CLOSE_OUTS:
            return self._close_out(event)
        if not self.is_live(event.at):
            return f"{event.type} of a booking that was no longer live"
        awaits = self.confirmed_at is None
        match event.type:
            case "BookingApproved" if awaits:
                self.confirmed_at = event.at
            case "BookingRejected" if awaits:
                self.ended_at = event.at
            case "BookingCheckedIn" if not awaits and self.checked_in_at is None:
                self.checked_in_at = event.at
            case "BookingCancelled":
                self.ended_at = event.at
            case "BookingEnded" if self.checked_in_at is not None and self.start < event.at:
                return self._end(event)
            case _:
                return f"{event.type} of a booking that {self._stands()}"
        return None

    def _end(self, event: Event) -> str | None:
        """Completed at once; the buffer is held from here on."""
        held_until = event.at + (self.held_until - self.end)
        if instant(event.data["held_until"]) != held_until:
            return f"BookingEnded holds until {event.data['held_until']}, where the buffer ends at {held_until}"
        self.end, self.held_until, self.closed_out = event.at, held_until, True
        return None

    def may_not_move(self, event: Event, to: "Life") -> str | None:
        """Why a BookingRescheduled or BookingExtended may not make this of it; None where it may."""
        if not self.is_live(event.at):
            return f"{event.type} of a booking that was no longer live"
        return self._not_extended(to) if event.type == "BookingExtended" else self._not_rescheduled(to)

    def become(self, to: "Life") -> None:
        """Move to where such an event says."""
        for name in set(self.__struct_fields__) - {"position", "booking", "person"}:
            setattr(self, name, getattr(to, name))

    def _not_extended(self, to: "Life") -> str | None:
        """Nothing but its end becomes another, and it holds already."""
        if self.confirmed_at is None:
            return f"BookingExtended of a booking that {self._stands()}"
        as_before = ("room", "use", "units", "takes", "start", "grace", "made_at", "confirmed_at", "checked_in_at")
        changed = [name for name in as_before if getattr(self, name) != getattr(to, name)]
        if changed or to.end <= self.end:
            return f"BookingExtended changes {', '.join(changed) or 'nothing'} and ends at {to.end}, not {self.end}"
        return None

    def _not_rescheduled(self, to: "Life") -> str | None:
        """It begins anew, unless it is carried elsewhere while it is in use: then it stays so, at the same time."""
        if to.checked_in_at != self.checked_in_at:
            return f"BookingRescheduled says checked in at {to.checked_in_at}, it was at {self.checked_in_at}"
        if self.checked_in_at is not None and (self.start, self.end) != (to.start, to.end):
            return f"BookingRescheduled to another time of a booking that {self._stands()}"
        return None

    def is_within(self, other: "Life") -> bool:
        """Whether it is no more than another was, of the same use."""
        same = (self.room, self.use) == (other.room, other.use)
        in_time = other.start <= self.start and self.end <= other.end
        return same and in_time and self.units <= other.units and self.attendees <= other.attendees

    def _close_out(self, event: Event) -> str | None:
        if self.is_over:
            return f"{event.type} of a booking that was over already"
        due, becomes = self.due()
        if event.type != becomes or event.due != due:
            return f"{event.type} due {event.due}, where {becomes} was due {due}"
        self.closed_out = True
        return None

    def _stands(self) -> str:
        if self.checked_in_at is not None:
            return "was checked in"
        return "awaited approval" if self.confirmed_at is None else "was confirmed"


CLOSE_OUTS = frozenset({"BookingCompleted", "NoShowRecorded", "BookingExpired"})


def made_by(event: Event, position: int, zone: ZoneInfo) -> Life:
    """The life that an event gives which says the whole of a booking. Raises one of `reading.UNREADABLE`."""
    data = event.data
    start, end, held_until = instant(data["start"]), instant(data["end"]), instant(data["held_until"])
    if not start < end <= held_until:
        raise NotAnEvent(f"it is from {start} to {end} and holds until {held_until}")
    takes: dict[str, int] = {}
    for take in data["takes"]:
        takes[word(take["resource"])] = takes.get(take["resource"], 0) + whole(take["units"])
    made_at, confirmed_at, checked_in_at = _instants(event)
    return Life(
        position=position,
        booking=word(data["booking"]),
        room=word(data["room"]),
        use=word(data["use"]),
        units=whole(data["units"]),
        attendees=whole(data.get("attendees", 0)),
        person=word(data["person"]),
        takes=takes,
        days=days_touched(start, held_until, zone),
        start=start,
        end=end,
        held_until=held_until,
        grace=timedelta(minutes=whole(data["grace_minutes"])),
        made_at=made_at,
        confirmed_at=confirmed_at,
        checked_in_at=checked_in_at,
    )


def _instants(event: Event) -> tuple[datetime, datetime | None, datetime | None]:
    """When it was made, confirmed and checked in, as the event says or by when it was written."""
    data = event.data
    checked_in_at = instant(data["checked_in_at"]) if "checked_in_at" in data else None
    match event.type:
        case "BookingExtended":
            return instant(data["made_at"]), instant(data["confirmed_at"]), checked_in_at
        case "BookingRescheduled":
            return event.at, None if data["awaits"] else event.at, checked_in_at
    return event.at, event.at if event.type == "BookingConfirmed" else None, None


def days_touched(start: datetime, until: datetime, zone: ZoneInfo) -> tuple[str, ...]:
    """The local days (YYYY-MM-DD) of [start, until)."""
    first, last = local_day(start, zone), local_day(until - timedelta.resolution, zone)
    return tuple(str(first + timedelta(days=n)) for n in range((last - first).days + 1))


def local_day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()

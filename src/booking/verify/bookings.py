"""Proves the bookings: made once, as their room says, lived as they may; no resource taken beyond its capacity.

The log is replayed in its order. When a command has been replayed, what it added is held against the capacity, as all
bookings stand at that instant. What lies more than `KEPT_DAYS` local days back is forgotten, unless it is still open.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from booking.verify.lives import CLOSE_OUTS, Life, local_day, made_by
from booking.verify.reading import Data, Event, NotAnEvent, whole, word
from booking.verify.report import Findings

KEPT_DAYS = 3
"""A booking can hold nothing after the days that it touches; the rest is margin."""

MADE = frozenset({"BookingRequested", "BookingConfirmed"})
STEPS = frozenset({"BookingApproved", "BookingRejected", "BookingCancelled", "BookingCheckedIn"})

_GRACE_MINUTES_AT_FIRST = 15
_FORGET_EVERY = timedelta(hours=1)
_LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
_NAMED_MAX = 5


class Bookings:
    """All that a log says of bookings, and of the rooms, resources and rules that they stand on, up to an event."""

    def __init__(self, findings: Findings) -> None:
        self.made = 0
        self._findings = findings
        self._zone: ZoneInfo | None = None
        self._rooms: dict[str, Data] = {}
        self._capacity: dict[str, int] = {}
        self._grace_minutes = _GRACE_MINUTES_AT_FIRST
        self._lives: dict[str, Life] = {}
        # By local day, then resource, then the position at which the booking was made.
        self._days: dict[str, dict[str, dict[int, Life]]] = {}
        self._last_days: dict[str, list[str]] = {}
        self._oldest_day = ""
        self._forget_at = datetime.min.replace(tzinfo=UTC)
        self._command = ""
        self._at = self._forget_at
        self._added: list[Life] = []
        self._capacity_changed: list[tuple[int, str]] = []

    def replay(self, position: int, event: Event) -> bool:
        """Move on by an event; whether it makes a booking that was not known. Raises one of `reading.UNREADABLE`."""
        if event.command != self._command:
            self.settle()
        self._command, self._at = event.command, event.at
        self._forget(event.at)
        if event.type in MADE:
            return self._make(position, event)
        if event.type in STEPS or event.type in CLOSE_OUTS:
            self._step(position, event)
        else:
            self._place_or_rule(position, event)
        return False

    def settle(self) -> None:
        """A command has been replayed: nothing that it touched may now be taken beyond its capacity."""
        for life in self._added:
            start, until = life.holds(self._at)
            for resource in life.takes:
                self._check(life.position, resource, start, until, self._of_days(resource, life.days))
        for position, resource in self._capacity_changed:
            live = [life for life in self._of_days(resource, list(self._days)) if life.is_live(self._at)]
            self._check(position, resource, self._at, _LAST_INSTANT, live)
        self._added.clear()
        self._capacity_changed.clear()

    def interrupt(self) -> None:
        """Leave the last command unjudged: an event that may be one more of it is missing, changed or unreadable."""
        self._added.clear()
        self._capacity_changed.clear()

    def _place_or_rule(self, position: int, event: Event) -> None:
        data = event.data
        match event.type:
            case "SubdistrictOpened":
                # It never changes: the days of every booking are counted in it.
                self._zone = self._zone or ZoneInfo(data["time_zone"])
            case "RoomOpened" | "RoomChanged":
                self._rooms[word(data["room"])] = data["definition"]
            case "ResourceOpened" | "ResourceChanged":
                self._capacity[word(data["resource"])] = whole(data["capacity"])
                self._capacity_changed.append((position, data["resource"]))
            case "RulesChanged":
                self._grace_minutes = whole(data["book"]["grace_minutes"])

    def _make(self, position: int, event: Event) -> bool:
        if self._zone is None:
            raise NotAnEvent("a booking before the subdistrict was opened has no local days")
        life = made_by(event, position, self._zone)
        for odd in self._odd_in_making(life, event.data):
            self._findings.add(position, "booking", odd)
        before = self._lives.get(life.booking)
        if before is not None:
            self._findings.add(position, "booking", f"{life.booking} was made before, at {before.position}")
        self.made += 1
        self._lives[life.booking] = life
        self._last_days.setdefault(life.days[-1], []).append(life.booking)
        for day in life.days:
            for resource in life.takes:
                self._days.setdefault(day, {}).setdefault(resource, {})[position] = life
        self._added.append(life)
        return before is None

    def _odd_in_making(self, life: Life, data: Data) -> Iterable[str]:
        """Where a booking is not what its room, its use and the rules make of it."""
        definition = self._rooms.get(life.room)
        uses = definition["uses"] if definition else ()
        use = next((use for use in uses if use["use"] == data["use"]), None)
        if definition is None or use is None:
            yield f"there is no room {life.room} with the use {data['use']}"
            return
        units = whole(data["units"])
        if units < 1 or data["takes"] != [
            {"resource": take["resource"], "units": take["units"] * units} for take in use["takes"]
        ]:
            yield f"it takes other than {units} units of the use {use['use']} take"
        if life.held_until - life.end != timedelta(minutes=definition["buffer_minutes"]):
            yield f"it is held until {life.held_until}, the room's buffer is {definition['buffer_minutes']} minutes"
        if tuple(data["days"]) != life.days:
            yield f"it names the days {', '.join(data['days'])} and touches {', '.join(life.days)}"
        if life.days[0] < self._oldest_day:
            yield f"it was made for {life.days[0]}, which had long passed"
        if life.grace != timedelta(minutes=self._grace_minutes):
            yield f"its grace is {data['grace_minutes']} minutes, the rules say {self._grace_minutes}"

    def _step(self, position: int, event: Event) -> None:
        data = event.data
        life = self._lives.get(data["booking"])
        if life is None:
            self._findings.add(position, "booking", f"{data['booking']} was never made, or was over days before")
            return
        same = (life.room, life.person) == (data["room"], data["person"])
        if event.type in STEPS:
            same = same and (tuple(life.takes), life.days) == (tuple(data["resources"]), tuple(data["days"]))
        if not same:
            self._findings.add(
                position, "booking", f"it does not name {life.booking} as it was made at {life.position}"
            )
        refused = life.step(event)
        if refused is not None:
            self._findings.add(position, "life", refused)
        elif life.is_over:
            self._let_go(life, event.at)

    def _let_go(self, life: Life, now: datetime) -> None:
        """Drop what can never matter again of a booking that is over."""
        start, until = life.holds(now)
        if start >= until:
            for day in life.days:
                for resource in life.takes:
                    self._days.get(day, {}).get(resource, {}).pop(life.position, None)
        if life.days[-1] < self._oldest_day:
            del self._lives[life.booking]

    def _forget(self, now: datetime) -> None:
        if self._zone is None or now < self._forget_at:
            return
        self._forget_at = now + _FORGET_EVERY
        self._oldest_day = str(local_day(now, self._zone) - timedelta(days=KEPT_DAYS))
        for day in [day for day in self._days if day < self._oldest_day]:
            del self._days[day]
        for day in [day for day in self._last_days if day < self._oldest_day]:
            for booking in self._last_days.pop(day):
                if booking in self._lives and self._lives[booking].is_over:
                    del self._lives[booking]

    def _of_days(self, resource: str, days: Iterable[str]) -> list[Life]:
        lives = {life.position: life for day in days for life in self._days.get(day, {}).get(resource, {}).values()}
        return list(lives.values())

    def _check(self, position: int, resource: str, start: datetime, until: datetime, lives: list[Life]) -> None:
        """At no instant of [start, until) may these bookings take more of the resource than its capacity."""
        near = (life for life in lives if life.start < until and start < life.held_until)
        held = [(*life.holds(self._at), life) for life in near]
        held = [hold for hold in held if hold[0] < hold[1] and hold[0] < until and start < hold[1]]
        capacity = self._capacity.get(resource, 0)
        # More is taken than just before only where something begins, so no other instant can be the worst.
        for at in sorted({max(start, begins) for begins, _, _ in held}):
            there = [life for begins, ends, life in held if begins <= at < ends]
            taken = sum(life.takes[resource] for life in there)
            if taken > capacity:
                names = ", ".join(life.booking for life in there[:_NAMED_MAX]) + (" …" if there[_NAMED_MAX:] else "")
                self._findings.add(position, "overbooked", f"{taken} of {capacity} of {resource} at {at}: {names}")
                return

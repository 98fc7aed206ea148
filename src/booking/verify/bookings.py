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
from booking.verify.rooms import ROOMS, Rooms

KEPT_DAYS = 3
"""A booking can hold nothing after the days that it touches; the rest is margin."""

MADE = frozenset({"BookingRequested", "BookingConfirmed"})
MOVED = frozenset({"BookingRescheduled", "BookingExtended"})
STEPS = frozenset({"BookingApproved", "BookingRejected", "BookingCancelled", "BookingCheckedIn", "BookingEnded"})

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
        self._rooms = Rooms()
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
        self._added: list[tuple[int, Life]] = []
        self._capacity_changed: list[tuple[int, str]] = []

    def replay(self, position: int, event: Event) -> bool:
        """Move on by an event; whether it makes a booking that was not known. Raises one of `reading.UNREADABLE`."""
        if event.command != self._command:
            self.settle()
        self._command, self._at = event.command, event.at
        self._forget(event.at)
        if event.type in MADE:
            return self._make(position, event)
        if event.type in MOVED:
            self._move(position, event)
        elif event.type in STEPS or event.type in CLOSE_OUTS:
            self._step(position, event)
        else:
            self._place_or_rule(position, event)
        return False

    def settle(self) -> None:
        """A command has been replayed: nothing that it touched may now be taken beyond its capacity."""
        for position, life in self._added:
            start, until = life.holds(self._at)
            # What one that was extended held before is past, and the capacity may have been another then.
            start = max(start, self._at)
            for resource in life.takes:
                self._check(position, resource, start, until, self._of_days(resource, life.days))
        for position, resource in self._capacity_changed:
            live = [life for life in self._of_days(resource, list(self._days)) if life.is_live(self._at)]
            self._check(position, resource, self._at, _LAST_INSTANT, live)
        still_live = (life for life in self._lives.values() if life.is_live(self._at))
        for position, odd in self._rooms.settle(still_live):
            self._findings.add(position, "booking", odd)
        self._begin()

    def interrupt(self) -> None:
        """Leave the last command unjudged: an event that may be one more of it is missing, changed or unreadable."""
        self._begin()

    def _begin(self) -> None:
        self._added.clear()
        self._capacity_changed.clear()
        self._rooms.begin()

    def _place_or_rule(self, position: int, event: Event) -> None:
        data = event.data
        match event.type:
            case "SubdistrictOpened":
                # It never changes: the days of every booking are counted in it.
                self._zone = self._zone or ZoneInfo(data["time_zone"])
            case room if room in ROOMS:
                self._find(position, self._rooms.replay(position, event))
            case "ResourceOpened" | "ResourceChanged":
                self._capacity[word(data["resource"])] = whole(data["capacity"])
                self._capacity_changed.append((position, data["resource"]))
            case "RulesChanged":
                self._grace_minutes = whole(data["book"]["grace_minutes"])

    def _make(self, position: int, event: Event) -> bool:
        life = made_by(event, position, self._zone_of_days())
        before = self._lives.get(life.booking)
        self._find(position, self._odd_in_slot(life, event.data, life.days, timedelta(minutes=self._grace_minutes)))
        if event.type == "BookingConfirmed" and self._asks_approval(life):
            self._findings.add(position, "booking", "it holds without the approval that its use asks for")
        if before is not None:
            self._findings.add(position, "booking", f"{life.booking} was made before, at {before.position}")
        self.made += 1
        self._lives[life.booking] = life
        self._enter(position, life)
        return before is None

    def _move(self, position: int, event: Event) -> None:
        life = self._known(position, event.data)
        if life is None:
            return
        to = made_by(event, position, self._zone_of_days())
        self._find(position, self._odd_in_move(life, to, event))
        refused = life.may_not_move(event, to)
        if refused is not None:
            self._findings.add(position, "life", refused)
            return
        self._leave(life)
        life.become(to)
        self._enter(position, life)

    def _odd_in_move(self, life: Life, to: Life, event: Event) -> Iterable[str]:
        """Where it does not begin from what the booking was, or end as its room, its use and the rules have it."""
        left = event.data.get("left") or {"room": life.room, "resources": list(life.takes), "days": list(life.days)}
        named = (to.person, left["room"], tuple(left["resources"]), tuple(left["days"]))
        if named != (life.person, life.room, tuple(life.takes), life.days):
            yield f"it does not name {life.booking} as it was"
        if event.type == "BookingExtended":
            # The days that it touched stay named, where its new buffer is so much shorter that it touches fewer.
            to.days = tuple(sorted({*life.days, *to.days}))
            yield from self._odd_in_slot(to, event.data, to.days, life.grace)
            return
        yield from self._odd_in_slot(to, event.data, to.days, timedelta(minutes=self._grace_minutes))
        if self._rooms.carries(event):
            yield from self._rooms.odd_in_carrying(life, to, event)
            return
        approved = life.confirmed_at is not None and to.is_within(life)
        if event.data["awaits"] != (self._asks_approval(to) and not approved):
            yield f"it {'awaits' if event.data['awaits'] else 'holds without'} an approval, at odds with its use"

    def _zone_of_days(self) -> ZoneInfo:
        if self._zone is None:
            raise NotAnEvent("a booking before the subdistrict was opened has no local days")
        return self._zone

    def _known(self, position: int, data: Data) -> Life | None:
        life = self._lives.get(data["booking"])
        if life is None:
            self._findings.add(position, "booking", f"{data['booking']} was never made, or was over days before")
        return life

    def _find(self, position: int, odd: Iterable[str]) -> None:
        for what in odd:
            self._findings.add(position, "booking", what)

    def _enter(self, position: int, life: Life) -> None:
        """Index it under the days and resources that it holds from now on; it is judged when its command is over."""
        self._last_days.setdefault(life.days[-1], []).append(life.booking)
        for day in life.days:
            for resource in life.takes:
                self._days.setdefault(day, {}).setdefault(resource, {})[life.position] = life
        self._added.append((position, life))

    def _leave(self, life: Life) -> None:
        for day in life.days:
            for resource in life.takes:
                self._days.get(day, {}).get(resource, {}).pop(life.position, None)

    def _use(self, life: Life) -> Data | None:
        definition = self._rooms.definitions.get(life.room)
        return next((use for use in definition["uses"] if use["use"] == life.use), None) if definition else None

    def _asks_approval(self, life: Life) -> bool:
        use = self._use(life)
        return bool(use and use["approval"])

    def _odd_in_slot(self, life: Life, data: Data, days: tuple[str, ...], grace: timedelta) -> Iterable[str]:
        """Where a booking is not what its room, its use and the rules make of it."""
        use = self._use(life)
        if use is None:
            yield f"there is no room {life.room} with the use {life.use}"
            return
        if life.units < 1 or data["takes"] != [
            {"resource": take["resource"], "units": take["units"] * life.units} for take in use["takes"]
        ]:
            yield f"it takes other than {life.units} units of the use {life.use} take"
        buffer = self._rooms.definitions[life.room]["buffer_minutes"]
        if life.held_until - life.end != timedelta(minutes=buffer):
            yield f"it is held until {life.held_until}, the room's buffer is {buffer} minutes"
        if tuple(data["days"]) != days:
            yield f"it names the days {', '.join(data['days'])} and touches {', '.join(days)}"
        if life.days[0] < self._oldest_day:
            yield f"it is for {life.days[0]}, which had long passed"
        if life.grace != grace:
            yield f"its grace is {data['grace_minutes']} minutes, by the rules {grace}"

    def _step(self, position: int, event: Event) -> None:
        data = event.data
        life = self._known(position, data)
        if life is None:
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
            self._leave(life)
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

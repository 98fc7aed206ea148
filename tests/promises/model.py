"""A second, simple Linyue for the stateful test: whole seconds, brute force, no tags, no folding. The oracle.

It shares nothing with the deciders. Times are seconds since midnight of the first local day; the subdistrict has no
daylight saving time, so a local day has 86,400 of them.
"""

from dataclasses import dataclass, field, replace

MINUTE, HOUR, DAY = 60, 3_600, 86_400
OPENS, CLOSES = 9 * HOUR, 21 * HOUR
GRACE = EARLY = 15 * MINUTE
LIVE = ("awaiting_approval", "confirmed", "checked_in")


@dataclass(frozen=True)
class Use:
    """What one unit takes, how many there are, whether it asks for approval."""

    takes: dict[str, int]
    units: int = 1
    slot: int = HOUR
    approval: bool = False


@dataclass(frozen=True)
class Extra:
    """Open beside the week's hours, from one local day to another."""

    first_day: int
    last_day: int
    opens: int
    closes: int


@dataclass(frozen=True)
class Room:
    uses: dict[str, Use]
    buffer: int = 0
    opens: int = OPENS
    closes: int = CLOSES
    extra: tuple[Extra, ...] = ()

    def is_open(self, second: int) -> bool:
        day, of_day = divmod(second, DAY)
        extra = any(e.first_day <= day <= e.last_day and e.opens <= of_day < e.closes for e in self.extra)
        return extra or self.opens <= of_day < self.closes

    def is_open_within(self, start: int, end: int) -> bool:
        """On one local day, without an end in between. Hours begin and end at whole hours."""
        return start // DAY == (end - 1) // DAY and all(self.is_open(s) for s in (*range(start, end, HOUR), end - 1))

    def opened(self, second: int) -> int:
        """When it was opened that is open then: where its slots are counted from."""
        hour = second // HOUR * HOUR
        while hour % DAY and self.is_open(hour - HOUR):
            hour -= HOUR
        return hour


@dataclass(frozen=True)
class Place:
    """What somebody wants: so many units of a room's use, from one second to another."""

    room: str
    use: str
    units: int
    start: int
    end: int

    def is_within(self, other: "Place") -> bool:
        """No more of the same use, and at no other time."""
        same = (self.room, self.use) == (other.room, other.use)
        return same and self.units <= other.units and other.start <= self.start and self.end <= other.end


@dataclass
class Booking:
    id: str
    room: str
    use: str
    units: int
    start: int
    end: int
    held_until: int
    takes: dict[str, int]
    person: str
    made: int
    confirmed: int | None
    checked_in: int | None = None
    ended: int | None = None
    ended_as: str = ""
    recorded: bool = False

    def place(self) -> "Place":
        return Place(self.room, self.use, self.units, self.start, self.end)

    def due(self) -> tuple[int, str] | None:
        if self.ended is not None:
            return None
        if self.checked_in is not None:
            return self.end, "completed"
        if self.confirmed is None:
            return self.start, "expired"
        return min(max(self.start, self.confirmed) + GRACE, self.end), "no_show"

    def standing(self, now: int) -> str:
        due = self.due()
        if due is None:
            return self.ended_as
        if now >= due[0]:
            return due[1]
        if self.checked_in is not None:
            return "checked_in"
        return "confirmed" if self.confirmed is not None else "awaiting_approval"

    def holds(self, second: int, now: int) -> bool:
        """Whether, seen from `now`, it holds its resources at this second; what was ended holds nothing any more."""
        end = self.held_until
        due = self.due()
        if due is None:
            return False
        if due[1] != "completed" and now >= due[0]:
            end = min(end, due[0])
        return max(self.start, self.made) <= second < end


@dataclass
class Model:
    rooms: dict[str, Room]
    capacity: dict[str, int]
    clock: int = 0
    last_at: int = 0
    quota: int = 3
    lead: int = 30 * MINUTE
    longest: int = 3 * HOUR
    version: int = 1
    bookings: dict[str, Booking] = field(default_factory=dict)
    closures: list[tuple[str, int, int | None, bool]] = field(default_factory=list)
    refused: dict[object, tuple[int, int, frozenset[str], frozenset[str]]] = field(default_factory=dict)
    events: int = 0

    @property
    def now(self) -> int:
        """Time in the log does not run backwards."""
        return max(self.clock, self.last_at)

    def wrote(self, events: int) -> None:
        self.events += events
        if events:
            self.last_at = self.now

    def refuse(self, request: object, rules: frozenset[str], bookings: frozenset[str] = frozenset()) -> None:
        """A refusal is written once an hour for the same request, by the same rules of the same version.

        And, where bookings stand against it, for the same bookings.
        """
        before = self.refused.get(request)
        if before and before[1:] == (self.version, rules, bookings) and self.now - before[0] < HOUR:
            return
        self.wrote(1)
        self.refused[request] = self.now, self.version, rules, bookings

    def closed_at(self, room: str, second: int) -> bool:
        closed = False
        for name, start, end, is_closed in self.closures:
            if name == room and start <= second and (end is None or second < end):
                closed = is_closed
        return closed

    def is_closed_within(self, room: str, start: int, end: int) -> bool:
        """Whether anything of this time is closed: closures begin and end at whole quarters of an hour or right now."""
        seconds = {start, *range(-(-start // (15 * MINUTE)) * 15 * MINUTE, end, 15 * MINUTE)}
        return any(self.closed_at(room, second) for second in seconds if second < end)

    def taken(self, resource: str, start: int, end: int, but: Booking | None = None) -> int:
        """The most that is held at one instant: holds begin and end at whole minutes or at a recorded second."""
        holding = [b for b in self.bookings.values() if b.takes.get(resource) and b is not but]
        instants = {start, *(b.made for b in holding), *(b.start for b in holding)}
        return max(
            sum(b.takes[resource] for b in holding if b.holds(second, self.now))
            for second in instants
            if start <= second < end
        )

    def open_of(self, person: str, but: Booking | None = None) -> int:
        mine = (b for b in self.bookings.values() if b.person == person and b is not but)
        return sum(b.standing(self.now) in LIVE for b in mine)

    def broken(self, place: Place, person: str, of: Booking | None = None) -> frozenset[str]:
        """Every rule that says no to a request, or to a booking that is to be moved there."""
        keeps_start = of is not None and place.start == of.start and place.end > self.now
        rules = set(self.broken_by(place, place.end + self.rooms[place.room].buffer, of))
        if self.open_of(person, of) >= self.quota:
            rules.add("quota_reached")
        if not keeps_start:
            says_no = {
                "in_the_past": place.start <= self.now,
                "too_soon": 0 < place.start - self.now < self.lead,
                "too_far_ahead": self.now < (place.start // DAY - 14) * DAY + 8 * HOUR,
            }
            rules |= {rule for rule, no in says_no.items() if no}
        return frozenset(rules)

    def broken_by(self, place: Place, held_until: int, of: Booking | None) -> frozenset[str]:
        """What the room says of a slot, whoever has it and since whenever; what has passed of a booking is its own."""
        room, start, end = self.rooms[place.room], place.start, place.end
        use = room.uses[place.use]
        held_from = max(start, self.now) if of is not None and start == of.start and end > self.now else start
        open_then = room.is_open_within(start, end)
        opens = room.opened(start)
        taken = {resource: self.taken(resource, held_from, held_until, of) for resource in use.takes}
        most = min([use.units, *(self.capacity[r] // each for r, each in use.takes.items())])
        says_no = {
            "room_closed": any(self.closed_at(place.room, second) for second in range(start, end, 15 * MINUTE)),
            "outside_hours": not open_then,
            "off_grid": open_then and bool((start - opens) % use.slot or (end - opens) % use.slot),
            "too_long": end - start > self.longest,
            "too_many_units": place.units > most,
            "slot_taken": any(
                taken[r] and taken[r] + each * place.units > self.capacity[r] for r, each in use.takes.items()
            ),
        }
        return frozenset(rule for rule, no in says_no.items() if no)

    def awaits(self, place: Place, of: Booking) -> bool:
        """Whether somebody must look at a booking again when it is moved there."""
        approved = of.confirmed is not None and place.is_within(of.place())
        return self.rooms[place.room].uses[place.use].approval and not approved

    def free(self, place: Place, person: str = "") -> int:
        """How many units could be had in a slot right now."""
        units = 0
        while not self.broken(replace(place, units=units + 1), person):
            units += 1
        return units

    def make(self, id_: str, place: Place, person: str) -> Booking:
        use = self.rooms[place.room].uses[place.use]
        booking = Booking(
            id=id_,
            room=place.room,
            use=place.use,
            units=place.units,
            start=place.start,
            end=place.end,
            held_until=place.end + self.rooms[place.room].buffer,
            takes={resource: each * place.units for resource, each in use.takes.items()},
            person=person,
            made=self.now,
            confirmed=None if use.approval else self.now,
        )
        self.bookings[id_] = booking
        self.wrote(1)
        return booking

    def move(self, booking: Booking, place: Place) -> None:
        """It begins anew there."""
        awaits = self.awaits(place, booking)
        self.make(booking.id, place, booking.person).confirmed = None if awaits else self.now

    def extend(self, booking: Booking, end: int) -> None:
        booking.end, booking.held_until = end, end + self.rooms[booking.room].buffer
        self.wrote(1)

    def end_early(self, booking: Booking) -> None:
        """The buffer moves along, and there is nothing left to record."""
        booking.held_until += self.now - booking.end
        booking.end, booking.recorded = self.now, True
        self.wrote(1)

    def live_in(self, *rooms: str) -> list[Booking]:
        return [b for b in self.bookings.values() if b.room in rooms and b.standing(self.now) in LIVE]

    def unfit_in(self, name: str, room: Room) -> set[str]:
        """Whom a room leaves without a place that becomes so: their use, what it takes, the hours."""
        return {b.id for b in self.live_in(name) if not self._serves(room, b) or b.takes != self._takes(room, b)}

    def _serves(self, room: Room, booking: Booking) -> bool:
        use = room.uses.get(booking.use)
        return use is not None and booking.units <= use.units and room.is_open_within(booking.start, booking.end)

    @staticmethod
    def _takes(room: Room, booking: Booking) -> dict[str, int]:
        return {resource: each * booking.units for resource, each in room.uses[booking.use].takes.items()}

    def rehoused(
        self, retire: tuple[str, ...], into: dict[str, Room], named: set[str]
    ) -> tuple[dict[str, str], set[str]]:
        """To which of the new rooms each booking goes, those made first before the others; and who has no place."""
        leaving = sorted(self.live_in(*retire), key=lambda b: (b.id in named, b.made, b.id))
        staying = [b for b in self.bookings.values() if b not in leaving]
        homes: dict[str, str] = {}
        for booking in leaving:
            for name, room in into.items():
                if self._serves(room, booking):
                    moved = self._moved(booking, name, room)
                    if all(self._has_room(resource, moved, staying) for resource in moved.takes):
                        homes[booking.id] = name
                        staying.append(moved)
                        break
        return homes, {b.id for b in leaving} - homes.keys()

    def _moved(self, booking: Booking, name: str, room: Room) -> Booking:
        """The same booking there, from now on."""
        return replace(
            booking,
            room=name,
            takes=self._takes(room, booking),
            held_until=booking.end + room.buffer,
            made=self.now,
            confirmed=None if booking.confirmed is None else self.now,
        )

    def _has_room(self, resource: str, moved: Booking, others: list[Booking]) -> bool:
        first, holding = max(moved.start, self.now), [b for b in others if b.takes.get(resource)]
        instants = [first, *(max(b.start, b.made) for b in holding)]
        peak = max(
            sum(b.takes[resource] for b in holding if b.holds(second, self.now))
            for second in instants
            if first <= second < moved.held_until
        )
        return peak + moved.takes[resource] <= self.capacity[resource]

    def replace_rooms(self, retire: tuple[str, ...], into: dict[str, Room], homes: dict[str, str]) -> None:
        for name in retire:
            del self.rooms[name]
        self.closures = [closure for closure in self.closures if closure[0] not in retire]
        self.rooms |= into
        for id_, home in homes.items():
            self.bookings[id_] = self._moved(self.bookings[id_], home, into[home])

    def overlapping(self, room: str, start: int, end: int | None) -> set[str]:
        return {
            b.id
            for b in self.bookings.values()
            if b.room == room and b.standing(self.now) in LIVE and start < b.end and (end is None or b.start < end)
        }

    def end(self, ids: set[str], how: str) -> None:
        for id_ in ids:
            self.bookings[id_].ended, self.bookings[id_].ended_as = self.now, how

    def unfit(self, resource: str, capacity: int) -> set[str]:
        """Whom a smaller capacity leaves without room: earlier made bookings stay first."""
        kept: list[Booking] = []
        out: set[str] = set()
        live = [b for b in self.bookings.values() if b.standing(self.now) in LIVE and b.takes.get(resource)]
        for booking in sorted(live, key=lambda b: (b.made, b.id)):
            first = max(booking.start, booking.made)
            instants = [first, *(max(k.start, k.made) for k in kept)]
            peak = max(
                sum(k.takes[resource] for k in kept if k.holds(second, self.now))
                for second in instants
                if first <= second < booking.held_until
            )
            if peak + booking.takes[resource] > capacity:
                out.add(booking.id)
            else:
                kept.append(booking)
        return out

    def overbooked(self) -> list[str]:
        """The resources of which live bookings take more than there is, at some instant from now on."""
        return [
            resource
            for resource, capacity in self.capacity.items()
            if self.taken(resource, self.now, self.now + 40 * DAY) > capacity
        ]

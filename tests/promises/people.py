"""What people do in the model's test: ask for a booking, move it, come, stay longer, leave early, give it up."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule
from tests.promises.model import DAY, HOUR, LIVE, MINUTE, Booking, Place
from tests.promises.system import PEOPLE, ROOMS, STAFF, System, instant

from booking.messages import Answer, Asker, Command, Outcome
from booking.reservations.decide import (
    CancelBooking,
    CheckIn,
    EndBooking,
    ExtendBooking,
    RequestBooking,
    RescheduleBooking,
)

# What hypothesis takes for a bundle: the id of one booking, or `multiple()` for none; it types it as anything.
Made = Any
Rule = TypeVar("Rule", bound=Callable[..., Any])

people = st.sampled_from(PEOPLE)
# What asks for approval is wanted more often, as each answer to it must come up a hundred times in the long run.
ASKED_FOR = [(room, use) for room, known in ROOMS.items() for use in known.uses]
# Of the court and its halves, one or the other is there.
NOW_AND_THEN = [("court", "羽毛球"), ("east", "羽毛球"), ("west", "羽毛球")]
uses = st.sampled_from([*ASKED_FOR, *NOW_AND_THEN, ("hall", "整场"), ("dance", "舞蹈"), ("dance", "舞蹈")])
some_units = st.sampled_from([1, 1, 1, 2, 3, 4])
# Most days are near, so that people want the same; some are beyond the horizon or behind.
days_ahead = st.sampled_from([0, 0, 0, 0, 1, 1, 14, 15, -1])
starts = st.sampled_from([8 * HOUR, *[h * HOUR for h in range(9, 21)], 10 * HOUR + 30 * MINUTE])
lengths = st.sampled_from([HOUR, HOUR, 2 * HOUR, 30 * MINUTE, 4 * HOUR])
counted: Counter[tuple[str, str]] = Counter()


def some_are(*standings: str) -> Callable[[Rule], Rule]:
    """A rule for which there must be a booking that stands so, or it would have nothing to do."""
    return precondition(lambda self: self.one_that_is(standings, 0) is not None)


class People(System):
    """What people do, in any order."""

    bookings = Bundle("bookings")

    @initialize(
        target=bookings,
        wanted=st.lists(st.tuples(people, uses, st.integers(2, 30)), min_size=4, max_size=6),
    )
    def book_what_lies_ahead(self, wanted: list[tuple[str, tuple[str, str], int]]) -> Made:
        """A day that has begun is livelier than an empty one."""
        made = [
            self._request(who, Place(*where, 1, at * HOUR, (at + 1) * HOUR)) for who, where, at in self._ahead(wanted)
        ]
        return multiple(*(id_ for id_ in made if isinstance(id_, str)))

    def _ahead(self, wanted: list[tuple[str, tuple[str, str], int]]) -> Iterator[tuple[str, tuple[str, str], int]]:
        """Within the opening hours of today and tomorrow, counted from now."""
        hours = [h for h in range(24 * 3) if 9 <= h % 24 < 21 and h * HOUR > self.model.now]
        return ((who, where, hours[wait % len(hours)]) for who, where, wait in wanted)

    @rule(target=bookings, person=people, where=uses, units=some_units, day=days_ahead, start=starts, length=lengths)
    def request(self, person: str, where: tuple[str, str], units: int, day: int, start: int, length: int) -> Made:
        start += (self.model.now // DAY + day) * DAY
        return self._request(person, Place(*where, units, start, start + length))

    @rule(target=bookings, person=people, where=uses, wait=st.integers(0, 3))
    def request_what_is_near(self, person: str, where: tuple[str, str], wait: int) -> Made:
        """Within the hours of today, so that people come, stay away and take each other's places."""
        start = (self.model.now // HOUR + 1 + wait) * HOUR
        return self._request(person, Place(*where, 1, start, start + HOUR))

    def _request(self, person: str, to: Place) -> Made:
        start, end = instant(to.start), instant(to.end)
        command = RequestBooking(room=to.room, use=to.use, units=to.units, start=start, end=end, person=person)
        answer = self.ask(command, resident(person))
        if to.room not in self.model.rooms:
            assert answer.outcome is Outcome.DENIED
            return multiple()
        rules = self.model.broken(to, person)
        self.agrees("request", answer, rules, (person, command))
        if rules:
            return multiple()
        id_: str = msgspec.json.decode(answer.body)["id"]
        self.model.make(id_, to, person)
        return id_

    @rule(
        booking=bookings, where=uses, units=some_units, day=days_ahead, start=starts, length=lengths,
        by_staff=st.booleans(),
    )  # fmt: skip
    def reschedule(
        self, booking: str, where: tuple[str, str], units: int, day: int, start: int, length: int, by_staff: bool
    ) -> None:
        start += (self.model.now // DAY + day) * DAY
        self._reschedule(self.model.bookings[booking], Place(*where, units, start, start + length), by_staff)

    @some_are("awaiting_approval", "confirmed")
    @rule(pick=st.integers(0, 20), later=st.integers(-2, 3), longer=st.integers(-2, 1), by_staff=st.booleans())
    def shift_what_lies_ahead(self, pick: int, later: int, longer: int, by_staff: bool) -> None:
        """By some hours, where it is: shortened, moved into its own time, or asked for as it is."""
        if known := self.one_that_is(LIVE[:2], pick):
            start = known.start + later * HOUR
            end = max(known.end + (later + longer) * HOUR, start + HOUR)
            self._reschedule(known, Place(known.room, known.use, known.units, start, end), by_staff)

    @some_are("awaiting_approval", "confirmed")
    @rule(pick=st.integers(0, 20), where=uses, units=some_units, by_staff=st.booleans())
    def move_what_lies_ahead(self, pick: int, where: tuple[str, str], units: int, by_staff: bool) -> None:
        """To another use or room at the same time."""
        if known := self.one_that_is(LIVE[:2], pick):
            self._reschedule(known, Place(*where, units, known.start, known.end), by_staff)

    def _reschedule(self, known: Booking, to: Place, by_staff: bool) -> None:
        asker = STAFF if by_staff else resident(known.person)
        # What stays as it was may be left out; another use is named together with its room.
        stays = (to.room, to.use) == (known.room, known.use)
        command = RescheduleBooking(
            booking=known.id,
            room=None if stays else to.room,
            use=None if stays else to.use,
            units=None if to.units == known.units else to.units,
            start=instant(to.start),
            end=instant(to.end),
        )
        answer = self.ask(command, asker)
        if known.standing(self.model.now) in LIVE[:2] and to.room not in self.model.rooms:
            assert answer.outcome is Outcome.DENIED
            return
        rules = self._against_a_move(known, to, by_staff)
        self.agrees("reschedule", answer, rules, (asker.id, command))
        if not rules and to != known.place():
            self.model.move(known, to)

    def _against_a_move(self, known: Booking, to: Place, by_staff: bool) -> frozenset[str]:
        now = self.model.now
        if known.standing(now) not in ("awaiting_approval", "confirmed"):
            return frozenset({"wrong_state"})
        if to == known.place():
            return frozenset()
        rules = set(self.model.broken(to, known.person, known))
        if not by_staff and now >= known.start:
            rules.add("already_started")
        if self.model.awaits(to, known) and to.start == known.start <= now:
            rules.add("approval_needed")
        return frozenset(rules)

    @rule(booking=bookings, more=st.integers(0, 3), by_staff=st.booleans())
    def extend(self, booking: str, more: int, by_staff: bool) -> None:
        self._extend(self.model.bookings[booking], more, by_staff)

    @some_are("confirmed", "checked_in")
    @rule(pick=st.integers(0, 20), more=st.integers(1, 2), by_staff=st.booleans())
    def stay_longer(self, pick: int, more: int, by_staff: bool) -> None:
        if known := self.one_that_is(LIVE[1:], pick):
            self._extend(known, more, by_staff)

    def _extend(self, known: Booking, more: int, by_staff: bool) -> None:
        asker = STAFF if by_staff else resident(known.person)
        end = known.end + more * HOUR
        to = Place(known.room, known.use, known.units, known.start, end)
        rules = {"wrong_state"}
        if known.standing(self.model.now) in LIVE[1:]:
            rules = set(self.model.broken(to, known.person, known)) if more else set()
            if more and not by_staff and self.model.awaits(to, known):
                rules.add("approval_needed")
        command = ExtendBooking(booking=known.id, end=instant(end))
        answer = self.ask(command, asker)
        self.agrees("extend", answer, frozenset(rules), (asker.id, command))
        if not rules and more:
            self.model.extend(known, end)

    @rule(booking=bookings, by_staff=st.booleans())
    def end_early(self, booking: str, by_staff: bool) -> None:
        self._end(self.model.bookings[booking], by_staff)

    @some_are("checked_in")
    @rule(pick=st.integers(0, 20), minutes=st.integers(-10, 50), by_staff=st.booleans())
    def leave_early(self, pick: int, minutes: int, by_staff: bool) -> None:
        """Some minutes after the start of one that is in use, and now and then before it."""
        if known := self.one_that_is(LIVE[2:], pick):
            self.model.clock = max(self.model.clock, known.start + minutes * MINUTE)
            self._end(known, by_staff)

    def _end(self, known: Booking, by_staff: bool) -> None:
        asker = STAFF if by_staff else resident(known.person)
        in_use = known.standing(self.model.now) == "checked_in"
        early = in_use and self.model.now <= known.start
        rules = frozenset({"not_started"} if early else set() if in_use else {"wrong_state"})
        command = EndBooking(booking=known.id)
        self.agrees("end", self.ask(command, asker), rules, (asker.id, command))
        if not rules:
            self.model.end_early(known)

    @rule(booking=bookings, person=people, mine=st.booleans())
    def cancel(self, booking: str, person: str, mine: bool) -> None:
        self._cancel(booking, self.model.bookings[booking].person if mine else person)

    @some_are(*LIVE)
    @rule(pick=st.integers(0, 20))
    def give_up_what_lies_ahead(self, pick: int) -> None:
        if known := self.one_that_is(LIVE, pick):
            self._cancel(known.id, known.person)

    def _cancel(self, booking: str, person: str) -> None:
        known = self.model.bookings[booking]
        standing = known.standing(self.model.now)
        rules = set()
        if standing not in LIVE:
            rules.add("wrong_state")
        elif standing != "awaiting_approval" and self.model.now >= known.start:
            rules.add("already_started")
        command = CancelBooking(booking=booking, reason="ill")
        answer = self.ask(command, resident(person))
        if person != known.person:
            assert answer.outcome is Outcome.DENIED
            return
        self.agrees("cancel", answer, frozenset(rules), (person, command))
        if not rules:
            self.model.end({booking}, "cancelled")
            self.model.wrote(1)

    @rule(booking=bookings)
    def check_in(self, booking: str) -> None:
        self._check_in(booking)

    @some_are("confirmed")
    @rule(pick=st.integers(0, 20))
    def come_in_time(self, pick: int) -> None:
        """As most do: a few minutes before the start of one of the next."""
        if known := self.one_that_is(("confirmed",), pick % 2):
            self.model.clock = max(self.model.clock, known.start - 5 * MINUTE)
            self._check_in(known.id)

    @some_are("confirmed")
    @rule(pick=st.integers(0, 1), more=st.integers(0, 1), minutes=st.integers(1, 50), by_staff=st.booleans())
    def come_and_leave(self, pick: int, more: int, minutes: int, by_staff: bool) -> None:
        """A visit from its beginning to its end, and now and then an hour more."""
        self.come_in_time(pick)
        self.stay_longer(pick, more, by_staff)
        self.leave_early(pick, minutes, by_staff)

    def _check_in(self, booking: str) -> None:
        known = self.model.bookings[booking]
        standing = known.standing(self.model.now)
        early = standing == "confirmed" and self.model.now < known.start - 15 * MINUTE
        rules = {"too_early"} if early else set() if standing == "confirmed" else {"wrong_state"}
        command = CheckIn(booking=booking)
        self.agrees("check_in", self.ask(command, resident(known.person)), frozenset(rules), (known.person, command))
        if not rules:
            known.checked_in = self.model.now
            self.model.wrote(1)

    def one_that_is(self, standings: tuple[str, ...], pick: int) -> Booking | None:
        """One of those that stand so; the one that begins first for 0."""
        some = [b for b in self.model.bookings.values() if b.standing(self.model.now) in standings]
        return sorted(some, key=lambda b: (b.start, b.id))[pick % len(some)] if some else None

    def agrees(
        self,
        command: str,
        answer: Answer,
        rules: frozenset[str],
        request: tuple[str, Command],
        bookings: frozenset[str] = frozenset(),
    ) -> None:
        """The system says what the model says, for every rule of it; `request`: who asked for what.

        `bookings` stand against it.
        """
        counted[command, "refused" if rules else "accepted"] += 1
        if not rules:
            assert answer.outcome is Outcome.DONE, (request, answer)
            return
        assert answer.outcome is Outcome.REFUSED, (request, answer, rules)
        reasons = msgspec.json.decode(answer.body)["reasons"]
        told = {reason["rule"] for reason in reasons}
        assert told == rules, (request, told, rules)
        assert {booking for reason in reasons for booking in reason.get("bookings", ())} == bookings
        self.model.refuse(request, rules, bookings)


def resident(person: str) -> Asker:
    return Asker(id=person, role="resident", channel="phone", scope="own")

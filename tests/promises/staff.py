"""What staff do in the model's test: answer requests, close rooms and open them, take resources away, set rules."""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.promises.model import HOUR
from tests.promises.people import ASKED_FOR, Made, People, counted, people, some_are
from tests.promises.system import ROOMS, STAFF, instant

from booking.messages import Answer, Command, Outcome
from booking.places import decide as places
from booking.reservations.decide import ApproveBooking, RejectBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook


class Staff(People):
    """What staff do, in any order, beside what people do."""

    @rule(booking=People.bookings, yes=st.booleans())
    def answer_request(self, booking: str, yes: bool) -> None:
        self._answer_request(booking, yes)

    @some_are("awaiting_approval")
    @rule(pick=st.integers(0, 20), yes=st.booleans())
    def answer_one_that_waits(self, pick: int, yes: bool) -> None:
        if known := self.one_that_is(("awaiting_approval",), pick):
            self._answer_request(known.id, yes)

    @rule(
        target=People.bookings,
        person=people,
        use=st.sampled_from(["整场", "舞蹈"]),
        wait=st.integers(0, 9),
        yes=st.booleans(),
    )
    def ask_and_be_answered(self, person: str, use: str, wait: int, yes: bool) -> Made:
        """As most requests are: before anything else happens."""
        where = next(asked for asked in ASKED_FOR if asked[1] == use)
        made = self.request_what_is_near(person, where, wait)
        if isinstance(made, str):
            self._answer_request(made, yes)
        return made

    def _answer_request(self, booking: str, yes: bool) -> None:
        known = self.model.bookings[booking]
        rules = frozenset({"wrong_state"})
        if known.standing(self.model.now) == "awaiting_approval":
            # An approval decides again.
            rules = self.model.broken_by(known.place(), known.held_until, known) if yes else frozenset()
        command = ApproveBooking(booking=booking) if yes else RejectBooking(booking=booking, reason="other")
        answer = self.ask(command, STAFF)
        self.agrees("approve" if yes else "reject", answer, rules, (STAFF.id, command))
        if rules:
            return
        if yes:
            known.confirmed = self.model.now
        else:
            self.model.end({booking}, "rejected")
        self.model.wrote(1)

    @rule(room=st.sampled_from(list(ROOMS)), hours=st.integers(1, 6), ahead=st.integers(-8, 24), dry_run=st.booleans())
    def close(self, room: str, hours: int, ahead: int, dry_run: bool) -> None:
        start = (self.model.now // HOUR + ahead) * HOUR
        command = places.CloseRoom(
            room=room, start=instant(start), end=instant(start + hours * HOUR), reason="maintenance"
        )
        lost = self.model.overlapping(room, start, start + hours * HOUR)
        over = start + hours * HOUR <= self.model.now
        answer = self.ask(command, STAFF, dry_run=dry_run)
        if room not in self.model.rooms:
            assert answer.outcome is Outcome.DENIED
            return
        if over:
            self._is_over(answer, command, dry_run=dry_run)
            return
        assert set(msgspec.json.decode(answer.body)["cancelled"]) == lost
        counted["close", "dry run" if dry_run else "accepted"] += 1
        if not dry_run:
            self.model.closures.append((room, start, start + hours * HOUR, True))
            self.model.end(lost, "cancelled")
            self.model.wrote(1 + len(lost))

    def _is_over(self, answer: Answer, command: Command, *, dry_run: bool) -> None:
        """What has passed cannot be closed any more."""
        counted["close", "refused"] += 1
        assert answer.outcome is Outcome.REFUSED
        assert [reason["rule"] for reason in msgspec.json.decode(answer.body)["reasons"]] == ["in_the_past"]
        if not dry_run:
            self.model.refuse((STAFF.id, command), frozenset({"in_the_past"}))

    @rule(room=st.sampled_from(list(ROOMS)), hours=st.integers(1, 6), ahead=st.integers(-6, 12))
    def reopen(self, room: str, hours: int, ahead: int) -> None:
        start = (self.model.now // HOUR + ahead) * HOUR
        end = start + hours * HOUR
        command = places.ReopenRoom(room=room, start=instant(start), end=instant(end))
        answer = self.ask(command, STAFF)
        if room not in self.model.rooms:
            assert answer.outcome is Outcome.DENIED
            return
        rules = frozenset({"in_the_past"}) if end <= self.model.now else frozenset()
        self.agrees("reopen", answer, rules, (STAFF.id, command))
        if not rules and self.model.is_closed_within(room, max(start, self.model.now), end):
            self.model.closures.append((room, start, end, False))
            self.model.wrote(1)

    @rule(resource=st.sampled_from(["table", "half", "bats"]), capacity=st.integers(1, 4), give_up=st.booleans())
    def change_capacity(self, resource: str, capacity: int, give_up: bool) -> None:
        self._change_capacity(resource, capacity, give_up)

    @precondition(lambda self: self.booked_capacities())
    @rule(pick=st.integers(0, 20), give_up=st.sampled_from([False, False, True]))
    def take_away_what_is_booked(self, pick: int, give_up: bool) -> None:
        """Refused while live bookings do not fit, until they are named."""
        booked = self.booked_capacities()
        self._change_capacity(*booked[pick % len(booked)], give_up)

    def booked_capacities(self) -> list[tuple[str, int]]:
        """What would leave somebody without room."""
        smaller = [(r, c) for r in ("table", "half", "bats") for c in range(1, self.model.capacity[r])]
        return [(resource, capacity) for resource, capacity in smaller if self.model.unfit(resource, capacity)]

    def _change_capacity(self, resource: str, capacity: int, give_up: bool) -> None:
        unfit = self.model.unfit(resource, capacity) if capacity != self.model.capacity[resource] else set()
        cancels = tuple(sorted(unfit)) if give_up else ()
        command = places.ChangeResource(resource=resource, capacity=capacity, cancels=cancels)
        answer = self.ask(command, STAFF)
        rules = frozenset({"bookings_do_not_fit"}) if unfit and not give_up else frozenset()
        self.agrees("change_capacity", answer, rules, (STAFF.id, command), frozenset(unfit) if rules else frozenset())
        if rules or capacity == self.model.capacity[resource]:
            return
        assert set(msgspec.json.decode(answer.body)["cancelled"]) == unfit
        self.model.capacity[resource] = capacity
        self.model.end(unfit, "cancelled")
        self.model.wrote(1 + len(unfit))

    @rule(hours=st.sampled_from([1, 3, 3, 3]), quota=st.sampled_from([2, 3, 3, 5]))
    def set_rules(self, hours: int, quota: int) -> None:
        """What was asked for under other rules may not be approved under these."""
        book = RuleBook(duration_minutes_max=hours * 60, open_bookings_max=quota)
        assert self.ask(ChangeRules(book=book), STAFF).outcome is Outcome.DONE
        if (self.model.longest, self.model.quota) != (hours * HOUR, quota):
            self.model.longest, self.model.quota = hours * HOUR, quota
            self.model.version += 1
            self.model.wrote(1)

"""What holds after any history of requests, moves and answers, told by the deciders alone and judged by brute force."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from tests.decisions.gumei import GUMEI, LIN, NOW, OFFICE, RESOURCES, ROOMS, SHANGHAI, WANG, local, wish
from tests.spec import Given, given

from booking.local_time import Interval, days_touched
from booking.messages import Asker, Command, Outcome
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    EndBooking,
    ExtendBooking,
    RequestBooking,
    RescheduleBooking,
)
from booking.reservations.events import BookingChangeRefused, booking_tag, person_month_tag
from booking.reservations.states import Booking, PersonMonth, ResourceDay
from booking.takes import resource_day_tag

PLACES = [(room, use.use) for room, definition in ROOMS.items() for use in definition.uses]
DAYS = ("2026-11-24", "2026-11-25")

places = st.sampled_from([*PLACES, ("parlour", "会议"), ("parlour", "会议")])
hours = st.integers(9, 18)
requests = st.tuples(
    st.just("request"), places, st.sampled_from(DAYS), hours, st.integers(1, 2), st.sampled_from([LIN, WANG])
)
asks = st.one_of(
    requests,
    st.tuples(st.just("move"), places, st.sampled_from(DAYS), hours, st.integers(1, 2), st.integers(0, 9)),
    st.tuples(st.sampled_from(["extend", "approve", "cancel", "check in", "end"]), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([15, 60, 60, 180])),
)
histories = st.builds(
    lambda first, then: [*first, *then], st.lists(requests, min_size=3, max_size=5), st.lists(asks, max_size=12)
)


class History:
    """A log that grows, and the ids of its bookings."""

    def __init__(self) -> None:
        self.log: Given = given(*GUMEI)
        self.now = NOW
        self.bookings: list[tuple[str, str]] = []

    def tell(self, told: tuple[object, ...]) -> None:
        match told:
            case ("wait", int(minutes)):
                self.now += timedelta(minutes=minutes)
            case ("request", (str(room), str(use)), str(day), int(hour), int(units), Asker() as asker):
                self.ask(_request(room, use, day, hour, units, asker.id), asker)
            case ("move", (str(room), str(use)), str(day), int(hour), int(units), int(pick)) if self.bookings:
                booking, _ = self.bookings[pick % len(self.bookings)]
                to = _request(room, use, day, hour, units, "")
                self.ask(
                    RescheduleBooking(booking=booking, room=room, use=use, units=units, start=to.start, end=to.end),
                    OFFICE,
                )
            case (str(what), int(pick)) if self.bookings:
                self.ask(self._change(what, self.bookings[pick % len(self.bookings)][0]), OFFICE)

    def _change(self, what: str, booking: str) -> Command:
        match what:
            case "extend":
                return ExtendBooking(booking=booking, end=self.of(booking).made.end + timedelta(hours=1))  # type: ignore[union-attr]
            case "approve":
                return ApproveBooking(booking=booking)
            case "check in":
                return CheckIn(booking=booking)
            case "end":
                return EndBooking(booking=booking)
        return CancelBooking(booking=booking, reason="other")

    def ask(self, command: Command, by: Asker) -> None:
        before = self.log
        # An id of its own for each, as the desk gives it: a booking's id is derived from it.
        decided = before.when(command, by=by, now=self.now, id_=f"ask-{len(before.log)}")
        self.log = decided.and_so()
        if isinstance(command, RequestBooking) and decided.answer.outcome is Outcome.DONE:
            self.bookings.append((str(decided.told["id"]), by.id))
        if any(isinstance(event, BookingChangeRefused) for event in decided.events):
            assert _states(self.log, self.bookings) == _states(before, self.bookings)

    def of(self, booking: str) -> Booking:
        return self.log.state(Booking, booking_tag(booking))

    def overbooked(self) -> Iterator[tuple[str, datetime]]:
        """Where live bookings take more than there is, counted at each instant at which one begins."""
        known = map(self.of, (id_ for id_, _ in self.bookings))
        live = [(b.made, b.life) for b in known if b.made and b.life and b.life.is_live(self.now)]
        for resource, (_, capacity) in RESOURCES.items():
            for at in {max(slot.start, life.made_at) for slot, life in live}:
                there = [slot for slot, life in live if max(slot.start, life.made_at) <= at < slot.held_until]
                if sum(t.units for slot in there for t in slot.takes if t.resource == resource) > capacity:
                    yield resource, at


def _request(room: str, use: str, day: str, hour: int, units: int, person: str) -> RequestBooking:
    return wish(room, f"{day} {hour:02d}:00", f"{day} {hour + 1:02d}:00", use=use, units=units, person=person)


def _states(log: Given, bookings: list[tuple[str, str]]) -> list[object]:
    """All that a decision can see of bookings."""
    days = [resource_day_tag(resource, day) for resource in RESOURCES for day in DAYS]
    months = [person_month_tag(asker.id, "2026-11") for asker in (LIN, WANG)]
    return [
        *(log.state(Booking, booking_tag(id_)) for id_, _ in bookings),
        *(log.state(ResourceDay, tag) for tag in days),
        *(log.state(PersonMonth, tag) for tag in months),
    ]


@settings(max_examples=150, deadline=None)
@examples(told=histories)
def test_a_refused_change_leaves_everything_as_it_was(told: list[tuple[object, ...]]) -> None:
    """After each refusal, every state that a decision can read is what it was."""
    history = History()
    for one in told:
        history.tell(one)


@settings(max_examples=150, deadline=None)
@examples(told=histories)
def test_no_two_that_wait_can_both_be_approved_beyond_capacity(told: list[tuple[object, ...]]) -> None:
    """Whoever approves all that waits, in whatever order, fills nothing beyond what there is."""
    history = History()
    for one in told:
        history.tell(one)
        assert list(history.overbooked()) == []
    for booking, _ in history.bookings:
        history.ask(ApproveBooking(booking=booking), OFFICE)
    assert list(history.overbooked()) == []


@settings(max_examples=150, deadline=None)
@examples(told=histories)
def test_a_booking_stands_in_the_days_and_months_that_it_has_now_and_in_no_other(
    told: list[tuple[object, ...]],
) -> None:
    """However often it was moved: a hold that stayed behind would be taken for a live one."""
    history = History()
    for one in told:
        history.tell(one)
    for id_, person in history.bookings:
        made, life = history.of(id_).made, history.of(id_).life
        assert made is not None
        assert life is not None
        ended = life.ended_as is not None
        takes = {take.resource for take in made.takes}
        for resource in RESOURCES:
            for day in DAYS:
                hold = history.log.state(ResourceDay, resource_day_tag(resource, day)).holds.get(id_)
                if ended or resource not in takes or day not in made.days:
                    assert hold is None
                else:
                    assert hold is not None
                    assert (hold.life, hold.held_until, hold.takes) == (life, made.held_until, made.takes)
        assert set(days_touched(Interval(made.start, max(made.held_until, made.end)), SHANGHAI)) <= set(made.days)
        lives = history.log.state(PersonMonth, person_month_tag(person, "2026-11")).lives
        assert lives.get(id_) == (None if ended or history.of(id_).closed_out else life)


def test_the_histories_here_lead_to_all_that_they_speak_of() -> None:
    """One that is known to: or the three above could hold of nothing."""
    history = History()
    for told in (
        ("request", ("parlour", "会议"), DAYS[0], 15, 1, LIN),
        ("request", ("parlour", "会议"), DAYS[0], 15, 1, WANG),
        ("request", ("parlour", "会议"), DAYS[0], 16, 1, WANG),
        ("move", ("parlour", "会议"), DAYS[0], 16, 1, 0),
        ("approve", 0),
        ("cancel", 1),
        ("move", ("parlour", "会议"), DAYS[1], 16, 1, 0),
    ):
        history.tell(told)
    kinds = [type(recorded.event).__name__ for recorded in history.log.log[len(GUMEI) :]]
    assert kinds == [
        "BookingRequested", "BookingRefused", "BookingRequested", "BookingChangeRefused", "BookingApproved",
        "BookingCancelled", "BookingRescheduled",
    ]  # fmt: skip
    assert local("2026-11-24 08:00") == history.now

"""What bookings do when a place changes: a closure cancels, a change that they do not fit asks first."""

from datetime import timedelta

import msgspec
import pytest
from tests.decisions.gumei import (
    GUMEI,
    IN_USE,
    KITCHEN,
    LIN,
    OFFICE,
    PARLOUR_ASKED,
    STAFF,
    TABLE,
    TODAY,
    TRIBE,
    WANG,
    awaiting,
    booked,
    local,
    of,
    wish,
)
from tests.spec import Decided, Given, Happened, given, happened

from booking.local_time import ExtraHours, Hours
from booking.messages import EVENTS_MAX, Event, Reason
from booking.places.decide import ChangeResource, ChangeRoom, CloseRoom, ReopenRoom
from booking.places.events import (
    ChangeRefused,
    ResourceChanged,
    RoomChanged,
    RoomClosed,
    RoomDefinition,
    RoomReopened,
    Use,
)
from booking.reservations.events import BookingCancelled, BookingConfirmed, NoShowRecorded
from booking.takes import Take


def on(start: str, end: str, booking: str, *, room: str = "tribe", units: int = 1, person: str = "lin") -> Event:
    return booked(wish(room, f"{TODAY} {start}", f"{TODAY} {end}", units=units, person=person), booking)


def close(log: Given, start: str, end: str | None, *, room: str = "tribe", now: str = f"{TODAY} 08:00") -> Decided:
    command = CloseRoom(room=room, start=local(start), end=local(end) if end else None, reason="maintenance")
    return log.when(command, by=OFFICE, now=local(now))


def cancels(decided: Decided) -> list[str]:
    """Which bookings it cancelled; the answer names the same."""
    cancelled = [event.booking for event in decided.events if isinstance(event, BookingCancelled)]
    assert decided.told["cancelled"] == cancelled
    return cancelled


def test_a_closed_room_cancels_what_was_booked() -> None:
    decided = close(given(*GUMEI, TABLE), f"{TODAY} 09:00", f"{TODAY} 21:00")
    assert decided.events[1:] == [BookingCancelled(**of(TABLE), reason="room_closed")]


def test_what_a_closure_cancels_names_it_as_its_cause() -> None:
    decided = close(given(*GUMEI, TABLE), f"{TODAY} 09:00", f"{TODAY} 21:00")
    closure, cancelled = decided.recorded
    assert isinstance(closure.event, RoomClosed)
    assert (cancelled.cause, cancelled.command, cancelled.n) == (closure.position, closure.command, 1)


def test_a_closure_cancels_exactly_what_it_overlaps() -> None:
    """What ends when it begins and what begins when it ends stays."""
    log = given(
        *GUMEI,
        on("09:00", "10:00", "touches-before"),
        on("09:00", "11:00", "runs-into"),
        on("10:00", "11:00", "begins-with"),
        on("11:00", "12:00", "within"),
        on("11:00", "13:00", "runs-out"),
        on("12:00", "13:00", "touches-after"),
    )
    decided = close(log, f"{TODAY} 10:00", f"{TODAY} 12:00")
    assert set(cancels(decided)) == {"runs-into", "begins-with", "within", "runs-out"}


def test_a_closure_cancels_in_the_order_of_the_starts() -> None:
    log = given(*GUMEI, on("15:00", "16:00", "late"), on("09:00", "10:00", "early"))
    assert cancels(close(log, f"{TODAY} 09:00", None)) == ["early", "late"]


def test_a_closure_until_further_notice_cancels_all_that_lies_ahead() -> None:
    far = booked(wish(start="2027-01-20 10:00", end="2027-01-20 11:00"), "far")
    assert cancels(close(given(*GUMEI, TABLE, far), f"{TODAY} 09:00", None)) == ["b1", "far"]


def test_a_closure_leaves_other_rooms_alone_even_where_they_take_the_same() -> None:
    film = booked(wish("studio", use="观影"), "film")
    lecture = booked(wish("hall", use="讲座", start=f"{TODAY} 16:00", end=f"{TODAY} 17:00"), "lecture")
    assert cancels(close(given(*GUMEI, film, lecture), f"{TODAY} 09:00", None, room="hall")) == ["lecture"]


def test_a_closure_cancels_what_awaits_approval() -> None:
    assert cancels(close(given(*GUMEI, PARLOUR_ASKED), f"{TODAY} 09:00", None, room="parlour")) == ["b1"]


def test_a_closure_cancels_nothing_that_is_over() -> None:
    log = given(*GUMEI, TABLE, NoShowRecorded(booking="b1", room="tribe", person="lin"))
    assert cancels(close(log, f"{TODAY} 09:00", None, now=f"{TODAY} 14:20")) == []


def test_a_closure_ends_what_is_in_use() -> None:
    log = given(*GUMEI, TABLE, IN_USE)
    assert cancels(close(log, f"{TODAY} 14:30", None, now=f"{TODAY} 14:30")) == ["b1"]


def test_a_closure_of_time_that_has_passed_leaves_what_is_in_use() -> None:
    """That the room had been closed until 14:30 does not send home who is in it at 14:40."""
    log = given(*GUMEI, TABLE, IN_USE)
    close(log, f"{TODAY} 14:00", f"{TODAY} 14:30", now=f"{TODAY} 14:40").then_refused("in_the_past")


def test_a_closure_minds_the_slot_and_not_the_buffer_after_it() -> None:
    baking = on("14:00", "15:00", "baking", room="kitchen")
    assert cancels(close(given(*GUMEI, baking), f"{TODAY} 15:00", None, room="kitchen")) == []


def test_what_was_cancelled_can_be_had_once_the_room_is_open_again() -> None:
    closed = close(given(*GUMEI, booked(wish(units=3))), f"{TODAY} 09:00", f"{TODAY} 15:00").and_so()
    at_three = wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang", units=3)
    closed.when(at_three, by=WANG).then_kinds(BookingConfirmed)


def test_a_closure_that_would_cancel_too_much_at_once_is_refused() -> None:
    """Staff then close the room piece by piece; nothing half done is left behind."""
    many = [on("14:00", "15:00", f"b{n:04}") for n in range(EVENTS_MAX)]
    decided = close(given(*GUMEI, *many), f"{TODAY} 09:00", None)
    reason = Reason(rule="too_many_at_once", limit=EVENTS_MAX - 1, actual=EVENTS_MAX)
    decided.then(ChangeRefused(asked="close", room="tribe", reasons=(reason,)))


def test_a_closure_cancels_as_much_as_fits_into_one_command() -> None:
    many = [on("14:00", "15:00", f"b{n:04}") for n in range(EVENTS_MAX - 1)]
    assert len(cancels(close(given(*GUMEI, *many), f"{TODAY} 09:00", None))) == EVENTS_MAX - 1


def change(log: Given, definition: RoomDefinition, *cancels: str, room: str = "tribe") -> Decided:
    return log.when(ChangeRoom.to(room, definition, cancels=cancels), by=STAFF)


def without_tennis() -> RoomDefinition:
    return msgspec.structs.replace(TRIBE, uses=TRIBE.uses[1:])


def unfit(*bookings: str) -> Reason:
    return Reason(rule="bookings_do_not_fit", limit=0, actual=len(bookings), bookings=bookings)


def test_a_change_that_a_booking_does_not_fit_lists_it_and_is_refused() -> None:
    decided = change(given(*GUMEI, TABLE), without_tennis())
    decided.then(ChangeRefused(asked="change", room="tribe", reasons=(unfit("b1"),)))


def test_a_change_that_names_what_it_gives_up_cancels_it() -> None:
    decided = change(given(*GUMEI, TABLE), without_tennis(), "b1")
    decided.then(
        RoomChanged(room="tribe", definition=without_tennis(), cancels=("b1",)),
        BookingCancelled(**of(TABLE), reason="room_changed"),
    )


def test_a_change_lists_only_what_it_does_not_name() -> None:
    second = on("16:00", "17:00", "b2")
    change(given(*GUMEI, TABLE, second), without_tennis(), "b1").then_refused_for(unfit("b2"))


def test_naming_a_booking_that_fits_does_not_cancel_it() -> None:
    larger = msgspec.structs.replace(TRIBE, seats=20)
    change(given(*GUMEI, TABLE), larger, "b1").then_kinds(RoomChanged)


def test_a_booking_that_is_over_needs_not_fit() -> None:
    over = NoShowRecorded(booking="b1", room="tribe", person="lin")
    log = given(*GUMEI, happened(TABLE, at=local("2026-11-20 08:00")), over)
    log.when(ChangeRoom.to("tribe", without_tennis()), by=STAFF, now=local(f"{TODAY} 14:20")).then_kinds(RoomChanged)


TENNIS, BILLIARDS = TRIBE.uses


@pytest.mark.parametrize(
    "fields",
    [
        {"uses": (msgspec.structs.replace(TENNIS, units=1), BILLIARDS)},
        {"uses": (Use(use="乒乓球", takes=(Take(resource="tennis-table", units=2),), units=3), BILLIARDS)},
        {"uses": (Use(use="乒乓球", takes=(*TENNIS.takes, Take(resource="projector")), units=3), BILLIARDS)},
        {"seats": 3},
        {"hours": (Hours(weekday=2, opens="15:00", closes="21:00"),)},
        {"hours": (Hours(weekday=3, opens="09:00", closes="21:00"),)},
    ],
    ids=["fewer units", "more of a resource", "more resources", "fewer seats", "later hours", "another day"],
)
def test_a_booking_does_not_fit_a_room_that_no_longer_holds_it(fields: dict[str, object]) -> None:
    two = booked(wish(units=2, attendees=4))
    change(given(*GUMEI, two), msgspec.structs.replace(TRIBE, **fields)).then_refused_for(unfit("b1"))


EVENINGS = ExtraHours(first_day=TODAY, last_day="2026-12-24", opens="21:00", closes="23:00")
LATE = {"extra_hours": (EVENINGS,)}
# From half past eight to half past nine in the evening: within the week's hours and the extra ones together.
OVER_NINE = on("20:30", "21:30", "late")


def test_a_booking_that_needs_the_extra_hours_does_not_fit_without_them() -> None:
    log = given(*GUMEI, RoomChanged(room="tribe", definition=msgspec.structs.replace(TRIBE, **LATE)), OVER_NINE, TABLE)
    change(log, TRIBE).then_refused_for(unfit("late"))
    sooner_over = msgspec.structs.replace(EVENINGS, first_day="2026-11-01", last_day="2026-11-23")
    change(log, msgspec.structs.replace(TRIBE, extra_hours=(sooner_over,))).then_refused_for(unfit("late"))
    cancelled = change(log, TRIBE, "late")
    assert cancels(cancelled) == ["late"]


def test_a_booking_fits_where_extra_hours_take_the_place_of_the_week_s() -> None:
    mornings = tuple(Hours(weekday=day, opens="09:00", closes="12:00") for day in range(1, 8))
    afternoon = ExtraHours(first_day=TODAY, last_day=TODAY, opens="12:00", closes="18:00", weekdays=(2,))
    change(given(*GUMEI, TABLE), msgspec.structs.replace(TRIBE, hours=mornings)).then_refused_for(unfit("b1"))
    with_extra = msgspec.structs.replace(TRIBE, hours=mornings, extra_hours=(afternoon,))
    change(given(*GUMEI, TABLE), with_extra).then_kinds(RoomChanged)


def test_extra_hours_can_be_booked_while_they_last() -> None:
    """A slot that the week's hours and the extra ones hold together, and no slot when they have ended."""
    log = given(*GUMEI, RoomChanged(room="tribe", definition=msgspec.structs.replace(TRIBE, **LATE)))
    last, after = "2026-12-08", "2026-12-09"
    ending = msgspec.structs.replace(EVENINGS, last_day=last)
    log = change(log, msgspec.structs.replace(TRIBE, extra_hours=(ending,))).and_so()
    now = local("2026-11-25 09:00")
    log.when(wish(start=f"{last} 20:00", end=f"{last} 22:00"), by=LIN, now=now).then_kinds(BookingConfirmed)
    log.when(wish(start=f"{after} 20:00", end=f"{after} 22:00"), by=LIN, now=now).then_refused("outside_hours")


def test_a_booking_in_a_closed_week_is_had_where_the_room_was_opened_within_it() -> None:
    """And cancelled where a later closure takes that back."""
    week = RoomClosed(room="tribe", start=local("2026-11-24 00:00"), end=local("2026-12-01 00:00"), reason="holiday")
    log = given(*GUMEI, week)
    log.when(wish(), by=LIN).then_refused("room_closed")
    opened_again = ReopenRoom(room="tribe", start=local(f"{TODAY} 14:00"), end=local(f"{TODAY} 16:00"))
    log = log.when(opened_again, by=STAFF).and_so()
    log.when(wish(start=f"{TODAY} 13:00", end=f"{TODAY} 15:00"), by=LIN).then_refused("room_closed")
    log = log.when(wish(), by=LIN).then_kinds(BookingConfirmed).and_so()
    decided = close(log, f"{TODAY} 14:30", f"{TODAY} 15:00")
    assert len(cancels(decided)) == 1


def test_a_closure_within_a_closure_cancels_what_was_booked_in_between() -> None:
    week = RoomClosed(room="tribe", start=local("2026-11-25 00:00"), end=local("2026-12-01 00:00"), reason="holiday")
    again = RoomReopened(room="tribe", start=local("2026-11-26 14:00"), end=local("2026-11-26 16:00"))
    kept = booked(wish(start="2026-11-26 14:00", end="2026-11-26 15:00"), "kept")
    lost = booked(wish(start="2026-11-26 15:00", end="2026-11-26 16:00"), "lost")
    log = given(*GUMEI, week, again, kept, lost)
    assert cancels(close(log, "2026-11-26 15:00", "2026-11-26 18:00")) == ["lost"]


def test_more_than_can_be_given_up_at_once_is_said_before_each_is_listed() -> None:
    """Naming them all would help nobody: one command cannot cancel so many."""
    many = [on("14:00", "15:00", f"b{n:04}") for n in range(EVENTS_MAX)]
    reason = Reason(rule="too_many_at_once", limit=EVENTS_MAX - 1, actual=EVENTS_MAX)
    change(given(*GUMEI, *many), without_tennis()).then_refused_for(reason)


def test_a_booking_fits_a_room_with_another_grid() -> None:
    finer = msgspec.structs.replace(TRIBE, uses=(msgspec.structs.replace(TENNIS, slot_minutes=30), BILLIARDS))
    change(given(*GUMEI, TABLE), finer).then_kinds(RoomChanged)


def test_a_booking_keeps_its_buffer_in_a_room_without() -> None:
    quicker = msgspec.structs.replace(KITCHEN, buffer_minutes=0)
    changed = change(given(*GUMEI, on("14:00", "15:00", "baking", room="kitchen")), quicker, room="kitchen").and_so()
    changed.when(wish("kitchen", f"{TODAY} 15:00", f"{TODAY} 16:00", person="wang"), by=WANG).then_refused("slot_taken")


def shrink(log: Given, capacity: int, *cancels: str, resource: str = "tennis-table") -> Decided:
    return log.when(ChangeResource(resource=resource, capacity=capacity, cancels=cancels), by=STAFF)


def tables(units: int, booking: str, *, days_before: int) -> Happened:
    """Made so many days ago."""
    made = booked(wish(units=units, person=booking), booking)
    return happened(made, at=local(f"{TODAY} 08:00") - timedelta(days=days_before))


def test_a_capacity_that_bookings_do_not_fit_lists_those_made_last() -> None:
    log = given(*GUMEI, tables(2, "first", days_before=3), tables(1, "second", days_before=2))
    shrink(log, 2).then(ChangeRefused(asked="change", resource="tennis-table", reasons=(unfit("second"),)))


def test_a_capacity_keeps_what_fits_beside_what_does_not() -> None:
    """The first two take one table each; the third, of two tables, is too much for three; the fourth still fits."""
    made = [tables(units, f"b{n}", days_before=9 - n) for n, units in enumerate((1, 1, 2, 1))]
    log = given(*GUMEI, ResourceChanged(resource="tennis-table", capacity=5), *made)
    shrink(log, 3).then_refused_for(unfit("b2"))


def test_staff_may_give_up_another_booking_than_the_last() -> None:
    log = given(*GUMEI, tables(2, "first", days_before=3), tables(1, "second", days_before=2))
    decided = shrink(log, 2, "first")
    assert cancels(decided) == ["first"]


def test_a_larger_capacity_asks_nobody() -> None:
    shrink(given(*GUMEI, TABLE), 4).then(ResourceChanged(resource="tennis-table", capacity=4))


def test_a_capacity_that_is_enough_at_every_instant_cancels_nothing() -> None:
    """Two tables at two, two tables at three: never more than two."""
    log = given(*GUMEI, on("14:00", "15:00", "b1", units=2), on("15:00", "16:00", "b2", units=2))
    shrink(log, 2).then_kinds(ResourceChanged)


def test_a_capacity_counts_what_other_rooms_take() -> None:
    log = given(
        *GUMEI,
        ResourceChanged(resource="projector", capacity=2),
        booked(wish("studio", use="观影"), "film"),
        booked(wish("hall", use="讲座"), "lecture"),
    )
    shrink(log, 1, resource="projector").then_refused_for(unfit("lecture"))


def test_a_booking_that_awaits_approval_counts_too() -> None:
    log = given(
        *GUMEI,
        ResourceChanged(resource="parlour", capacity=2),
        awaiting(wish("parlour")),
        awaiting(wish("parlour"), "b2"),
    )
    log.when(ChangeResource(resource="parlour", capacity=1), by=OFFICE).then_refused_for(unfit("b2"))


def test_what_the_smaller_capacity_leaves_is_what_can_be_had() -> None:
    changed = shrink(given(*GUMEI, TABLE), 1).and_so()
    changed.when(wish(person="wang"), by=WANG).then_refused_for(Reason(rule="slot_taken", limit=1, actual=1))

"""Every rule that judges a slot, with its figures, on both sides of its edge."""

from datetime import date, datetime, timedelta

from tests.decisions.gumei import BERLIN, GUMEI, LIN, NOW, STAFF, TODAY, awaiting, booked, local, opened, wish
from tests.spec import Decided, given

from booking.local_time import Hours, grid
from booking.messages import Event, Reason
from booking.places.events import ResourceChanged, RoomClosed, RoomReopened
from booking.reservations.decide import RequestBooking
from booking.reservations.events import BookingConfirmed
from booking.rules.events import RuleBook

MICROSECOND = timedelta(microseconds=1)
ALWAYS = RuleBook(hours=tuple(Hours(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8)))


def asked(request: RequestBooking, *before: Event, now: datetime = NOW, rules: RuleBook | None = None) -> Decided:
    """Lin asks for a slot in the small Gumei, upon what happened before."""
    places = opened(rules=rules) if rules else GUMEI
    return given(*places, *before).when(request, by=LIN, now=now)


def closed(start: str, end: str | None) -> RoomClosed:
    return RoomClosed(room="tribe", start=local(start), end=local(end) if end else None, reason="cleaning")


def test_a_slot_that_no_rule_forbids_is_confirmed() -> None:
    asked(wish()).then_kinds(BookingConfirmed)


def test_a_slot_that_starts_this_instant_is_in_the_past() -> None:
    asked(wish(), now=local("2026-11-24 14:00")).then_refused_for(Reason(rule="in_the_past"))


def test_exactly_thirty_minutes_ahead_is_soon_enough() -> None:
    asked(wish(), now=local("2026-11-24 13:30")).then_kinds(BookingConfirmed)


def test_less_than_thirty_minutes_ahead_is_too_soon() -> None:
    decided = asked(wish(), now=local("2026-11-24 13:30") + MICROSECOND)
    decided.then_refused_for(Reason(rule="too_soon", limit=30, actual=29))


def test_a_day_can_be_had_from_eight_in_the_morning_of_the_fourteenth_day_before() -> None:
    asked(wish(start="2026-12-08 20:00", end="2026-12-08 21:00"), now=local("2026-11-24 08:00")).then_kinds(
        BookingConfirmed
    )


def test_before_its_release_a_day_is_too_far_ahead_and_the_release_is_told() -> None:
    decided = asked(wish(start="2026-12-08 09:00", end="2026-12-08 10:00"), now=local("2026-11-24 08:00") - MICROSECOND)
    released = local("2026-11-24 08:00")
    decided.then_refused_for(Reason(rule="too_far_ahead", limit=14, actual=14, possible_from=released))


def test_the_fifteenth_day_is_too_far_ahead_until_tomorrow() -> None:
    decided = asked(wish(start="2026-12-09 09:00", end="2026-12-09 10:00"))
    released = local("2026-11-25 08:00")
    decided.then_refused_for(Reason(rule="too_far_ahead", limit=14, actual=15, possible_from=released))


def test_the_first_and_the_last_hour_of_the_day_can_be_had() -> None:
    asked(wish(start=f"{TODAY} 09:00", end=f"{TODAY} 10:00")).then_kinds(BookingConfirmed)
    asked(wish(start=f"{TODAY} 20:00", end=f"{TODAY} 21:00")).then_kinds(BookingConfirmed)


def test_a_slot_that_ends_after_closing_is_outside_hours() -> None:
    decided = asked(wish(start=f"{TODAY} 20:00", end=f"{TODAY} 22:00"))
    decided.then_refused_for(Reason(rule="outside_hours", limit="09:00-21:00", actual="20:00-22:00"))


def test_a_slot_across_the_rest_at_noon_is_outside_hours() -> None:
    decided = asked(wish(room="parlour", start=f"{TODAY} 11:00", end=f"{TODAY} 14:00"))
    decided.then_refused_for(Reason(rule="outside_hours", limit="09:00-12:00 14:00-18:00", actual="11:00-14:00"))


def test_a_day_without_hours_is_outside_hours_with_no_limit_to_tell() -> None:
    decided = asked(wish(room="parlour", start="2026-11-28 09:00", end="2026-11-28 10:00"))
    decided.then_refused_for(Reason(rule="outside_hours", actual="09:00-10:00"))


def test_a_slot_between_the_lines_is_off_grid() -> None:
    decided = asked(wish(start=f"{TODAY} 14:30", end=f"{TODAY} 15:30"))
    decided.then_refused_for(Reason(rule="off_grid", limit=60, actual=30))


def test_a_slot_of_half_a_step_is_off_grid() -> None:
    asked(wish(end=f"{TODAY} 14:30")).then_refused_for(Reason(rule="off_grid", limit=60, actual=30))


def test_the_grid_begins_anew_at_each_opening() -> None:
    asked(wish(room="kitchen", use="烘焙", start=f"{TODAY} 14:30", end=f"{TODAY} 15:00")).then_kinds(BookingConfirmed)


def test_exactly_three_hours_are_short_enough() -> None:
    asked(wish(end=f"{TODAY} 17:00")).then_kinds(BookingConfirmed)


def test_four_hours_are_too_long() -> None:
    asked(wish(end=f"{TODAY} 18:00")).then_refused_for(Reason(rule="too_long", limit=180, actual=240))


def test_a_second_over_three_hours_is_too_long_beside_being_off_grid() -> None:
    asked(wish(end=f"{TODAY} 17:00:01")).then_refused("off_grid", "too_long")


def test_a_slot_that_runs_into_a_closure_is_refused_until_its_end() -> None:
    decided = asked(wish(), closed(f"{TODAY} 14:30", f"{TODAY} 18:00"))
    decided.then_refused_for(Reason(rule="room_closed", possible_from=local("2026-11-24 18:00")))


def test_a_slot_that_touches_a_closure_can_be_had() -> None:
    asked(wish(), closed(f"{TODAY} 15:00", f"{TODAY} 18:00"), closed(f"{TODAY} 09:00", f"{TODAY} 14:00")).then_kinds(
        BookingConfirmed
    )


def test_until_further_notice_has_no_end_to_tell() -> None:
    asked(wish(), closed("2026-11-20 09:00", None)).then_refused_for(Reason(rule="room_closed"))


def test_a_time_reopened_inside_a_closure_can_be_had() -> None:
    reopened = RoomReopened(room="tribe", start=local("2026-11-24 14:00"), end=local("2026-11-24 15:00"))
    asked(wish(), closed("2026-11-20 09:00", None), reopened).then_kinds(BookingConfirmed)


def test_beside_what_was_reopened_the_closure_holds() -> None:
    reopened = RoomReopened(room="tribe", start=local("2026-11-24 14:00"), end=local("2026-11-24 15:00"))
    asked(wish(end=f"{TODAY} 16:00"), closed("2026-11-20 09:00", None), reopened).then_refused("room_closed")


def test_a_closure_within_what_was_reopened_holds() -> None:
    """The last decision that covers a time is the one that holds."""
    reopened = RoomReopened(room="tribe", start=local("2026-11-24 09:00"), end=local("2026-11-24 18:00"))
    asked(wish(), closed("2026-11-20 09:00", None), reopened, closed(f"{TODAY} 14:00", f"{TODAY} 15:00")).then_refused(
        "room_closed"
    )


def test_two_closures_that_touch_are_told_as_one() -> None:
    """`possible_from` is the first instant at which the room is open again, not the end of the first closure."""
    decided = asked(wish(), closed(f"{TODAY} 14:00", f"{TODAY} 16:00"), closed(f"{TODAY} 16:00", f"{TODAY} 18:00"))
    decided.then_refused_for(Reason(rule="room_closed", possible_from=local("2026-11-24 18:00")))


def test_more_units_than_the_use_has_are_too_many() -> None:
    asked(wish(units=4)).then_refused_for(Reason(rule="too_many_units", limit=3, actual=4))


def test_as_many_units_as_the_use_has_can_be_had() -> None:
    asked(wish(units=3)).then_kinds(BookingConfirmed)


def test_a_use_has_no_more_units_than_its_resource_can_bear() -> None:
    decided = asked(wish(units=3), ResourceChanged(resource="tennis-table", capacity=2))
    decided.then_refused_for(Reason(rule="too_many_units", limit=2, actual=3))


def test_more_people_than_seats_are_too_many() -> None:
    asked(wish(attendees=13)).then_refused_for(Reason(rule="too_many_people", limit=12, actual=13))


def test_as_many_people_as_seats_find_room() -> None:
    asked(wish(attendees=12)).then_kinds(BookingConfirmed)


def test_what_is_left_of_the_tables_can_be_had() -> None:
    asked(wish(units=1), booked(wish(person="wang", units=2))).then_kinds(BookingConfirmed)


def test_more_than_what_is_left_of_the_tables_is_taken() -> None:
    decided = asked(wish(units=2), booked(wish(person="wang", units=2)))
    decided.then_refused_for(Reason(rule="slot_taken", limit=3, actual=2))


def test_billiards_stands_beside_the_tables() -> None:
    asked(wish(use="桌球"), booked(wish(person="wang", units=3))).then_kinds(BookingConfirmed)


def test_slots_that_touch_do_not_meet() -> None:
    before = booked(wish(start=f"{TODAY} 13:00", end=f"{TODAY} 14:00", person="wang", units=3), "b1")
    after = booked(wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang", units=3), "b2")
    asked(wish(units=3), before, after).then_kinds(BookingConfirmed)


def test_what_is_taken_is_the_most_at_one_instant_and_not_the_sum() -> None:
    first = booked(wish(end=f"{TODAY} 15:00", person="wang", units=2), "b1")
    second = booked(wish(start=f"{TODAY} 15:00", end=f"{TODAY} 16:00", person="wang", units=2), "b2")
    asked(wish(end=f"{TODAY} 16:00", units=1), first, second).then_kinds(BookingConfirmed)


def test_the_whole_hall_is_taken_where_a_half_is() -> None:
    decided = asked(wish(room="hall", use="整场"), booked(wish("hall", use="半场", person="wang")))
    decided.then_refused_for(Reason(rule="slot_taken", limit=2, actual=1))


def test_a_half_is_taken_where_the_whole_hall_is() -> None:
    decided = asked(wish(room="hall", use="半场"), booked(wish("hall", use="整场", person="wang")))
    decided.then_refused_for(Reason(rule="slot_taken", limit=2, actual=2))


def test_two_halves_of_a_hall_stand_side_by_side() -> None:
    asked(wish(room="hall", use="半场"), booked(wish("hall", use="半场", person="wang"))).then_kinds(BookingConfirmed)


def test_equipment_that_another_room_took_along_is_taken() -> None:
    lecture = booked(wish("hall", use="讲座", person="wang"))
    decided = asked(wish(room="studio", use="观影"), lecture)
    decided.then_refused_for(Reason(rule="slot_taken", limit=1, actual=1))


def test_a_use_that_takes_no_equipment_does_not_mind() -> None:
    lecture = booked(wish("hall", use="讲座", person="wang"))
    asked(wish(room="studio", use="书画"), lecture).then_kinds(BookingConfirmed)


def test_the_buffer_after_a_booking_is_held() -> None:
    baking = booked(wish("kitchen", person="wang"))
    decided = asked(wish(room="kitchen", start=f"{TODAY} 15:00", end=f"{TODAY} 16:00"), baking)
    decided.then_refused_for(Reason(rule="slot_taken", limit=1, actual=1))


def test_after_the_buffer_the_next_one_starts() -> None:
    baking = booked(wish("kitchen", person="wang"))
    asked(wish(room="kitchen", start=f"{TODAY} 15:30", end=f"{TODAY} 16:00"), baking).then_kinds(BookingConfirmed)


def test_a_booking_needs_room_for_its_own_buffer() -> None:
    baking = booked(wish("kitchen", person="wang"))
    asked(wish(room="kitchen", start=f"{TODAY} 13:00", end=f"{TODAY} 14:00"), baking).then_refused("slot_taken")
    asked(wish(room="kitchen", start=f"{TODAY} 13:00", end=f"{TODAY} 13:30"), baking).then_kinds(BookingConfirmed)


def test_the_buffer_may_reach_beyond_closing() -> None:
    asked(wish(room="kitchen", start=f"{TODAY} 20:30", end=f"{TODAY} 21:00")).then_kinds(BookingConfirmed)


def test_what_awaits_approval_is_taken() -> None:
    decided = asked(wish(room="parlour"), awaiting(wish("parlour", person="wang")))
    decided.then_refused_for(Reason(rule="slot_taken", limit=1, actual=1))


def three_bookings(*days: str) -> list[BookingConfirmed]:
    return [booked(wish(start=f"{day} 10:00", end=f"{day} 11:00"), f"q{day}") for day in days]


def test_three_open_bookings_are_the_most_a_resident_has() -> None:
    decided = asked(wish(), *three_bookings("2026-11-25", "2026-11-26", "2026-11-27"))
    decided.then_refused_for(Reason(rule="quota_reached", limit=3, actual=3))


def test_the_quota_counts_over_the_border_of_a_month() -> None:
    """Two of them lie in December."""
    asked(wish(), *three_bookings("2026-11-30", "2026-12-01", "2026-12-02")).then_refused("quota_reached")


def test_what_has_passed_counts_no_longer() -> None:
    """That of the 23rd was never checked in to: a no-show since 10:15 of that day, recorded or not."""
    asked(wish(), *three_bookings("2026-11-23", "2026-11-26", "2026-11-27")).then_kinds(BookingConfirmed)


def test_another_person_s_bookings_do_not_count() -> None:
    others = [
        booked(wish(start=f"{day} 10:00", end=f"{day} 11:00", person="wang"), day)
        for day in ("2026-11-25", "2026-11-26", "2026-11-27")
    ]
    asked(wish(), *others).then_kinds(BookingConfirmed)


def test_the_station_s_own_bookings_have_no_quota() -> None:
    held = [
        booked(wish(start=f"{day} 10:00", end=f"{day} 11:00", person="station:wanyuan-1"), day)
        for day in ("2026-11-25", "2026-11-26", "2026-11-27")
    ]
    given(*GUMEI, *held).when(wish(person="station:wanyuan-1"), by=STAFF).then_kinds(BookingConfirmed)


def test_the_station_s_own_bookings_keep_every_other_rule() -> None:
    request = wish(start=f"{TODAY} 20:00", end=f"{TODAY} 22:00", person="station:wanyuan-1")
    given(*GUMEI).when(request, by=STAFF).then_refused("outside_hours")


def test_every_rule_that_was_broken_is_told_in_the_order_of_the_rules() -> None:
    full = booked(wish(start=f"{TODAY} 20:00", end=f"{TODAY} 21:00", person="wang", units=3), "full")
    decided = asked(
        wish(start=f"{TODAY} 17:00", end=f"{TODAY} 21:30", units=4, attendees=20),
        full,
        *three_bookings("2026-11-25", "2026-11-26", "2026-11-27"),
        closed(f"{TODAY} 19:00", f"{TODAY} 20:00"),
        now=local("2026-11-24 16:45"),
    )
    decided.then_refused(
        "too_soon", "room_closed", "outside_hours", "too_long", "too_many_units", "too_many_people", "slot_taken",
        "quota_reached",
    )  # fmt: skip


def test_a_rule_that_the_office_changed_decides_with_its_new_figure() -> None:
    decided = asked(wish(end=f"{TODAY} 16:00"), rules=RuleBook(duration_minutes_max=60))
    decided.then_refused_for(Reason(rule="too_long", limit=60, actual=120))


def test_the_refusal_says_which_version_of_the_rules_it_was() -> None:
    assert asked(wish(end=f"{TODAY} 18:00")).told["rules_version"] == 1


def in_berlin(now: str, start: str, end: str, *before: Event) -> Decided:
    """The same house where the clocks jump, open day and night."""
    request = wish(start=start, end=end, zone=BERLIN)
    return given(*opened(rules=ALWAYS, zone="Europe/Berlin"), *before).when(request, by=LIN, now=local(now, BERLIN))


def test_a_day_is_released_at_eight_by_the_clock_on_the_wall_though_the_clocks_jump_in_between() -> None:
    late = ("2026-11-01 10:00", "2026-11-01 11:00")
    in_berlin("2026-10-18 08:00", *late).then_kinds(BookingConfirmed)
    in_berlin("2026-10-18 07:59", *late).then_refused("too_far_ahead")


def test_on_the_day_of_twenty_five_hours_the_hour_that_comes_twice_is_two_hours() -> None:
    """From 02:00 to 03:00 by the clock on the wall are two hours, of which each is a slot."""
    two = in_berlin("2026-10-24 08:00", "2026-10-25 02:00", "2026-10-25 03:00").events[0]
    assert isinstance(two, BookingConfirmed)
    assert two.end - two.start == timedelta(hours=2)
    assert len(grid(date(2026, 10, 25), ALWAYS.hours, 60, BERLIN)) == 25


def test_on_the_day_of_twenty_three_hours_a_slot_is_an_hour_as_on_any_other() -> None:
    made = in_berlin("2026-03-28 08:00", "2026-03-29 01:00", "2026-03-29 03:00").events[0]
    assert isinstance(made, BookingConfirmed)
    assert made.end - made.start == timedelta(hours=1)

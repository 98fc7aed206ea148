"""A room's day as people read it: free slots one by one, the others in runs with their reason."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from booking.messages import Reason
from linyue.pages import day
from linyue.pages.language import Calendar
from projections.grid import Day, Slot, SlotState

ZONE = ZoneInfo("Asia/Shanghai")
# Nine in the morning in Shanghai.
NINE = datetime(2026, 11, 24, 1, tzinfo=UTC)
TAKEN = Reason(rule="slot_taken", limit=3, actual=3)
PAST = Reason(rule="in_the_past")
AHEAD = Reason(rule="too_far_ahead", limit=14, actual=15, possible_from=NINE)


def slots(*states: tuple[SlotState, tuple[Reason, ...]]) -> tuple[Slot, ...]:
    """An hour each from nine on."""
    return tuple(
        Slot(
            start=NINE + timedelta(hours=n),
            end=NINE + timedelta(hours=n + 1),
            free=0 if reasons else 2,
            state=state,
            reasons=reasons,
        )
        for n, (state, reasons) in enumerate(states)
    )


def test_neighbours_that_cannot_be_had_for_the_same_reason_are_one_run() -> None:
    found = day.parts(slots(("full", (TAKEN,)), ("full", (TAKEN,)), ("free", ())), "zh", ZONE)
    [morning] = found
    assert [(run.end - run.start, run.free) for run in morning.runs] == [
        (timedelta(hours=2), 0),
        (timedelta(hours=1), 2),
    ]


def test_free_neighbours_stay_apart() -> None:
    [morning] = day.parts(slots(("free", ()), ("free", ())), "zh", ZONE)
    assert len(morning.runs) == 2


def test_a_run_ends_with_its_part_of_the_day() -> None:
    found = day.parts(slots(*(("full", (TAKEN,)) for _ in range(10))), "en", ZONE)
    assert [(part.word, len(part.runs)) for part in found] == [("Morning", 1), ("Afternoon", 1), ("Evening", 1)]


def test_what_is_over_is_told_with_no_other_reason() -> None:
    [morning] = day.parts(slots(("past", (PAST, TAKEN))), "zh", ZONE)
    assert morning.runs[0].sentences == ("这个时段已经开始或已过去。",)


def test_a_day_with_one_reason_throughout_is_told_in_one() -> None:
    found = day.closed(slots(("not_bookable", (AHEAD,)), ("not_bookable", (AHEAD,))), "zh", ZONE)
    assert found is not None
    assert len(found.sentences) == 1


def test_a_day_without_slots_is_not_open() -> None:
    assert day.closed((), "zh", ZONE) == day.Closed("不开放", ("当天不开放。",))


def test_a_day_with_a_free_slot_is_not_closed() -> None:
    assert day.closed(slots(("free", ())), "zh", ZONE) is None


def test_the_strip_says_in_a_word_what_each_day_has() -> None:
    first = date(2026, 11, 24)
    days = [
        Day(date=first + timedelta(days=n), slots=found)
        for n, found in enumerate(
            [slots(("free", ()), ("full", (TAKEN,))), slots(("full", (TAKEN,))), (), slots(("not_bookable", (AHEAD,)))]
        )
    ]
    choices = day.strip(days, Calendar("zh", ZONE, NINE))
    assert [choice.word for choice in choices] == ["余 1", "约满", "不开放", "未放号"]
    assert [choice.weekday for choice in choices] == ["今天", "明天", "周四", "周五"]


def test_the_first_free_slot_may_be_on_a_later_day() -> None:
    free = slots(("free", ()))
    days = [Day(date=date(2026, 11, 24), slots=()), Day(date=date(2026, 11, 25), slots=free)]
    assert day.first_free(days) == free[0]
    assert day.first_free(days[:1]) is None

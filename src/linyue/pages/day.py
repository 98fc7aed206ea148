"""A room's day as people read it: what is free slot by slot, and what is not in runs, each with its reason."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from booking.messages import Reason
from linyue.pages.language import Calendar
from linyue.words import Language, Words, codes, rules
from projections.grid import Day, Slot

# From which hour on a part of the day is called so.
PARTS: tuple[tuple[int, Words], ...] = (
    (18, Words("晚上", "Evening")),
    (12, Words("下午", "Afternoon")),
    (0, Words("上午", "Morning")),
)
LEFT = Words("余 {free}", "{free} free")
NO_SLOT = Reason(rule="outside_hours")


class Run(NamedTuple):
    """One free slot, or neighbouring ones that cannot be had for the same reasons."""

    start: datetime
    end: datetime
    free: int
    word: str
    sentences: tuple[str, ...]


class Part(NamedTuple):
    """The morning, the afternoon or the evening."""

    word: str
    runs: tuple[Run, ...]


class Closed(NamedTuple):
    """Why there is nothing at all on a day."""

    word: str
    sentences: tuple[str, ...]


class Choice(NamedTuple):
    """A day in the strip: how it is called, and in a word what it has."""

    date: date
    weekday: str
    number: str
    word: str
    free: int


def parts(slots: Sequence[Slot], language: Language, zone: ZoneInfo) -> list[Part]:
    """The parts of the day that have slots, in order."""
    found: dict[str, list[Run]] = {}
    for slot in slots:
        runs = found.setdefault(_part_of(slot.start, language, zone), [])
        run = _run(slot, language, zone)
        last = runs[-1] if runs else None
        if last and not run.free and last.end == run.start and last[2:] == run[2:]:
            runs[-1] = last._replace(end=run.end)
        else:
            runs.append(run)
    return [Part(word, tuple(runs)) for word, runs in found.items()]


def closed(slots: Sequence[Slot], language: Language, zone: ZoneInfo) -> Closed | None:
    """Why the whole day has nothing, where that is one and the same reason; else the grid tells it."""
    runs = {_run(slot, language, zone)[2:] for slot in slots}
    if not runs:
        return Closed(codes.SLOT_STATES["closed"].say(language), (rules.message(NO_SLOT, language, zone),))
    free, word, sentences = next(iter(runs))
    return Closed(word, sentences) if len(runs) == 1 and not free else None


def strip(days: Iterable[Day], calendar: Calendar) -> list[Choice]:
    """The days to choose from."""
    return [
        Choice(
            day.date,
            calendar.weekday(day.date),
            calendar.number(day.date),
            _word_of(day, calendar.language),
            sum(slot.free > 0 for slot in day.slots),
        )
        for day in days
    ]


def first_free(days: Iterable[Day]) -> Slot | None:
    """The first slot that can be had."""
    return next((slot for day in days for slot in day.slots if slot.free), None)


def _part_of(start: datetime, language: Language, zone: ZoneInfo) -> str:
    hour = start.astimezone(zone).hour
    return next(words for since, words in PARTS if hour >= since).say(language)


def _run(slot: Slot, language: Language, zone: ZoneInfo) -> Run:
    # What is over is over, whatever else would have been said of it.
    reasons = slot.reasons[:1] if slot.state == "past" else slot.reasons
    word = codes.SLOT_STATES[slot.state].say(language)
    sentences = tuple(rules.message(reason, language, zone) for reason in reasons)
    return Run(slot.start, slot.end, slot.free, word, sentences)


def _word_of(day: Day, language: Language) -> str:
    free = sum(slot.free > 0 for slot in day.slots)
    if free:
        return LEFT.say(language, free=free)
    if any(slot.state == "full" for slot in day.slots):
        return codes.SLOT_STATES["full"].say(language)
    if not day.slots:
        return codes.SLOT_STATES["closed"].say(language)
    last = day.slots[-1]
    if last.state == "not_bookable":
        return rules.SHORT[last.reasons[0].rule].say(language)
    return codes.SLOT_STATES[last.state].say(language)

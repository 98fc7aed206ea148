"""What could be had instead, nearest first: each as free as it is said to be."""

from datetime import UTC, date, datetime, timedelta

import msgspec
from tests.http.conftest import NOW, ZONE

from booking.local_time import Interval
from booking.places.events import Closure, Resource, Room, RoomDefinition, Use
from booking.reservations.checks import Known
from booking.reservations.states import ResourceDay
from booking.rules.events import HouseRules, RuleBook
from booking.takes import Take
from linyue.alternatives import Asked, nearest
from projections.grid import Board

DAY = date(2026, 11, 25)


def room(
    name: str, station: str = "wanyuan", *, closed: Interval | None = None, slot_minutes: int = 60, units: int = 1
) -> Room:
    """A room whose one use takes a resource of its own."""
    use = Use(use="书画", takes=(Take(resource=name),), slot_minutes=slot_minutes, units=units)
    definition = RoomDefinition(name=name, station=station, space="space", uses=(use,))
    closures = (Closure(start=closed.start, end=closed.end, closed=True),) if closed else ()
    return Room(room=name, definition=definition, closures=closures)


def board(*rooms: Room, days: int = 1, capacity: int = 1) -> Board:
    days_ = [str(DAY + timedelta(days=n)) for n in range(days + 1)]
    known = Known(
        rules=HouseRules(),
        zone=ZONE,
        resources={r.room: Resource(name=r.room, station="wanyuan", capacity=capacity) for r in rooms},
        days={f"resource:{r.room}:{day}": ResourceDay() for r in rooms for day in days_},
    )
    last = DAY + timedelta(days=days - 1)
    return Board(rooms={r.room: r for r in rooms}, known=known, first_day=DAY, last_day=last, now=NOW)


def span(hour: int, hours: int = 1, minute: int = 0) -> Interval:
    start = datetime(2026, 11, 25, hour, minute, tzinfo=ZONE).astimezone(UTC)
    return Interval(start, start + timedelta(hours=hours))


def starts(asked: Asked, same_room: Board, same_use: Board) -> list[tuple[str, str]]:
    found = nearest(asked, same_room, same_use)
    return [(a.room, a.start.astimezone(ZONE).strftime("%d %H:%M")) for a in found]


def test_the_rooms_other_times_come_first_then_other_rooms_at_that_time() -> None:
    own, beside, far = room("own"), room("beside"), room("far", "gulong")
    found = starts(Asked(room="own", use="书画", slot=span(14)), board(own), board(own, far, beside))
    assert found == [
        ("own", "25 13:00"),
        ("own", "25 15:00"),
        ("own", "25 12:00"),
        ("beside", "25 14:00"),
        ("far", "25 14:00"),
    ]


def test_then_what_is_near_both_the_nearest_first() -> None:
    """Another room is as far as an hour, another station as two; the room's next day is a day away."""
    own, far = room("own", closed=span(9, 12)), room("far", "gulong", closed=span(14))
    beside = room("beside", closed=span(12, 3))
    found = starts(Asked(room="own", use="书画", slot=span(14)), board(own, days=4), board(own, beside, far))
    assert found == [
        ("beside", "25 15:00"),
        ("far", "25 13:00"),
        ("far", "25 15:00"),
        ("beside", "25 16:00"),
        ("beside", "25 11:00"),
    ]


def test_where_there_is_less_of_one_kind_there_is_more_of_another() -> None:
    own, alone = room("own"), Asked(room="own", use="书画", slot=span(14))
    assert [start[:2] for _, start in starts(alone, board(own), board(own))] == ["25"] * 5
    assert [start[:2] for _, start in starts(alone, board(own, days=4), board(own))] == ["25"] * 3 + ["26"] * 2
    rooms = [room(f"other{n}") for n in range(6)]
    closed = room("own", closed=span(9, 12))
    found = starts(alone, board(closed), board(closed, *(room(r.room, closed=span(9, 5)) for r in rooms)))
    assert [start for _, start in found][:2] == ["25 14:00"] * 2


def test_whoever_may_book_only_at_their_stations_is_offered_no_other() -> None:
    own, beside, far = room("own", closed=span(9, 12)), room("beside"), room("far", "gulong")
    asked = Asked(room="own", use="书画", slot=span(14), stations=frozenset({"wanyuan"}))
    assert {name for name, _ in starts(asked, board(own), board(own, far, beside))} == {"beside"}


def test_nothing_is_offered_that_ends_after_the_days_that_are_known() -> None:
    """A day's last slots would reach into days of which it is not known what is taken."""
    rules = HouseRules(book=RuleBook(duration_minutes_max=3 * 1440))
    own = board(room("own"), days=2)
    known = msgspec.structs.replace(own.known, rules=rules)
    long = Board(rooms=own.rooms, known=known, first_day=own.first_day, last_day=own.last_day, now=NOW)
    assert starts(Asked(room="own", use="书画", slot=span(14, 60)), long, long) == []


def test_the_next_days_follow_where_the_day_has_nothing() -> None:
    closed = Interval(span(0).start, span(0).start + timedelta(hours=24))
    own = room("own", closed=closed)
    found = starts(Asked(room="own", use="书画", slot=span(14)), board(own, days=4), board(own))
    assert found[0] == ("own", "26 09:00")


def test_as_long_as_was_asked_is_free_throughout() -> None:
    own = room("own", closed=span(16))
    found = starts(Asked(room="own", use="书画", slot=span(14, 2, minute=10)), board(own), board(own))
    # 15:00 to 17:00 would run into the closure.
    assert ("own", "25 15:00") not in found
    assert ("own", "25 14:00") in found


def test_a_length_that_is_no_whole_number_of_slots_is_rounded_up_and_never_longer_than_the_rules_let() -> None:
    own = room("own", slot_minutes=90)
    found = nearest(Asked(room="own", use="书画", slot=span(9, 2)), board(own), board(own))
    assert {a.end - a.start for a in found} == {timedelta(minutes=180)}
    found = nearest(Asked(room="own", use="书画", slot=span(9, 10)), board(own), board(own))
    assert {a.end - a.start for a in found} == {timedelta(minutes=180)}


def test_as_many_units_as_were_asked_are_free() -> None:
    own, small = room("own", units=3), room("small", units=1)
    asked = Asked(room="own", use="书画", slot=span(14), units=2)
    found = nearest(asked, board(own, capacity=3), board(own, small, capacity=3))
    assert {a.room for a in found} == {"own"}
    assert {a.free for a in found} == {3}


def test_a_room_that_nobody_knows_has_no_alternatives_of_its_own() -> None:
    other = room("other")
    found = starts(Asked(room="gone", use="书画", slot=span(14)), board(), board(other))
    assert found[:2] == [("other", "25 14:00"), ("other", "25 13:00")]

"""Rooms for races and loads: one held whole, one by the unit, a hall and its halves, and many that nobody fills."""

from collections.abc import Iterator

from booking.messages import Command
from booking.places.decide import OpenResource, OpenRoom, OpenSpace, OpenStation, OpenSubdistrict
from booking.places.events import RoomDefinition, Use
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take

STATION = "station"
TABLES = 3
PLAZAS = tuple(f"plaza-{n}" for n in range(20))
PLAZA_UNITS = 10_000
GALLERIES = tuple(f"gallery-{n}" for n in range(4))
"""As large, and staff must approve what is booked in them."""


def commands() -> Iterator[Command]:
    """What opens them, in order."""
    yield OpenSubdistrict(name="试", time_zone="Asia/Shanghai")
    yield ChangeRules(book=RuleBook(open_bookings_max=10_000, lead_minutes_min=0))
    yield OpenStation(station=STATION, name="站", power="力", theme="题")
    yield OpenSpace(space="space", station=STATION, name="空间")
    yield from _room("studio", [Use(use="书画", takes=(Take(resource="floor"),))], {"floor": 1})
    yield from _room("tables", [Use(use="乒乓球", takes=(Take(resource="table"),), units=TABLES)], {"table": TABLES})
    halves = [
        Use(use="整场", takes=(Take(resource="half", units=2),)),
        Use(use="半场", takes=(Take(resource="half"),), units=2),
    ]
    yield from _room("hall", halves, {"half": 2})
    yield from _room(
        "salon", [Use(use="会议", takes=(Take(resource="table-of-ten"),), approval=True)], {"table-of-ten": 1}
    )
    for large in (*PLAZAS, *GALLERIES):
        use = Use(use="广场", takes=(Take(resource=f"{large}-place"),), units=PLAZA_UNITS, approval=large in GALLERIES)
        yield from _room(large, [use], {f"{large}-place": PLAZA_UNITS})


def _room(room: str, uses: list[Use], resources: dict[str, int]) -> Iterator[Command]:
    for resource, capacity in resources.items():
        yield OpenResource(resource=resource, station=STATION, name=resource, capacity=capacity)
    definition = RoomDefinition(name=room, station=STATION, space="space", uses=tuple(uses))
    yield OpenRoom(room=room, definition=definition)

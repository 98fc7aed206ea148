"""Proves the rooms: none is opened twice or changed when it is not there, and where some retire, nothing is left half.

What retires at once names the same, takes its live bookings along to rooms that the same command opens, and is gone.
"""

from collections.abc import Iterable

from booking.verify.lives import Life
from booking.verify.reading import Data, Event, word

ROOMS = frozenset({"RoomOpened", "RoomChanged", "RoomRetired"})


class Rooms:
    """The rooms as a log has them, and what the command that is being replayed retired and opened."""

    def __init__(self) -> None:
        self.definitions: dict[str, Data] = {}
        self._opened: dict[str, Data] = {}
        self._retired: dict[int, Data] = {}

    def replay(self, position: int, event: Event) -> Iterable[str]:
        """Move on by an event of a room; what is odd about it. Raises one of `reading.UNREADABLE`."""
        room = word(event.data["room"])
        there = room in self.definitions
        if there is (event.type == "RoomOpened"):
            yield f"{event.type} of {room}, which was {'there already' if there else 'not there'}"
        if event.type == "RoomRetired":
            self.definitions.pop(room, None)
            self._retired[position] = event.data
            return
        self.definitions[room] = event.data["definition"]
        if event.type == "RoomOpened":
            self._opened[room] = event.data["definition"]

    def carries(self, event: Event) -> bool:
        """Whether a booking was moved because its room retired."""
        return event.cause in self._retired

    def odd_in_carrying(self, life: Life, to: Life, event: Event) -> Iterable[str]:
        """Where it becomes more than the same booking in a room that takes the place of its own."""
        assert isinstance(event.cause, int)
        retired = self._retired[event.cause]
        into = [new["room"] for new in retired.get("into", [])]
        if life.room not in retired["beside"] or to.room not in into:
            yield f"it is carried from {life.room} to {to.room}, where {', '.join(into) or 'nothing'} was opened"
        same = ("use", "units", "attendees", "start", "end")
        changed = [name for name in same if getattr(life, name) != getattr(to, name)]
        if event.data["awaits"] != (life.confirmed_at is None):
            changed.append("approval")
        if changed:
            yield f"it is carried to {to.room} with another {', '.join(changed)}"

    def settle(self, live: Iterable[Life]) -> Iterable[tuple[int, str]]:
        """The command is over: what it left half, and where."""
        if not self._retired:
            return
        gone = {data["room"] for data in self._retired.values()}
        for position, data in self._retired.items():
            if set(data["beside"]) != gone:
                yield position, f"it retired beside {', '.join(data['beside'])}, which were not all that retired"
            if {new["room"]: new["definition"] for new in data.get("into", [])} != self._opened:
                yield position, "the rooms in its place are not those that were opened"
        for life in live:
            if life.room in gone and life.room not in self._opened:
                yield max(self._retired), f"{life.booking} stayed in {life.room}, which retired"

    def begin(self) -> None:
        """Another command begins, or nobody knows what this one left."""
        self._opened.clear()
        self._retired.clear()

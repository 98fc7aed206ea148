"""What is known while a batch is decided: the events of each tag that was read, and the states they make."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol, Self, TypeVar, cast

from booking.messages import Recorded


class TagRange(NamedTuple):
    """All tags from `first` up to but not including `last`, in byte order."""

    first: str
    last: str

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, str) and self.first <= tag < self.last


class Kind(Protocol):
    """A state that the events of one tag make: empty when constructed, one event further with each `evolve`.

    `tag` is the one whose state it is: an event may enter some of its tags and leave others.
    """

    def __init__(self) -> None: ...

    def evolve(self, recorded: Recorded, tag: str) -> Self: ...


K = TypeVar("K", bound=Kind)


class NotRead(LookupError):
    """A decider looked at a tag that it did not name among its tags; name it there."""


class State:
    """One state for each tag that was read. A tag that was read and has no event is an empty state."""

    def __init__(self) -> None:
        self._events: dict[str, list[Recorded]] = {}
        self._ranges: set[TagRange] = set()
        self._states: dict[str, dict[type[Kind], Kind]] = {}

    def has(self, tag: str) -> bool:
        """Whether this tag was read, by name or within a range."""
        return tag in self._events or any(tag in range_ for range_ in self._ranges)

    def has_range(self, range_: TagRange) -> bool:
        """Whether this very range was read."""
        return range_ in self._ranges

    def at(self, kind: type[K], tag: str) -> K:
        """The state that the tag's events make. Raises `NotRead` for a tag that nobody read."""
        known = self._states.get(tag, {}).get(kind)
        if known is None:
            if not self.has(tag):
                raise NotRead(tag)
            known = kind()
            for recorded in self._events.get(tag, ()):
                known = known.evolve(recorded, tag)
            self._states.setdefault(tag, {})[kind] = known
        return cast(K, known)

    def within(self, kind: type[K], range_: TagRange) -> Iterator[tuple[str, K]]:
        """The states of every tag in the range that has events, in the order of the tags."""
        if range_ not in self._ranges:
            raise NotRead(f"{range_.first} to {range_.last}")
        for tag in sorted(tag for tag in self._events if tag in range_):
            yield tag, self.at(kind, tag)

    def add(self, tags: Iterable[str], ranges: Iterable[TagRange], found: Mapping[str, list[Recorded]]) -> None:
        """Take in what was read under the lock: the events of each tag found, oldest first.

        A tag that was asked for and not found has no events. What is known already stays: the lock was held since.
        """
        for tag in tags:
            self._events.setdefault(tag, list(found.get(tag, ())))
        for tag, events in found.items():
            self._events.setdefault(tag, events)
        self._ranges.update(ranges)

    def evolve(self, recorded: Recorded, tags: Iterable[str]) -> None:
        """Move on by an event that was just decided, in each of its tags that was read."""
        for tag in filter(self.has, tags):
            self._events.setdefault(tag, []).append(recorded)
            states = self._states.get(tag, {})
            for kind, known in states.items():
                states[kind] = known.evolve(recorded, tag)

"""What is known while a batch is decided: the events of each tag that was read, and the states they make."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, Self, TypeVar

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


class _Known:
    """What is known of one tag: all its events, oldest first, and the states that were asked of them."""

    __slots__ = ("events", "states")

    def __init__(self, events: Iterable[Recorded] = ()) -> None:
        self.events = list(events)
        self.states: dict[type[Kind], Kind] = {}


class State:
    """One state for each tag that was read. A tag that was read and has no event is an empty state."""

    def __init__(self) -> None:
        # In the order in which they were last asked for.
        self._tags: OrderedDict[str, _Known] = OrderedDict()
        self._ranges: set[TagRange] = set()
        self._size = 0

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that are known by name; what was asked for longest ago comes first."""
        return tuple(self._tags)

    def has(self, tag: str) -> bool:
        """Whether this tag was read, by name or within a range."""
        return tag in self._tags or (bool(self._ranges) and any(tag in range_ for range_ in self._ranges))

    def at(self, kind: type[K], tag: str) -> K:
        """The state that the tag's events make. Raises `NotRead` for a tag that nobody read."""
        known = self._tags.get(tag) or self._within_a_range(tag)
        if known is None:
            raise NotRead(tag)
        # Of the kind that it stands under; nothing is asked for more often.
        state: Any = known.states.get(kind)
        if state is None:
            state = kind()
            for recorded in known.events:
                state = state.evolve(recorded, tag)
            known.states[kind] = state
        return state  # type: ignore[no-any-return]

    def within(self, kind: type[K], range_: TagRange) -> Iterator[tuple[str, K]]:
        """The states of every tag in the range that has events, in the order of the tags."""
        if range_ not in self._ranges:
            raise NotRead(f"{range_.first} to {range_.last}")
        for tag in sorted(tag for tag, known in self._tags.items() if tag in range_ and known.events):
            yield tag, self.at(kind, tag)

    def add(self, tags: Iterable[str], ranges: Iterable[TagRange], found: Mapping[str, list[Recorded]]) -> None:
        """Take in what was read under the lock: the events of each tag found, oldest first.

        A tag that was asked for and not found has no events. What is known already stays: the lock was held since.
        """
        for tag in tags:
            self._learn(tag, found.get(tag, ()))
        for tag, events in found.items():
            self._learn(tag, events)
        self._ranges.update(ranges)

    def evolve(self, recorded: Recorded, tags: Iterable[str]) -> None:
        """Move on by an event that was just decided, in each of its tags that was read."""
        for tag in tags:
            known = self._tags.get(tag) or self._within_a_range(tag)
            if known is None:
                continue
            known.events.append(recorded)
            self._size += 1
            for kind, state in known.states.items():
                known.states[kind] = state.evolve(recorded, tag)

    def asked(self, tag: str | TagRange) -> bool:
        """Whether this tag or this very range is known; if so, it is what was asked for last."""
        if isinstance(tag, TagRange):
            return tag in self._ranges
        if tag in self._tags:
            self._tags.move_to_end(tag)
            return True
        return self.has(tag)

    def forget(self, size_max: int) -> None:
        """Keep at most so many events, counted once for each tag and one for the tag itself.

        What was not asked for longest goes first. Of a range its tags with events are kept, each by its name: that the
        others have none is not.
        """
        self._ranges.clear()
        while self._size > size_max:
            _, known = self._tags.popitem(last=False)
            self._size -= 1 + len(known.events)

    def _learn(self, tag: str, events: Iterable[Recorded]) -> _Known:
        known = self._tags.get(tag)
        if known is None:
            known = self._tags[tag] = _Known(events)
            self._size += 1 + len(known.events)
        return known

    def _within_a_range(self, tag: str) -> _Known | None:
        """A tag without events, of which a range that was read says so."""
        return self._learn(tag, ()) if self._ranges and any(tag in range_ for range_ in self._ranges) else None

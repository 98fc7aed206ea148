"""Proves the tag index both ways: every event is found under each of its tags, and under no other.

Events come by position and the index by tag, and neither fits in memory. So each (position, tag) is hashed under a key
of this run's own and the hashes are added up for each stretch of positions: what the events say is added, what the
index says is subtracted, and only a stretch whose sum is not 0 is looked at row by row.
"""

import hashlib
import secrets
from collections.abc import Iterable

from booking.verify.report import Findings

STRETCH = 1_024
"""Events whose tags share a sum."""

STRETCHES_EXAMINED_MAX = 20
"""Stretches held in memory to be looked at row by row: some 5,000 tag rows each."""

_HASH_BYTES = 16


class Sums:
    """One sum for each stretch of positions: 0 where events and index name the same tags."""

    def __init__(self) -> None:
        self.tags = 0
        self._sums: dict[int, int] = {}
        # Nobody can make a false index whose sums happen to be right without this key.
        self._key = secrets.token_bytes(_HASH_BYTES)

    def expect(self, position: int, tags: Iterable[str]) -> None:
        """The event at this position has these tags."""
        total = 0
        for tag in tags:
            total += self._hash(position, tag)
            self.tags += 1
        self._sums[position // STRETCH] = self._sums.get(position // STRETCH, 0) + total

    def see(self, position: int, tag: str) -> None:
        """The index names this position under this tag."""
        self._sums[position // STRETCH] = self._sums.get(position // STRETCH, 0) - self._hash(position, tag)

    def disagreeing(self) -> list[int]:
        """The stretches that are not 0, in order."""
        return sorted(stretch for stretch, total in self._sums.items() if total)

    def _hash(self, position: int, tag: str) -> int:
        text = b"%d %b" % (position, tag.encode())
        return int.from_bytes(hashlib.blake2b(text, digest_size=_HASH_BYTES, key=self._key).digest(), "big")


class Differences:
    """The rows of some stretches, from both sides, held against each other one by one."""

    def __init__(self, stretches: Iterable[int]) -> None:
        self.stretches = frozenset(stretches)
        self._missing: set[tuple[int, str]] = set()
        self._added: set[tuple[int, str]] = set()

    def expect(self, position: int, tags: Iterable[str]) -> None:
        if position // STRETCH in self.stretches:
            self._missing.update((position, tag) for tag in tags)

    def see(self, position: int, tag: str) -> None:
        if position // STRETCH in self.stretches:
            row = (position, tag)
            if row in self._missing:
                self._missing.remove(row)
            else:
                self._added.add(row)

    def report(self, findings: Findings) -> None:
        for position, tag in sorted(self._missing):
            findings.add(position, "tag_missing", f"the event is not found under its tag {tag}")
        for position, tag in sorted(self._added):
            findings.add(position, "tag_added", f"the index has a row {tag} that the event does not have")

"""Proves the order: positions without a gap, each hash from the one before, each envelope at its own place and time."""

import hashlib
from datetime import datetime

from booking import log
from booking.verify.reading import Event
from booking.verify.report import Findings


class Chain:
    """Follows a log from its beginning, row by row.

    After a finding it goes on from what the log says, so that one wrong row is one finding and not a million.
    """

    def __init__(self, subdistrict: str, findings: Findings) -> None:
        self.position = 0
        self.hash = hashlib.sha256(b"linyue" + subdistrict.encode()).digest()
        self._before: frozenset[bytes] = frozenset({self.hash})
        self._findings = findings

    def link(self, row: log.Row) -> bool:
        """Whether the row's position comes next, and its hash follows from the one before and its bytes."""
        found = self._findings.count
        if row.position != self.position + 1:
            missing = f"position {self.position + 1}" if row.position == self.position + 2 else "positions"
            self._findings.add(self.position + 1, "gap", f"{missing} up to {row.position - 1} are missing")
            # Nothing is left that the next hash could be held against.
            self._before = frozenset()
        follows = {hashlib.sha256(before + row.data).digest() for before in self._before}
        if self._before and row.hash not in follows:
            self._findings.add(row.position, "chain", "the hash does not follow from the one before and these bytes")
        # The next row still follows from the hash that stands here where bytes were changed, and from the one that
        # should stand here where the hash was: either way it is sound.
        self._before = frozenset({row.hash} | (follows if len(follows) == 1 else set()))
        self.position, self.hash = row.position, row.hash
        return self._findings.count == found


class Envelopes:
    """Holds each event's envelope against the row that it is kept in and against the events before."""

    def __init__(self, subdistrict: str, findings: Findings) -> None:
        self._subdistrict = subdistrict
        self._findings = findings
        self._at: datetime | None = None
        self._command = ""
        self._n = 0
        self._rules = 0
        self._rules_before = 0

    def check(self, position: int, event: Event) -> None:
        if (event.subdistrict, event.position) != (self._subdistrict, position):
            says = f"{event.subdistrict} {event.position}"
            self._findings.add(
                position, "envelope", f"the row is {self._subdistrict} {position}, the envelope says {says}"
            )
        self._check_time(position, event)
        self._check_command(position, event)
        self._check_grounds(position, event)
        if event.type == "RulesChanged":
            self._rules = position

    def _check_time(self, position: int, event: Event) -> None:
        if self._at is not None and event.at < self._at:
            self._findings.add(position, "time", f"at {event.at} is before the event before, at {self._at}")
        if event.due is not None and event.due > event.at:
            self._findings.add(position, "time", f"it took effect at {event.due}, after it was written at {event.at}")
        self._at = event.at

    def _check_command(self, position: int, event: Event) -> None:
        """A command's events are numbered from 0 and stand together."""
        expected = self._n + 1 if event.command == self._command else 0
        if event.n != expected:
            self._findings.add(position, "command", f"event {event.n} of command {event.command}, expected {expected}")
        if event.command != self._command:
            # All of a command is decided under the rules that stood before it.
            self._rules_before = self._rules
        self._command, self._n = event.command, event.n

    def _check_grounds(self, position: int, event: Event) -> None:
        if event.rules != self._rules_before:
            message = f"it names the rules at {event.rules}, in force were those at {self._rules_before}"
            self._findings.add(position, "rules", message)
        if isinstance(event.cause, int) and not 0 < event.cause < position:
            self._findings.add(position, "cause", f"its cause, position {event.cause}, does not come before it")

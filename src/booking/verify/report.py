"""What a proof says: what it proved, what it found, and the checkpoint by which a later proof sees more."""

from typing import Literal, NamedTuple

import msgspec

Kind = Literal[
    "gap",  # positions that have no event
    "chain",  # the hash does not follow from the one before and the bytes
    "bytes",  # the bytes are not canonical JSON
    "form",  # not an event that this program can read
    "envelope",  # the envelope names another log or position than the row's, or has not the fields it must have
    "command",  # not the next event of its command
    "time",  # earlier than the event before, or due only later
    "rules",  # not decided under the rules then in force
    "cause",  # caused by what came later
    "tag_missing",  # the event is not found under a tag that it has
    "tag_added",  # the tag index names the event under a tag that it does not have
    "tags",  # events and index differ somewhere in a stretch of positions that was not looked at row by row
    "booking",  # a booking made twice, never made, or at odds with its room or with how it was made
    "life",  # a step that its life did not allow
    "overbooked",  # the live bookings of a resource take more than its capacity
    "checkpoint",  # the log no longer holds what it held when the checkpoint was taken
]

FINDINGS_OF_A_KIND_MAX = 50


class Finding(msgspec.Struct, frozen=True, order=True):
    """Something that is wrong, and where. The lowest position is where to look first: later ones may follow from it."""

    position: int
    kind: Kind
    message: str


class Findings:
    """Gathers findings: all are counted, the first `FINDINGS_OF_A_KIND_MAX` of each kind are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: dict[Kind, list[Finding]] = {}

    def add(self, position: int, kind: Kind, message: str) -> None:
        self.count += 1
        kept = self._kept.setdefault(kind, [])
        if len(kept) < FINDINGS_OF_A_KIND_MAX:
            kept.append(Finding(position, kind, message))

    def kinds(self) -> frozenset[Kind]:
        return frozenset(self._kept)

    def in_order(self) -> tuple[Finding, ...]:
        return tuple(sorted(finding for kept in self._kept.values() for finding in kept))


class Checkpoint(msgspec.Struct, frozen=True):
    """The hash (hex) of the event at a position. Kept elsewhere, it shows what the log alone cannot."""

    position: int
    hash: str

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """A checkpoint as it was printed. Raises `ValueError` for anything else."""
        position, _, digits = text.strip().partition(":")
        if not position.isdecimal() or len(digits) != 64 or not set(digits.lower()) <= set("0123456789abcdef"):
            raise ValueError(f"a checkpoint looks like 1234:… with 64 hex digits, not like {text!r}")
        return cls(int(position), digits.lower())


class Progress(NamedTuple):
    """How far a proof is: first the events are read, then the tag index."""

    stage: Literal["events", "tags"]
    done: int
    total: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was proved of a log up to `checkpoint`, which is the one to keep elsewhere.

    `found` counts all findings, `findings` lists at most `FINDINGS_OF_A_KIND_MAX` of each kind, by position.
    """

    subdistrict: str
    ok: bool
    checkpoint: Checkpoint
    events: int
    tags: int
    bookings: int
    proved: tuple[str, ...]
    findings: tuple[Finding, ...]
    found: int


_CHAINED: frozenset[Kind] = frozenset({"gap", "chain", "envelope"})
_ORDERED: frozenset[Kind] = frozenset({"gap", "bytes", "form", "command", "time", "rules", "cause"})
_TAGGED: frozenset[Kind] = frozenset({"gap", "form", "tag_missing", "tag_added", "tags"})
_LIVED: frozenset[Kind] = frozenset({"gap", "form", "booking", "life"})
_NEVER_OVERBOOKED: frozenset[Kind] = _LIVED | {"time", "overbooked"}
_STILL_THERE: frozenset[Kind] = _CHAINED | {"checkpoint"}


def proved(
    found: frozenset[Kind], events: int, tags: int, bookings: int, checkpoint: Checkpoint | None
) -> tuple[str, ...]:
    """What holds of the log, a sentence for each claim against which nothing was found."""
    if events == 0:
        return () if found else ("The log is empty, and so is its index.",)
    claims = {
        f"Positions 1 to {events:,} hold an event each, without a gap, chained to the one before.": _CHAINED,
        "Each is in canonical bytes, and time, commands, rules and causes never run backwards.": _ORDERED,
        f"The index names each event under all of its tags and no other: {tags:,} rows.": _TAGGED,
        f"{bookings:,} bookings were each made once, as their room and the rules said, and lived as they may.": _LIVED,
        "At no instant do the live bookings of a resource take more than its capacity.": _NEVER_OVERBOOKED,
    }
    if checkpoint is not None:
        claims[f"The log still holds what it held at the checkpoint, position {checkpoint.position:,}."] = _STILL_THERE
    return tuple(sentence for sentence, against in claims.items() if not found & against)

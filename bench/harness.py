"""What a benchmark is made of: sides that are measured in turn, and what was found when they were laid side by side.

A figure of this machine alone says nothing elsewhere, and one of another hour little here. So all sides of a comparison
run in one process's run, A B A B …, some rounds each; the figure is the ratio of their medians.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median

import msgspec

ROUNDS = 5
ROUNDS_QUICK = 2

Side = Callable[[], Awaitable[float]]
"""Does a side's work once, for a bounded time, and returns its figure (commands a second, milliseconds …)."""

Say = Callable[[str], None]
"""Tells whoever waits how far it is."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: `ours` beside `theirs`, each a median; `reached` is None where nothing was to be reached.

    `spread` are the lowest and the highest of the rounds, of ours and of theirs.
    """

    measured: str
    beside: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    spread: tuple[float, float, float, float]
    to_reach: str = ""
    reached: bool | None = None
    note: str = ""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing: `series` are named lines of (x, y) points. `name` is the file's, in lower case with hyphens."""

    name: str
    title: str
    x: str
    y: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    x_log: bool = False


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark found; `notes` say in words what no ratio does."""

    findings: Sequence[Finding]
    curves: Sequence[Curve] = ()
    notes: Sequence[str] = ()


async def in_turn(sides: Mapping[str, Side], rounds: int, say: Say) -> dict[str, list[float]]:
    """Each side's figures, one a round, the sides of a round one after the other."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(1, rounds + 1):
        for name, side in sides.items():
            say(f"round {round_} of {rounds}: {name}")
            figures[name].append(await side())
    return figures


def compared(
    measured: str,
    beside: str,
    unit: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Finding:
    """The finding that two sides' figures make. `at_least` and `at_most` bound the ratio that is to be reached."""
    ratio = median(ours) / median(theirs)
    to_reach, reached = "", None
    if at_least is not None:
        to_reach, reached = f"≥ {at_least:g}", ratio >= at_least
    if at_most is not None:
        to_reach, reached = f"≤ {at_most:g}", ratio <= at_most
    return Finding(
        measured=measured,
        beside=beside,
        unit=unit,
        ours=median(ours),
        theirs=median(theirs),
        ratio=ratio,
        spread=(min(ours), max(ours), min(theirs), max(theirs)),
        to_reach=to_reach,
        reached=reached,
        note=note,
    )

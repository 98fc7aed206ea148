"""What time it is: the real time, or a simulated one that a demo runs on.

The only place that reads the machine's clock; everything else is handed `now`. Instants are aware and in UTC. A DATA
folder remembers in `clock.json` which kind of clock its log lives on, and they never mix: a log whose last event lies
in a simulated future could take no real one after it. What fills a new DATA (the demo's fortnight) runs on a simulated
clock of its own, at speed 0 and moved from instant to instant, before `start_clock` is first called.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

import msgspec

_NANOSECONDS = 1_000_000_000


class ClockMismatch(Exception):
    """DATA lives on the other kind of clock; the message says on which, and what to do."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The instant, in UTC."""


class RealClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """Starts at an instant and runs `speed` times as fast as the machine's steady clock; at speed 0 it stands.

    `steady` counts nanoseconds and never steps back; on one machine all processes count from the same zero, so clocks
    that were given the same `since` agree.
    """

    def __init__(
        self,
        start: datetime,
        speed: float = 1.0,
        *,
        since: int | None = None,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._steady = steady
        self._start = start.astimezone(UTC)
        self._since = steady() if since is None else since
        self.speed = speed

    def now(self) -> datetime:
        """The instant, in UTC."""
        return self.reading()[1]

    def reading(self) -> tuple[int, datetime]:
        """What the steady clock says, and the instant at that very reading."""
        steady = self._steady()
        passed = (steady - self._since) / _NANOSECONDS
        return steady, self._start + timedelta(seconds=passed * self.speed)

    def move_to(self, instant: datetime) -> None:
        """Goes on from a later instant; a clock that people have acted by never goes back."""
        if instant < self.now():
            raise ValueError(f"a clock does not go back from {self.now()} to {instant}")
        self._start, self._since = instant.astimezone(UTC), self._steady()


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What `clock.json` holds: for a simulated clock that it stood at `at` when the steady clock stood at `since`.

    Without `since` it stands still at `at`: it was stopped.
    """

    kind: Literal["real", "simulated"]
    at: datetime | None = None
    since: int | None = None
    speed: float = 1.0


def start_clock(
    data: Path, start: datetime | None = None, speed: float | None = None, *, not_before: datetime | None = None
) -> Clock:
    """The clock of DATA, for the one process that starts the others: begins it, or goes on where it stopped.

    A new DATA gets a simulated clock where `start` is given, else the real one. A simulated one goes on from where it
    stopped, or from `start` or `not_before` (the log's last event) if that is later. Raises ClockMismatch for `start`
    or `speed` on DATA that lives on real time.
    """
    known = _read(data)
    if known is None and start is None and speed is not None:
        raise ClockMismatch("SPEED belongs to a simulated clock: set CLOCK too, the instant at which it starts.")
    if (known is None and start is None) or (known is not None and known.kind == "real"):
        _refuse_simulation(data, start, speed)
        _write(data, _Remembered(kind="real"))
        return RealClock()
    stopped = known.at if known else None
    instants = [instant for instant in (stopped, start, not_before) if instant is not None]
    pace = speed if speed is not None else known.speed if known else 1.0
    clock = SimulatedClock(max(instants), pace)
    remember(data, clock)
    return clock


def clock_of(data: Path) -> Clock:
    """The clock that DATA's first process started, for all other processes of the same machine."""
    known = _read(data)
    if known is None or known.at is None:
        return RealClock()
    if known.since is None or known.since > time.monotonic_ns():
        # It was stopped, or the machine has been started anew since.
        return SimulatedClock(known.at, 0.0)
    return SimulatedClock(known.at, known.speed, since=known.since)


def remember(data: Path, clock: Clock, *, stopped: bool = False) -> None:
    """Notes where a simulated clock is: every few seconds while it runs, and when it stops; of a real one, nothing."""
    if not isinstance(clock, SimulatedClock):
        return
    since, at = clock.reading()
    _write(data, _Remembered(kind="simulated", at=at, since=None if stopped else since, speed=clock.speed))


def _refuse_simulation(data: Path, start: datetime | None, speed: float | None) -> None:
    if start is not None or speed is not None:
        raise ClockMismatch(
            f"{data} lives on real time, and a simulated clock would put false instants into its log."
            " Leave CLOCK and SPEED out, or give the simulation a DATA of its own."
        )


def _read(data: Path) -> _Remembered | None:
    try:
        return msgspec.json.decode((data / "clock.json").read_bytes(), type=_Remembered)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ClockMismatch(f"{data / 'clock.json'} cannot be read ({error}); put it right by hand.") from error


def _write(data: Path, known: _Remembered) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = data / "clock.json.new"
    fresh.write_bytes(msgspec.json.encode(known))
    fresh.replace(data / "clock.json")

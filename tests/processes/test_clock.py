"""A DATA folder lives on one kind of clock, and all processes of a start agree on the time."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from linyue.clock import ClockMismatch, RealClock, SimulatedClock, clock_of, remember, start_clock

START = datetime(2026, 12, 1, tzinfo=UTC)


class Steady:
    """A steady clock that the test moves."""

    def __init__(self) -> None:
        self.nanoseconds = 5_000_000_000

    def __call__(self) -> int:
        return self.nanoseconds


def test_the_real_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= RealClock().now() <= datetime.now(UTC)
    assert RealClock().now().tzinfo is UTC


def test_a_simulated_clock_runs_as_fast_as_it_was_told() -> None:
    steady = Steady()
    clock = SimulatedClock(START, 60, steady=steady)
    assert clock.now() == START
    steady.nanoseconds += 2_500_000_000
    assert clock.now() == START + timedelta(seconds=150)


def test_a_clock_at_speed_0_stands_until_it_is_moved() -> None:
    clock = SimulatedClock(START, 0)
    assert clock.now() == START
    clock.move_to(START + timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=1)
    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(START)


def test_a_new_data_folder_lives_on_real_time_unless_told_otherwise(tmp_path: Path) -> None:
    assert isinstance(start_clock(tmp_path), RealClock)
    assert isinstance(clock_of(tmp_path), RealClock)


@pytest.mark.parametrize("wish", [{"start": START}, {"speed": 60.0}])
def test_a_simulated_clock_is_refused_where_real_time_was(tmp_path: Path, wish: dict[str, object]) -> None:
    start_clock(tmp_path)
    with pytest.raises(ClockMismatch, match="lives on real time"):
        start_clock(tmp_path, **wish)  # type: ignore[arg-type]


def test_a_speed_without_a_start_is_refused_on_a_new_folder(tmp_path: Path) -> None:
    with pytest.raises(ClockMismatch, match="set CLOCK too"):
        start_clock(tmp_path, speed=60)
    assert list(tmp_path.iterdir()) == []


def test_all_processes_of_a_start_agree_on_the_time(tmp_path: Path) -> None:
    first = start_clock(tmp_path, START, 3600)
    other = clock_of(tmp_path)
    assert abs(first.now() - other.now()) < timedelta(minutes=5)


def test_a_simulated_clock_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = start_clock(tmp_path, START, 100_000)
    time.sleep(0.05)
    remember(tmp_path, first, stopped=True)
    stopped = clock_of(tmp_path).now()
    assert stopped > START + timedelta(hours=1)
    assert clock_of(tmp_path).now() == stopped
    again = start_clock(tmp_path, START)
    assert isinstance(again, SimulatedClock)
    assert again.speed == 100_000
    assert stopped <= again.now() < stopped + timedelta(days=1)


def test_a_simulated_clock_never_starts_before_the_logs_last_event(tmp_path: Path) -> None:
    """After a kill the note is some seconds old, and the log is what was promised."""
    start_clock(tmp_path, START, 1)
    last = START + timedelta(days=3)
    assert start_clock(tmp_path, not_before=last).now() >= last


def test_a_note_from_before_the_machine_was_started_anew_stands_still(tmp_path: Path) -> None:
    """The steady clock began again at zero, so nothing can be told from how far it is."""
    note = {"kind": "simulated", "at": START, "since": time.monotonic_ns() + 10**15, "speed": 60}
    (tmp_path / "clock.json").write_bytes(msgspec.json.encode(note))
    assert clock_of(tmp_path).now() == START


def test_a_broken_note_is_told_and_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text("{", encoding="utf-8")
    with pytest.raises(ClockMismatch, match="put it right by hand"):
        start_clock(tmp_path)

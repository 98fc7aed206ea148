"""A start prepares the database, fills it, starts the clock, and hands its settings to the processes."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.processes.conftest import Toy

pytestmark = pytest.mark.serial

CLOCK = "2026-12-01T08:00:00+08:00"
StartServing = Callable[..., Toy]


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[StartServing]:
    """Starts `toy_serving.py` on DATA in the test's folder."""
    started: list[Toy] = []

    def start(**settings: str) -> Toy:
        settings |= {"DATA": str(tmp_path / "data"), "PORT": str(port)}
        started.append(Toy(tmp_path, port, settings, script="toy_serving.py"))
        return started[-1]

    yield start
    for each in started:
        each.end()


def clock_of(toy: Toy) -> dict[str, Any]:
    return dict(json.loads((toy.data / "data" / "clock.json").read_text()))


def test_children_find_the_embedded_database_as_if_somebody_had_named_it(start: StartServing) -> None:
    toy = start().wait_until_ready()
    assert toy.get("/database") == (200, "42")
    assert (toy.data / "filled").read_text() == "None"
    assert clock_of(toy) == {"kind": "real", "at": None, "since": None, "speed": 1.0}
    environment = (Path("/proc") / str(toy.pid_of("worker 1")) / "environ").read_bytes()
    assert b"LINYUE_VAULT_KEYS=" in environment
    assert b"LINYUE_OWNER_URL=" not in environment


def test_a_simulated_clock_stops_with_the_last_process_and_goes_on_from_there(start: StartServing) -> None:
    toy = start(CLOCK=CLOCK, SPEED="60").wait_until_ready()
    assert clock_of(toy)["since"] is not None
    assert toy.stop(within=15) == 0
    stopped = clock_of(toy)
    assert stopped["since"] is None
    again = start().wait_until_ready()
    assert datetime.fromisoformat(clock_of(again)["at"]) >= datetime.fromisoformat(stopped["at"])
    assert clock_of(again)["speed"] == 60.0


def test_a_clock_of_the_other_kind_stops_the_start_and_all_that_it_began(start: StartServing) -> None:
    toy = start().wait_until_ready()
    assert toy.stop(within=15) == 0
    wrong = start(CLOCK=CLOCK)
    assert wrong.process.wait(30) == 1
    assert "ClockMismatch" in wrong.log
    assert start().wait_until_ready().get("/health/live") == (200, "live")

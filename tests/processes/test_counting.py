"""A folder that begins empty, with files by place, of which a dead process's gauges go."""

from pathlib import Path

from linyue import counting


def test_a_start_begins_at_zero(tmp_path: Path) -> None:
    for _ in range(2):
        counting.begin(tmp_path)
        assert list((tmp_path / "metrics").iterdir()) == []
        (tmp_path / "metrics" / "counter_worker-1.db").write_bytes(b"old")


def test_what_a_dead_process_had_open_goes_and_what_it_had_counted_stays(tmp_path: Path) -> None:
    counting.begin(tmp_path)
    names = ("counter_worker-1.db", "gauge_livesum_worker-1.db", "gauge_livesum_worker-11.db", "histogram_worker-1.db")
    for name in names:
        (tmp_path / "metrics" / name).touch()
    counting.forget_gauges(tmp_path, "worker 1")
    left = sorted(file.name for file in (tmp_path / "metrics").iterdir())
    assert left == ["counter_worker-1.db", "gauge_livesum_worker-11.db", "histogram_worker-1.db"]


def test_a_process_finds_the_folder_wherever_it_stands(tmp_path: Path) -> None:
    assert counting.environment(tmp_path) == {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}

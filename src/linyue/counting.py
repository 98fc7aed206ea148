"""Where the processes of an installation count for Prometheus: a folder of DATA, with files named for each place.

By its place and not by its pid: however often processes die, there are no more files than places, and the next process
at a place counts on where the last one stopped. The parent, which counts nothing itself, begins the folder anew.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

FOLDER = "metrics"
# Prometheus' own name for the folder; read when prometheus_client is imported, so it comes by the environment.
FOLDER_SETTING = "PROMETHEUS_MULTIPROC_DIR"
PLACE_SETTING = "LINYUE_PLACE"


def begin(data: Path) -> None:
    """Begin at zero. To be called before any process starts, as Prometheus expects of a program that starts."""
    folder = data / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def environment(data: Path) -> Mapping[str, str]:
    """By what a process that is started finds the folder."""
    return {FOLDER_SETTING: str((data / FOLDER).absolute())}


def place() -> str:
    """The name of the place that this process holds."""
    return os.environ.get(PLACE_SETTING, "process")


def file_name(place: str) -> str:
    """What its files are called by, after the kind and an underscore."""
    return place.replace(" ", "-")


def forget_gauges(data: Path, place: str) -> None:
    """What a process that died had open counts no more; what it had counted does."""
    for file in (data / FOLDER).glob(f"gauge_live*_{file_name(place)}.db"):
        file.unlink(missing_ok=True)

"""What a parent that was killed has left behind frozen: it cannot leave by itself, and holds the port.

A worker leaves when its parent is gone, but one that is stopped (SIGSTOP, Ctrl-Z) hears nothing until it is continued.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from linyue.worker import Duty

_PROCESSES = Path("/proc")

log = structlog.get_logger()


def end_frozen_orphans() -> None:
    """Kill every stopped process of a Linyue whose parent has gone; where there is no /proc, nothing."""
    for pid in list(_frozen_orphans()):
        log.warning("ending what a killed linyue left behind frozen", pid=pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _frozen_orphans() -> Iterator[int]:
    for folder in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError, msgspec.DecodeError, ValueError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[1:3] != [b"-m", b"linyue.worker"]:
                continue
            # Behind the name in brackets, which may hold anything: its state, and its parent.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "T" and int(parent) != msgspec.json.decode(words[3], type=Duty).parent:
                yield int(folder.name)

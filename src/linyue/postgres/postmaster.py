"""What PostgreSQL notes about itself in `postmaster.pid`, and how a server is ended, our child or one left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from linyue.postgres.faults import ServerCannotRun

# The lines of postmaster.pid that are read here, counted from 0 (PostgreSQL's miscadmin.h).
_LINE_PID = 0
_LINE_SOCKET_FOLDER = 4
_LINE_STATUS = 7
# Fast first: clients sent away, a checkpoint written. Then immediate: the next start recovers. Then the kernel's.
_SIGNALS_AND_SECONDS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_POLL_SECONDS = 0.02


def ready(folder: Path, pid: int) -> bool:
    """Whether the server `pid` in the cluster `folder` takes connections."""
    lines = _lines(folder)
    return len(lines) > _LINE_STATUS and lines[_LINE_PID] == str(pid) and lines[_LINE_STATUS] == "ready"


def running(folder: Path) -> tuple[int, Path] | None:
    """The pid and the socket's folder of the server that runs in the cluster `folder`; None where none does."""
    pid, lines = _noted_pid(folder), _lines(folder)
    if pid is None or len(lines) <= _LINE_SOCKET_FOLDER or not _is_server_of(pid, folder):
        return None
    return pid, Path(lines[_LINE_SOCKET_FOLDER])


def end_left_behind(folder: Path) -> None:
    """Ends a server that outlived the linyue that started it, and clears a note whose number another process now bears.

    PostgreSQL would take that process for a server. A note of a process that is gone is its own to clear: it looks
    whether anything still holds the old one's memory.
    """
    pid = _noted_pid(folder)
    if pid is None:
        return
    if _is_server_of(pid, folder):
        end(pid, lambda: not _is_server_of(pid, folder))
    elif _command_line(pid):
        (folder / "postmaster.pid").unlink()


def end(pid: int, ended: Callable[[], bool]) -> None:
    """Signals the server `pid`, harder each time, until `ended`; raises ServerCannotRun where nothing helps."""
    for number, seconds in _SIGNALS_AND_SECONDS:
        if ended():
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if ended():
                return
            time.sleep(_POLL_SECONDS)
    raise ServerCannotRun(f"PostgreSQL, process {pid}, does not end. End it by hand and start again.")


def _noted_pid(folder: Path) -> int | None:
    lines = _lines(folder)
    return int(lines[_LINE_PID]) if lines and lines[_LINE_PID].isdigit() else None


def _lines(folder: Path) -> list[str]:
    try:
        return [line.strip() for line in (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []


def _is_server_of(pid: int, folder: Path) -> bool:
    """Whether `pid` really is a PostgreSQL on `folder`: after a crash another process may bear that number."""
    words = _command_line(pid)
    if not words or Path(words[0]).name != "postgres" or "-D" not in words[:-1]:
        return False
    try:
        return Path(words[words.index("-D") + 1]).samefile(folder)
    except FileNotFoundError:
        return False


def _command_line(pid: int) -> list[str]:
    """The words of a process's command; empty where there is none, or where it is dead and not yet collected."""
    if Path("/proc/self").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    command = ["/bin/ps", "-o", "args=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout.split()

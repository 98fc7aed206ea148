"""A real `linyue demo`, as who runs it sees it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0


@contextmanager
def running_demo(data: Path, port: int, **settings: str) -> Iterator[dict[str, Any]]:
    """What its demo.json tells; stopped by what Ctrl-C sends, of which nothing may be left."""
    environment = {**os.environ, "DATA": str(data), "PORT": str(port), "WORKERS": "1", **settings}
    with (data.parent / "demo.log").open("ab") as log:
        demo = subprocess.Popen([sys.executable, "-m", "linyue.cli", "demo"], env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + READY_SECONDS_MAX
        while not (data / "demo.json").exists():
            assert demo.poll() is None, (data.parent / "demo.log").read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < until
            time.sleep(0.05)
        yield msgspec.json.decode((data / "demo.json").read_bytes())
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(STOP_SECONDS_MAX) == 0

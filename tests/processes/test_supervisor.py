"""The systemd unit as it is shipped: sound; what it starts serves, says so, and stops in the time that it is given."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.promises.served import free_port

from linyue.child import Limits
from linyue.postgres.postmaster import _SIGNALS_AND_SECONDS
from linyue.supervisor import supervisor

UNIT = Path(__file__).parents[2] / "docs" / "linyue.service"
# Where the guide installs it, and where it is here.
INSTALLED, HERE = "/usr/local/lib/linyue/bin/linyue", str(Path(sys.executable).with_name("linyue"))
READY_SECONDS_MAX = 90.0


def said_of(unit: str, folder: Path) -> str:
    """What systemd says of a unit; nothing, where all is well."""
    tool = shutil.which("systemd-analyze")
    if not tool:
        pytest.fail("This test needs systemd-analyze: install it (apt-get install systemd).")
    (folder / "linyue.service").write_text(unit, encoding="utf-8")
    done = subprocess.run(
        [tool, "verify", "--recursive-errors=no", str(folder / "linyue.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"


def settings(unit: str) -> dict[str, list[str]]:
    """What the unit says, by key."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        line.settimeout(READY_SECONDS_MAX)
        yield line


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = UNIT.read_text(encoding="utf-8")
    assert unit.count(INSTALLED) == 1
    assert said_of(unit.replace(INSTALLED, HERE), tmp_path) == ""
    broken = unit.replace(INSTALLED, HERE).replace("Restart=on-failure", "Restart=now-and-then")
    assert "now-and-then" in said_of(broken, tmp_path)


def test_a_stop_may_take_as_long_as_its_parts_together() -> None:
    """HTTP workers, the background process, the database, one after the other."""
    limits = Limits()
    children = limits.grace_seconds + limits.stop_margin_seconds
    longest = 2 * children + sum(seconds for _, seconds in _SIGNALS_AND_SECONDS)
    assert int(settings(UNIT.read_text(encoding="utf-8"))["TimeoutStopSec"][0]) >= longest


@pytest.mark.serial
@pytest.mark.timeout(300)
def test_what_the_unit_starts_serves_says_so_and_stops_when_told(tmp_path: Path) -> None:
    unit = settings(UNIT.read_text(encoding="utf-8"))
    environment = dict(line.split("=", 1) for line in unit["Environment"])
    assert environment["DATA"] == f"/var/lib/{unit['StateDirectory'][0]}"
    port = free_port()
    # What the file of settings and systemd add, and nothing else of ours.
    environment |= {"DATA": str(tmp_path / "data"), "PORT": str(port), "NOTIFY_SOCKET": str(tmp_path / "notify")}
    environment |= {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    command = shlex.split(unit["ExecStart"][0].replace(INSTALLED, HERE))
    with listening(environment["NOTIFY_SOCKET"]) as line, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd="/", stdout=log, stderr=log)
        try:
            assert line.recv(100) == b"READY=1", (tmp_path / "log").read_text(encoding="utf-8")
            assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == httpx.codes.OK
            assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == httpx.codes.OK
            process.send_signal(signal.SIGTERM)
            assert process.wait(float(unit["TimeoutStopSec"][0])) == 0
        finally:
            process.kill()
            process.wait()


def test_nobody_else_may_speak_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with listening(str(tmp_path / "notify")) as line:
        tell = supervisor()
        assert "NOTIFY_SOCKET" not in os.environ
        tell("READY=1")
        assert line.recv(100) == b"READY=1"


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"linyue-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with listening(f"\0{name}") as line:
        supervisor()("READY=1")
        assert line.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nobody/listens/here"])
def test_without_a_supervisor_it_serves_all_the_same(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    supervisor()("READY=1")

"""The compose file as it is shipped: sound, and what it runs works together, here without Docker, by our own server."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.promises.served import eventually, free_port

from linyue.postgres.account import server_account
from linyue.postgres.binaries import program

FILE = Path(__file__).parents[2] / "docker-compose.yml"
SECRETS = {
    "POSTGRES_PASSWORD": "administrator",
    "LINYUE_PASSWORD": "letters1and2digits",
    "LINYUE_VAULT_KEYS": "A" * 43 + "=",
}
STOP_SECONDS_MAX = 40.0


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    """What `make check` says of a compose file, by the specification's own schema."""
    tool = Path(sys.executable).with_name("check-jsonschema")
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_file_is_what_the_specification_allows(tmp_path: Path) -> None:
    assert checked(FILE).returncode == 0
    for right, wrong in (
        ("healthcheck:", "health_check:"),
        ("interval: 5s", "interval: [5]"),
        ("services:", "service:"),
    ):
        broken = tmp_path / "docker-compose.yml"
        broken.write_text(FILE.read_text(encoding="utf-8").replace(right, wrong), encoding="utf-8")
        assert checked(broken).returncode == 1, wrong


def read() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(FILE)
    return found


def filled(value: object, given: Mapping[str, str]) -> str:
    """A value as compose fills it in: `${NAME}`, `${NAME:-else}`, `${NAME:?or fail}`, `$$` for `$`."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, otherwise = found["name"], found["otherwise"] or ""
        if given.get(name):
            return given[name]
        assert not otherwise.startswith("?"), f"{name} must be given"
        return otherwise.removeprefix("-")

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?::(?P<otherwise>[^}]*))?\}", one, str(value))


class Composed:
    """What the file says, as processes of this machine: `database` is a server of our own at `port`."""

    def __init__(self, folder: Path) -> None:
        self.said = read()
        self.folder = folder
        self.account = server_account()
        self.cluster, self.sockets = folder / "cluster", folder / "s"
        self.port, self.public = free_port(), free_port()
        self.tools = {"PATH": f"{program('psql').parent}:{os.environ['PATH']}", "LANG": "C.UTF-8"}

    def environment(self, service: str) -> dict[str, str]:
        said = self.said["services"][service]["environment"]
        values = {name: filled(value, SECRETS) for name, value in said.items()}
        return {name: value.replace("@database/", f"@127.0.0.1:{self.port}/") for name, value in values.items()}

    def start_database(self) -> subprocess.Popen[bytes]:
        """As the image does: a cluster by the arguments given, a server, the script that makes roles."""
        for made in (self.cluster, self.sockets):
            self.account.own(made)
        arguments = self.environment("database")["POSTGRES_INITDB_ARGS"].split()
        arguments += [
            "--auth-host=scram-sha-256",
            "--auth-local=trust",
            "--username=postgres",
            f"--pgdata={self.cluster}",
        ]
        self._as_account("initdb", *arguments).wait(120)
        server = self._as_account(
            "postgres", "-D", str(self.cluster), f"--unix_socket_directories={self.sockets}", f"--port={self.port}"
        )
        eventually(lambda: self.health("database") == 0, "the database is healthy")
        here = {**self.tools, "PGHOST": str(self.sockets), "PGPORT": str(self.port)}
        database = self.environment("database")["POSTGRES_DB"]
        subprocess.run(["createdb", "--username=postgres", database], env=here, check=True)
        script = filled(self.said["configs"]["roles"]["content"], {})
        settings = {**here, "POSTGRES_USER": "postgres", **self.environment("database")}
        subprocess.run(["bash", "-Eeuo", "pipefail", "-c", script], env=settings, check=True)
        return server

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """A service of the image: its command, with what the image sets and what the file says, and nothing else."""
        image = {"HOST": "127.0.0.1", "PORT": str(self.public), "DATA": str(self.folder / "data")}
        settings = {**self.tools, **image, **self.environment(service)}
        command = [sys.executable, "-m", "linyue.cli", *self.said["services"][service]["command"]]
        with (self.folder / f"{service}.log").open("wb") as log:
            return subprocess.Popen(command, env=settings, cwd="/", stdout=log, stderr=log)

    def health(self, service: str) -> int:
        """The exit code of its health check."""
        _, *words = self.said["services"][service]["healthcheck"]["test"]
        words = [word.replace("127.0.0.1:8000", f"127.0.0.1:{self.public}") for word in words]
        if words[0] == "python":
            words[0] = sys.executable
        settings = {**self.tools, "PGPORT": str(self.port)}
        return subprocess.run(words, env=settings, capture_output=True, check=False).returncode

    def _as_account(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = self.account.command(program(name), *arguments, passing=(self.cluster, self.sockets))
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@pytest.mark.serial
@pytest.mark.timeout(300)
def test_what_it_runs_works_together(tmp_path: Path) -> None:
    """The roles' script, the migration, serving without the owner's address, both health checks, the stop."""
    composed = Composed(tmp_path)
    running = [composed.start_database()]
    try:
        assert composed.start("migrate").wait(120) == 0, (tmp_path / "migrate.log").read_text(encoding="utf-8")
        assert not (tmp_path / "data").exists()
        assert composed.health("linyue") != 0
        running.append(composed.start("linyue"))
        eventually(lambda: composed.health("linyue") == 0, "linyue is healthy")
        running[-1].terminate()
        grace = int(composed.said["services"]["linyue"]["stop_grace_period"].removesuffix("s"))
        assert running.pop().wait(grace) == 0, (tmp_path / "linyue.log").read_text(encoding="utf-8")
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS_MAX)


def test_who_serves_does_not_own_the_tables() -> None:
    services = read()["services"]
    assert "LINYUE_OWNER_URL" in services["migrate"]["environment"]
    assert "LINYUE_OWNER_URL" not in services["linyue"]["environment"]


def test_nothing_secret_has_a_default() -> None:
    text = FILE.read_text(encoding="utf-8")
    for name in SECRETS:
        assert f"${{{name}:?" in text, name
        assert not re.search(rf"\$\{{{name}:-", text), name

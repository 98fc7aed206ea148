"""The command line reads arguments and settings, says faults in a sentence, and keeps standard output for programs."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from linyue.cli import main
from linyue.postgres import Databases
from projections.questions import NAMES

KEY = "A" * 43 + "="


def linyue(database: Databases | None, *arguments: str, **environment: str) -> Result:
    settings = dict.fromkeys(("DATA", "PORT", "HOST", "WORKERS", "CLOCK", "SPEED"))
    if database is not None:
        environment |= {"LINYUE_DATABASE_URL": database.app, "LINYUE_OWNER_URL": database.owner or ""}
        environment |= {"LINYUE_PROJECTOR_URL": database.projector, "LINYUE_VAULT_KEYS": KEY}
    return CliRunner().invoke(main, arguments, env=settings | environment)


def test_help_names_every_command() -> None:
    shown = linyue(None, "--help").output
    assert all(f" {command} " in shown for command in ("serve", "demo", "migrate", "verify", "token", "rebuild"))


def test_a_setting_that_cannot_be_used_is_one_sentence() -> None:
    said = linyue(None, "serve", "--port", "many")
    assert said.exit_code == 1
    assert said.stderr == "linyue: PORT must be a whole number from 1 to 65535, not 'many'.\n"


def test_an_option_stands_for_its_setting() -> None:
    assert "not '70000'" in linyue(None, "serve", "--port", "70000", PORT="8000").stderr


def test_a_token_is_all_that_standard_output_gets(database: Databases) -> None:
    said = linyue(database, "token", "--role", "resident", "--name", "王秀英")
    assert said.exit_code == 0
    assert len(said.stdout.strip()) == 43


def test_a_token_as_json_has_the_person_too(database: Databases) -> None:
    said = linyue(database, "token", "--role", "staff", "--name", "张敏", "--station", "wanyuan-1", "--json")
    assert set(msgspec.json.decode(said.stdout)) == {"person", "token"}


def test_a_token_for_nobody_in_particular_is_a_wrong_use() -> None:
    assert linyue(None, "token", "--role", "staff").exit_code == 2


def test_a_token_for_an_unknown_person_is_one_sentence(database: Databases) -> None:
    said = linyue(database, "token", "--person", "nobody")
    assert said.exit_code == 1
    assert said.stderr.startswith("linyue: Nobody has the id nobody.")


def test_verify_says_what_it_proved(database: Databases) -> None:
    said = linyue(database, "verify")
    assert said.exit_code == 0
    assert said.stdout.startswith("gumei: 0 events")
    assert said.stdout.endswith("Nothing is wrong.\n")


def test_verify_finds_what_a_checkpoint_shows_to_be_missing(database: Databases) -> None:
    said = linyue(database, "verify", "--json", "--checkpoint", f"5:{'0' * 64}")
    assert said.exit_code == 1
    report = msgspec.json.decode(said.stdout)
    assert [finding["kind"] for finding in report["findings"]] == ["checkpoint"]


def test_a_checkpoint_that_is_none_is_a_wrong_use() -> None:
    assert linyue(None, "verify", "--checkpoint", "yesterday").exit_code == 2


def test_rebuild_says_what_it_rebuilt_and_where_that_is_now(database: Databases) -> None:
    said = linyue(database, "rebuild", "due", "agenda")
    assert said.exit_code == 0
    assert [line.split(" rebuilt in ")[0] for line in said.stdout.splitlines()] == ["agenda:", "due:"]
    assert said.stdout.endswith("and now at 0\n")


def test_rebuild_without_a_name_is_all_of_them(database: Databases) -> None:
    told = msgspec.json.decode(linyue(database, "rebuild", "--json").stdout)
    assert [(model["name"], model["position"]) for model in told] == [(name, 0) for name in NAMES]


def test_a_read_model_that_there_is_not_is_a_wrong_use() -> None:
    assert linyue(None, "rebuild", "weather").exit_code == 2


def test_migrate_may_be_run_as_often_as_one_likes(database: Databases) -> None:
    assert [linyue(database, "migrate").exit_code for _ in range(2)] == [0, 0]


@pytest.mark.serial
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_said_before_data_is_touched(command: str, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "linyue.cli", command, "--port", str(port), "--data", str(tmp_path / "data")],
            env={name: value for name, value in os.environ.items() if not name.startswith("LINYUE_D")},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 3
    assert f"Port {port} of 127.0.0.1 is in use" in done.stderr
    assert not (tmp_path / "data").exists()

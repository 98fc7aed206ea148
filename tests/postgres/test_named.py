"""The settings name a server, or linyue's own is used: the one that runs in DATA, or one for the time being."""

from collections.abc import Callable
from pathlib import Path

from tests.postgres.conftest import Host

from linyue.postgres import external_databases, reached, running_databases
from linyue.settings import Settings


def test_the_server_that_the_settings_name_is_used(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path / "data",
        database_url="postgresql://linyue_app@db.example/linyue",
        owner_url="postgresql://boss@db.example/linyue",
    )
    with reached(settings) as databases:
        assert databases == external_databases(settings)
        assert databases.owner == "postgresql://boss@db.example/linyue"
    assert not (tmp_path / "data").exists()


def test_a_command_beside_a_running_linyue_uses_its_server(host: Callable[..., Host], tmp_path: Path) -> None:
    running = host(tmp_path / "data")
    with reached(Settings(data=tmp_path / "data")) as databases:
        assert databases.app == running.app
    assert running_databases(tmp_path / "data") is not None


def test_a_command_without_one_starts_a_server_for_the_time_being(tmp_path: Path) -> None:
    with reached(Settings(data=tmp_path / "data")) as databases:
        assert running_databases(tmp_path / "data") == databases
    assert running_databases(tmp_path / "data") is None

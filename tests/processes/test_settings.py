"""The environment is read once; what cannot be used is told in one sentence, and no secret is told at all."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from linyue.settings import Settings, SettingsInvalid, from_environment, vault_keys

KEY = Fernet.generate_key().decode()


def test_an_empty_environment_gives_the_embedded_server_and_the_defaults() -> None:
    settings = from_environment({})
    assert settings.embedded
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 2)
    assert (settings.data, settings.subdistrict) == (Path(".data"), "gumei")


def test_an_empty_variable_counts_as_absent() -> None:
    """`make demo` exports PORT, DATA and the like whether or not they were given."""
    assert from_environment({"PORT": "", "CLOCK": "", "DATA": ""}) == from_environment({})


def test_every_setting_is_read_from_its_variable() -> None:
    settings = from_environment(
        {
            "LINYUE_DATABASE_URL": "postgresql://app@db/linyue",
            "LINYUE_OWNER_URL": "postgres://owner@db/linyue",
            "LINYUE_VAULT_KEYS": f"{KEY}, {KEY}",
            "DATA": "elsewhere",
            "PORT": "9000",
            "CLOCK": "2026-12-01T08:00:00+08:00",
            "SPEED": "60",
        }
    )
    assert not settings.embedded
    assert settings.vault_keys == (KEY, KEY)
    assert (settings.data, settings.port, settings.speed) == (Path("elsewhere"), 9000, 60.0)
    assert settings.clock == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("WORKERS", "0"),
        ("SPEED", "0"),
        ("CLOCK", "2026-12-01T08:00:00"),
        ("CLOCK", "tomorrow"),
        ("LINYUE_SUBDISTRICT", "../gumei"),
    ],
)
def test_a_bad_value_is_told_in_one_sentence_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=rf"^{name} must be .+, not '{value}'\.$"):
        from_environment({name: value})


@pytest.mark.parametrize(
    "name", ["LINYUE_DATABASE_URL", "LINYUE_OWNER_URL", "LINYUE_PROJECTOR_URL", "LINYUE_VAULT_KEYS"]
)
def test_a_bad_secret_is_not_repeated(name: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^{name} must be ") as caught:
        from_environment({name: "mysql://me:hunter2@db"})
    assert "hunter2" not in str(caught.value)


def test_settings_can_be_logged_without_their_secrets() -> None:
    settings = from_environment({"LINYUE_DATABASE_URL": "postgresql://me:hunter2@db/x", "LINYUE_VAULT_KEYS": KEY})
    assert "hunter2" not in repr(settings)
    assert KEY not in repr(settings)


def test_an_owner_without_a_database_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="LINYUE_DATABASE_URL must be set"):
        from_environment({"LINYUE_OWNER_URL": "postgresql://owner@db/linyue"})


def test_the_embedded_server_gets_a_vault_key_of_its_own_once(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    keys = vault_keys(settings)
    assert vault_keys(settings) == keys
    Fernet(keys[0])
    assert stat.S_IMODE((tmp_path / "data/vault.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["vault.key"]


def test_a_server_of_ones_own_must_come_with_its_vault_keys(tmp_path: Path) -> None:
    """A key made in one machine's DATA would make the vault unreadable to all others."""
    with pytest.raises(SettingsInvalid, match="LINYUE_VAULT_KEYS"):
        vault_keys(Settings(data=tmp_path, database_url="postgresql://app@db/linyue"))

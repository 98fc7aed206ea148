"""What the command line does once: it reaches the database, and says in a sentence why it cannot."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linyue import errands
from linyue.errands import Issued, Newcomer, PersonUnknown
from linyue.identity import Actor, Identity
from linyue.postgres import Databases, NotMigrated, engine
from linyue.settings import Settings

KEY = "A" * 43 + "="


def settings_of(database: Databases, data: Path) -> Settings:
    return Settings(database_url=database.app, owner_url=database.owner, data=data, vault_keys=(KEY,))


def actor_of(database: Databases, issued: Issued, *, days: int = 0) -> Actor | None:
    """Whom the token lets in so many days from now."""

    async def ask() -> Actor | None:
        accounts = engine(database.app)
        try:
            now = datetime.now(UTC) + timedelta(days=days)
            return await Identity(accounts, "gumei", lambda: now).actor_of_token(issued.token)
        finally:
            await accounts.dispose()

    return asyncio.run(ask())


def test_somebody_new_gets_an_account_and_a_token(database: Databases, tmp_path: Path) -> None:
    zhang = Newcomer(role="staff", name="张敏", stations=("wanyuan-1",))
    issued = errands.issue_token(settings_of(database, tmp_path), zhang, "the desk", None)
    wanted = Actor(person=issued.person, role="staff", stations=frozenset({"wanyuan-1"}))
    assert actor_of(database, issued, days=1000) == wanted


def test_a_token_for_some_days_ends_with_them(database: Databases, tmp_path: Path) -> None:
    issued = errands.issue_token(settings_of(database, tmp_path), Newcomer(role="auditor", name="周正"), "audit", 7)
    assert actor_of(database, issued, days=6) is not None
    assert actor_of(database, issued, days=8) is None


def test_somebody_known_gets_another_token(database: Databases, tmp_path: Path) -> None:
    settings = settings_of(database, tmp_path)
    first = errands.issue_token(settings, Newcomer(role="admin", name="吴桂芳"), "first", None)
    second = errands.issue_token(settings, first.person, "second", None)
    assert second.person == first.person
    assert second.token != first.token


def test_nobody_gets_no_token(database: Databases, tmp_path: Path) -> None:
    with pytest.raises(PersonUnknown, match="Nobody has the id nobody"):
        errands.issue_token(settings_of(database, tmp_path), "nobody", "x", None)


def test_an_empty_log_is_proved_and_its_report_says_up_to_where(database: Databases, tmp_path: Path) -> None:
    report = errands.verify(settings_of(database, tmp_path), lambda _at: None, None)
    assert (report.ok, report.events, report.checkpoint.position) == (True, 0, 0)


@pytest.mark.serial
def test_a_data_folder_without_a_log_is_said_to_be_one_until_it_is_migrated(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    with pytest.raises(NotMigrated):
        errands.verify(settings, lambda _at: None, None)
    errands.migrate(settings)
    assert errands.verify(settings, lambda _at: None, None).ok

"""How a language writes its days, times and durations, and which one somebody gets."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from linyue.pages.language import Calendar, chosen, other, translations
from linyue.words import Language

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
AFTERNOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        (None, None, "zh"),
        (None, "fr", "zh"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "en;q=0.5,zh;q=0.9", "zh"),
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        ("tlh", "en", "en"),
    ],
)
def test_the_language_is_the_one_chosen_here_else_the_browser_s(
    cookie: str | None, accept: str | None, language: Language
) -> None:
    assert chosen(cookie, accept) == language
    assert other(other(language)) == language


def test_each_language_writes_a_day_its_own_way() -> None:
    zh, en = Calendar("zh", ZONE, NOW), Calendar("en", ZONE, NOW)
    assert (zh.moment(AFTERNOON), en.moment(AFTERNOON)) == ("11月24日 周二 14:00", "Tue 24 Nov 14:00")
    assert (zh.day(date(2027, 1, 1)), en.day(date(2027, 1, 1))) == ("2027年1月1日 周五", "Fri 1 Jan 2027")
    assert (zh.number(date(2026, 12, 1)), en.number(date(2026, 12, 1))) == ("12/1", "1 Dec")


def test_the_end_of_a_day_is_no_beginning() -> None:
    assert Calendar("zh", ZONE, NOW).span(AFTERNOON, MIDNIGHT) == "14:00–24:00"


@pytest.mark.parametrize(
    ("minutes", "zh", "en"),
    [
        (30, "30 分钟", "30 minutes"),
        (60, "1 小时", "1 hour"),
        (90, "1 小时 30 分钟", "1 hour 30 minutes"),
        (120, "2 小时", "2 hours"),
    ],
)
def test_a_duration_is_said_in_hours_and_minutes(minutes: int, zh: str, en: str) -> None:
    assert (Calendar("zh", ZONE, NOW).minutes(minutes), Calendar("en", ZONE, NOW).minutes(minutes)) == (zh, en)


def test_english_knows_one_from_many() -> None:
    said = translations("en").ngettext
    text = "会取消 %(num)s 个预约"
    assert said(text, text, 1) % {"num": 1} == "1 booking will be cancelled"
    assert said(text, text, 2) % {"num": 2} == "2 bookings will be cancelled"

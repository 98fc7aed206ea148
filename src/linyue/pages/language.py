"""In which language a page speaks, and how that language writes its words, days, times and durations."""

from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from linyue.words import Language, language_of

COOKIE = "linyue_language"
# British English puts the day before the month.
_LOCALE: dict[Language, str] = {"zh": "zh_Hans_CN", "en": "en_GB"}
_ENGLISH = Path(__file__).with_name("en.po")


def chosen(cookie: str | None, accept: str | None) -> Language:
    """The language that somebody chose here, else what the browser asks for."""
    if cookie in get_args(Language):
        return "en" if cookie == "en" else "zh"
    return language_of(accept)


def other(language: Language) -> Language:
    return "zh" if language == "en" else "en"


@cache
def translations(language: Language) -> NullTranslations:
    """What turns the templates' Chinese into the language. Chinese is what they are written in."""
    if language == "zh":
        return NullTranslations()
    compiled = BytesIO()
    with _ENGLISH.open("rb") as written:
        write_mo(compiled, read_po(written, locale="en"))
    compiled.seek(0)
    return Translations(compiled)


class Calendar:
    """Days, times and durations as a language writes them, in the subdistrict's zone, seen from `now`."""

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self.language = language
        self.zone = zone
        self.today = now.astimezone(zone).date()
        self._ngettext: Callable[[str, str, int], str] = translations(language).ngettext

    def day(self, when: date | datetime) -> str:
        """11月24日 周二, Tue 24 Nov; with the year where it is another than today's."""
        local = self.date_of(when)
        pattern = {"zh": "M月d日 EEE", "en": "EEE d MMM"}[self.language]
        if local.year != self.today.year:
            pattern = {"zh": "y年M月d日 EEE", "en": "EEE d MMM y"}[self.language]
        return self._format(local, pattern)

    def weekday(self, when: date) -> str:
        """周二, Tue; of today, and in Chinese of tomorrow, the word."""
        words = {"zh": ("今天", "明天"), "en": ("Today",)}[self.language]
        ahead = (when - self.today).days
        return words[ahead] if 0 <= ahead < len(words) else self._format(when, "EEE")

    def number(self, when: date) -> str:
        """The day of the month; on its first day, with the month."""
        first = {"zh": "M/d", "en": "d MMM"}[self.language]
        return self._format(when, first) if when.day == 1 else str(when.day)

    def clock(self, instant: datetime) -> str:
        """14:00, by 24 hours in both languages, as on the door of the room."""
        return f"{instant.astimezone(self.zone):%H:%M}"

    def span(self, start: datetime, end: datetime) -> str:
        """14:00–15:00; the end of the day is 24:00."""
        until = self.clock(end)
        return f"{self.clock(start)}–{'24:00' if until == '00:00' and end > start else until}"

    def moment(self, instant: datetime) -> str:
        """11月24日 周二 14:05."""
        return f"{self.day(instant)} {self.clock(instant)}"

    def minutes(self, minutes: int) -> str:
        """1 小时 30 分钟, 1 hour 30 minutes."""
        hours, rest = divmod(minutes, 60)
        n_ = self._ngettext
        said = [
            n_("%(num)s 小时", "%(num)s 小时", hours) % {"num": hours} if hours else "",
            n_("%(num)s 分钟", "%(num)s 分钟", rest) % {"num": rest} if rest or not hours else "",
        ]
        return " ".join(filter(None, said))

    def iso(self, instant: datetime) -> str:
        """RFC 3339 with the zone's offset."""
        return instant.astimezone(self.zone).isoformat()

    def date_of(self, when: date | datetime) -> date:
        """The local day of an instant."""
        return when.astimezone(self.zone).date() if isinstance(when, datetime) else when

    def _format(self, day: date, pattern: str) -> str:
        return format_date(day, pattern, locale=_LOCALE[self.language])

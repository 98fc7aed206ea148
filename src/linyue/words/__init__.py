"""What people read: every sentence in both languages, by the code that the program uses for it.

Chinese (zh-Hans) comes first, English is complete. Tables only, so that a sentence is found by searching for its code;
`{figures}` are filled in when it is said. A code without its words fails a test.
"""

import re
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]
TAGS: dict[Language, str] = {"zh": "zh-Hans", "en": "en"}
"""How a page or an answer names its language."""


class Words(NamedTuple):
    """A sentence in both languages."""

    zh: str
    en: str

    def say(self, language: Language, **figures: object) -> str:
        """The sentence, with its figures."""
        return (self.en if language == "en" else self.zh).format(**figures)


_RANGE = re.compile(r"^\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$")


def language_of(accept_language: str | None) -> Language:
    """English where an Accept-Language (RFC 9110) asks for it before Chinese; Chinese for everybody else."""
    best: tuple[float, Language] = (0.0, "zh")
    for part in (accept_language or "")[:500].split(","):
        found = _RANGE.match(part)
        if found and found[1].lower() in ("zh", "en"):
            weight = float(found[2] or 1)
            if weight > best[0]:
                best = weight, "en" if found[1].lower() == "en" else "zh"
    return best[1]

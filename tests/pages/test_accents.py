"""Each station wears its own colour, which the stylesheet knows and everybody can read."""

import re

from linyue import catalogue
from linyue.pages.accents import NAMES, accent_of, seal_of
from linyue.pages.page import HERE
from linyue.shipped import catalogue_file

# WCAG 2.2, 1.4.3, of text of any size.
CONTRAST_MIN = 4.5
STYLE = (HERE / "static" / "linyue.css").read_text(encoding="utf-8")


def test_no_two_stations_of_the_catalogue_wear_the_same() -> None:
    stations = [station.id for station in catalogue.read(catalogue_file()).stations]
    assert len({accent_of(station) for station in stations}) == len(stations)
    assert len({seal_of(station) for station in stations}) == len(stations)


def test_a_station_that_is_new_has_a_colour_and_keeps_it() -> None:
    assert accent_of("luoyang-2") == accent_of("luoyang-2")
    assert accent_of("luoyang-2") in NAMES


def test_every_colour_can_be_read_on_every_ground_by_day_and_by_night() -> None:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in re.split(r"@media", STYLE, maxsplit=1)
    )
    for colours in (light, dark):
        for name in (*NAMES, "accent", "stop"):
            for ground in ("card", "paper", "on-accent"):
                assert contrast(colours[name], colours[ground]) >= CONTRAST_MIN, (name, ground)


def test_every_colour_has_its_class() -> None:
    assert all(f".accent-{name} {{ --accent: var(--{name}); }}" in STYLE for name in NAMES)


def contrast(one: str, other: str) -> float:
    """As WCAG reckons it, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

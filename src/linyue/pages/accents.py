"""Each station wears its own colour, and a seal with one character of its theme."""

import hashlib

# The six of the built-in catalogue, by what their themes speak of: gourds, the vote, talents, youth, poetry, bamboo.
_KNOWN = {
    "gumei-4": ("gourd", "葫"),
    "pingyang-4": ("vote", "民"),
    "pingji-5": ("talent", "达"),
    "wanyuan-1": ("youth", "青"),
    "gulong-6": ("poem", "诗"),
    "pingyang-6": ("bamboo", "竹"),
}
OTHERS = ("slate", "lake", "iris", "olive", "rose", "umber")
NAMES = (*(accent for accent, _ in _KNOWN.values()), *OTHERS)


def accent_of(station: str) -> str:
    """The name of a station's colour in the stylesheet; always the same one for the same station."""
    if station in _KNOWN:
        return _KNOWN[station][0]
    return OTHERS[hashlib.sha256(station.encode()).digest()[0] % len(OTHERS)]


def seal_of(station: str) -> str:
    """The character on a station's seal."""
    return _KNOWN[station][1] if station in _KNOWN else "邻"

"""Who one can be in the demo: a person for each role, with a token, remembered in DATA."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from booking.messages import Role

FILE = "demo-people.json"
UNFINISHED_FILE = "demo-unfinished.json"


class DemoPerson(msgspec.Struct, frozen=True, kw_only=True):
    """`part` is the name that `demo.json` gives the token: resident, resident2, volunteer, staff, auditor, admin."""

    part: str
    role: Role
    name: str
    person: Annotated[str, msgspec.Meta(min_length=8)]
    token: str
    stations: tuple[str, ...] = ()


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Who lives in a demo, and since when: kept from before its first event until its past is complete.

    `neighbours` are names by id.
    """

    begin: datetime
    people: tuple[DemoPerson, ...]
    neighbours: Mapping[str, str]


def known_demo_people(data: Path) -> tuple[DemoPerson, ...]:
    """The people whom the demo of this DATA folder made; none before its first start."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=tuple[DemoPerson, ...])
    except FileNotFoundError:
        return ()


def remember_demo_people(data: Path, people: tuple[DemoPerson, ...]) -> None:
    """Keep them, with their tokens, where only the owner of DATA can read: the demo is complete."""
    _write(data / FILE, people)
    (data / UNFINISHED_FILE).unlink(missing_ok=True)


def unfinished_cast(data: Path) -> Cast | None:
    """The cast of a demo whose making was interrupted; None where none was begun, or it is complete."""
    try:
        return msgspec.json.decode((data / UNFINISHED_FILE).read_bytes(), type=Cast)
    except FileNotFoundError:
        return None


def remember_unfinished(data: Path, cast: Cast) -> None:
    """Keep a cast, before anybody in it does anything, for a start that goes on."""
    _write(data / UNFINISHED_FILE, cast)


def _write(path: Path, what: object) -> None:
    """All of it or nothing, for the owner of DATA alone."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(what), indent=2))
    fresh.replace(path)

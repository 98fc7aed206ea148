"""Who one can be in the demo: a person for each role, with a token, remembered in DATA."""

from pathlib import Path
from typing import Annotated

import msgspec

from booking.messages import Role

FILE = "demo-people.json"


class DemoPerson(msgspec.Struct, frozen=True, kw_only=True):
    """`part` is the name that `demo.json` gives the token: resident, resident2, volunteer, staff, auditor, admin."""

    part: str
    role: Role
    name: str
    person: Annotated[str, msgspec.Meta(min_length=8)]
    token: str
    stations: tuple[str, ...] = ()


def known_demo_people(data: Path) -> tuple[DemoPerson, ...]:
    """The people whom the demo of this DATA folder made; none before its first start."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=tuple[DemoPerson, ...])
    except FileNotFoundError:
        return ()


def remember_demo_people(data: Path, people: tuple[DemoPerson, ...]) -> None:
    """Keep them, with their tokens, where only the owner of DATA can read."""
    path = data / FILE
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(people), indent=2))

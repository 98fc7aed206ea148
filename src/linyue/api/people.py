"""People as they are shown: by the name that the vault keeps, masked where it is not the reader's affair."""

from collections.abc import Iterable

import msgspec

from booking.messages import Role
from booking.vault import name_id
from linyue.api.asking import connection_of
from linyue.identity import Actor
from linyue.wiring import Parts
from linyue.words import Language
from linyue.words.codes import ERASED, ROLES, SYSTEM


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who did something."""

    role: Role
    name: str


async def names(parts: Parts, people: Iterable[str]) -> dict[str, str]:
    """The names of those whom the vault still knows."""
    ids = {name_id(person): person for person in people}
    found = await texts(parts, ids)
    return {ids[id_]: name for id_, name in found.items()}


async def texts(parts: Parts, ids: Iterable[str]) -> dict[str, str]:
    """The texts that the vault still keeps under these ids."""
    wanted = list(ids)
    if not wanted:
        return {}
    async with connection_of(parts) as connection:
        kept = await parts.vault.read(connection, wanted)
    return {id_: sealed.text for id_, sealed in kept.items()}


def shown(person: str, role: Role, name: str | None, reader: Actor, language: Language) -> Person:
    """Who did something, as the reader may see it.

    A resident sees their own name, of those who work for the station what they are, and others' family names alone.
    """
    if role == "system":
        return Person(role=role, name=SYSTEM.say(language))
    if name is None:
        return Person(role=role, name=ERASED.say(language))
    if reader.role != "resident" or person == reader.person:
        return Person(role=role, name=name)
    if role in ("staff", "admin"):
        return Person(role=role, name=ROLES[role].say(language))
    return Person(role=role, name=masked(name))


def masked(name: str) -> str:
    """王秀英 to 王**: always two stars, so that the length tells nothing."""
    return f"{name[:1]}**"

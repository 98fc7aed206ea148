"""Names and texts beside the log, encrypted, filed under the person they are about. To erase is to delete the rows.

The log itself holds no name, number or free text; an event carries at most the HMAC of a text, whose key is only here.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from booking.messages import SealedText

Connection: TypeAlias = "asyncpg.Connection[Any]"


class Filed(NamedTuple):
    """A text to be kept: `kind` says what it is (name, purpose, note)."""

    id: str
    person: str
    kind: str
    text: SealedText


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it is kept: `secret` is the sealed text, a Fernet token."""

    id: str
    person: str
    kind: str
    at: datetime
    secret: str


def text_id(command: str, kind: str) -> str:
    """The id of a text that came with a command."""
    return f"{command}:{kind}"


def name_id(person: str) -> str:
    """The id of a person's name."""
    return f"{person}:name"


_WRITE = """
INSERT INTO booking.vault (subdistrict, at, id, person, kind, secret)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::bytea[])
ON CONFLICT (subdistrict, id) DO NOTHING
"""
_READ = "SELECT id, secret FROM booking.vault WHERE subdistrict = $1 AND id = ANY($2::text[])"
# For whoever carries the vault elsewhere, in steps by primary key.
_AFTER = """
SELECT id, person, kind, at, secret FROM booking.vault
WHERE subdistrict = $1 AND id > $2 ORDER BY id LIMIT $3
"""
_TAKE_IN = """
INSERT INTO booking.vault (subdistrict, id, person, kind, at, secret)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[])
ON CONFLICT (subdistrict, id) DO NOTHING
"""
_ERASE = "DELETE FROM booking.vault WHERE subdistrict = $1 AND person = $2"


class Vault:
    """Seals and opens texts under the master keys of the settings: the first seals, all open, so keys can rotate."""

    def __init__(self, subdistrict: str, keys: Sequence[str]) -> None:
        self.subdistrict = subdistrict
        self._keys = MultiFernet([Fernet(key) for key in keys])

    async def write(self, connection: Connection, at: datetime, filed: Sequence[Filed]) -> None:
        """Keep texts.

        In the desk's transaction after the lock, never before: what is not decided leaves no text behind.
        """
        secrets = [self._keys.encrypt(msgspec.json.encode(item.text)) for item in filed]
        ids, people, kinds = [f.id for f in filed], [f.person for f in filed], [f.kind for f in filed]
        await connection.execute(_WRITE, self.subdistrict, at, ids, people, kinds, secrets)

    async def read(self, connection: Connection, ids: Iterable[str]) -> dict[str, SealedText]:
        """The texts that are still kept, by id.

        Raises `cryptography.fernet.InvalidToken` where none of the keys opens one.
        """
        rows = await connection.fetch(_READ, self.subdistrict, list(ids))
        return {id_: msgspec.json.decode(self._keys.decrypt(secret), type=SealedText) for id_, secret in rows}

    async def erase(self, connection: Connection, person: str) -> int:
        """Delete all that is kept about a person; returns how many texts that were."""
        return int((await connection.execute(_ERASE, self.subdistrict, person)).split()[-1])

    def opens(self, row: Sealed) -> bool:
        """Whether one of the keys opens a sealed text."""
        try:
            self._keys.decrypt(row.secret)
        except InvalidToken:
            return False
        return True

    def sealed_anew(self, row: Sealed) -> Sealed:
        """The same text under the first of the keys. Raises `cryptography.fernet.InvalidToken` where none opens it."""
        return msgspec.structs.replace(row, secret=self._keys.rotate(row.secret).decode())

    async def after(self, connection: Connection, id_: str, limit: int) -> list[Sealed]:
        """The next rows after an id, as they are kept; begin with ""."""
        rows = await connection.fetch(_AFTER, self.subdistrict, id_, limit)
        return [
            Sealed(id=id_, person=person, kind=kind, at=at, secret=secret.decode("ascii"))
            for id_, person, kind, at, secret in rows
        ]

    async def take_in(self, connection: Connection, rows: Sequence[Sealed]) -> None:
        """Keep rows of another database's vault as they are; those that are there already stay."""
        columns = [[row.id for row in rows], [row.person for row in rows], [row.kind for row in rows]]
        secrets = [row.secret.encode() for row in rows]
        await connection.execute(_TAKE_IN, self.subdistrict, *columns, [row.at for row in rows], secrets)

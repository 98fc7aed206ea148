"""The three roles on a server that the settings name: made where the owner may, else put as SQL for who may."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Iterator

import asyncpg

from linyue.postgres.databases import APP, PROJECTOR, Databases, password_of, user_of
from linyue.postgres.faults import RolesMissing

# Whether a role is there, and whether who logs in may act as it. A superuser may act as anybody.
_IS_THERE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
_MAY_ACT_AS = "SELECT pg_has_role($1::name, $2::name, 'SET')"

# Held until the transaction ends, so that of two starts at once one prepares the database and the other finds it done.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('linyue migrations'))"

# PostgreSQL's own default, RFC 7677's least.
_SCRAM_ROUNDS = 4096


async def ensure(owner: asyncpg.Connection, databases: Databases) -> None:
    """Makes what is missing of linyue_app and linyue_projector; where the owner may not, RolesMissing holds the SQL."""
    wanted: list[tuple[str, str]] = []
    try:
        async with owner.transaction():
            await owner.execute(ONE_AT_A_TIME)
            for address, role in ((databases.app, APP), (databases.projector, PROJECTOR)):
                wanted += await _missing(owner, address, role)
            for statement, secret in wanted:
                await owner.execute(statement.replace("'…'", _literal(secret)))
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError) as error:
        sql = "\n".join(f"    {statement};" for statement, _ in wanted)
        raise RolesMissing(
            f"Roles are missing and LINYUE_OWNER_URL may not make them ({error}). Let an administrator run:\n{sql}"
        ) from error


async def _missing(owner: asyncpg.Connection, address: str, role: str) -> list[tuple[str, str]]:
    """The statements that an address's login still needs to act as `role`, each with the secret for its '…'."""
    user = user_of(address) or role
    there = await owner.fetchval(_IS_THERE, role)
    if there and (user == role or await _may_act_as(owner, user, role)):
        return []
    return list(_statements(user, role, there=there, password=password_of(address)))


def _statements(user: str, role: str, *, there: bool, password: str | None) -> Iterator[tuple[str, str]]:
    if not there and user == role and password:
        yield f"CREATE ROLE {role} LOGIN PASSWORD '…'", scram_verifier(password)
    elif not there:
        yield f"CREATE ROLE {role} {'LOGIN' if user == role else 'NOLOGIN'}", ""
    if user != role:
        # Never by inheritance: what the login may do otherwise, and what the role may, stay apart.
        yield f"GRANT {role} TO {_identifier(user)} WITH INHERIT FALSE, SET TRUE", ""


async def _may_act_as(owner: asyncpg.Connection, user: str, role: str) -> bool:
    return bool(await owner.fetchval(_IS_THERE, user)) and bool(await owner.fetchval(_MAY_ACT_AS, user, role))


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5802): sent in its place, so that no server's log ever holds it."""
    salt = os.urandom(16)
    plain = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", plain, salt, _SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode("ascii") for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{salt64}${stored64}:{server64}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

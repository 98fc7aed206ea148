"""How the parts of the program reach the database: one address for each of its three roles."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

APP = "linyue_app"
PROJECTOR = "linyue_projector"
OWNER = "linyue_owner"

# Between the user's name and the host, or named after the question mark.
_PASSWORD = re.compile(r"(//[^/?@:]*:)[^/?]*(?=@)|([?&]password=)[^&]*")


class Databases(msgspec.Struct, frozen=True):
    """Three addresses, `postgresql://…`, of one database: asyncpg takes them as they are, SQLAlchemy by `engine`."""

    app: str
    """May read and append to the log; may read the read models."""
    projector: str
    """May read the log; owns the read models' schemas."""
    owner: str | None
    """Owns the log's tables; used by migrations alone. None where a server is named without LINYUE_OWNER_URL."""

    def __repr__(self) -> str:
        """The same without passwords: it may end up in a log."""
        return (
            f"Databases(app={_shown(self.app)}, projector={_shown(self.projector)}, owner={_shown(self.owner or '')})"
        )


def embedded(socket_folder: Path, database: str = "linyue") -> Databases:
    """The addresses of the embedded server whose socket lies in a folder."""
    return Databases(
        app=on_socket(socket_folder, APP, database),
        projector=on_socket(socket_folder, PROJECTOR, database),
        owner=on_socket(socket_folder, OWNER, database),
    )


def on_socket(socket_folder: Path, role: str, database: str) -> str:
    """The address of a database behind a socket in a folder."""
    return f"postgresql://{role}@/{database}?host={quote(str(socket_folder), safe='/')}"


def external(app: str, projector: str | None, owner: str | None) -> Databases:
    """The addresses of a server that the settings name.

    Whoever logs in there, the program acts as its own roles: a login of another name takes the role on, so that not
    even a superuser's address lets the app change the log.
    """
    return Databases(app=acting_as(app, APP), projector=acting_as(projector or app, PROJECTOR), owner=owner)


def acting_as(address: str, role: str) -> str:
    """The address, on which every connection begins with `SET ROLE role` unless that is who logs in."""
    if user_of(address) == role:
        return address
    base, _, query = address.partition("?")
    return f"{base}?{urlencode(dict(parse_qsl(query)) | {'role': role})}"


def user_of(address: str) -> str | None:
    """Who logs in by an address; None where the address leaves it to the environment."""
    parts = urlsplit(address)
    user = parts.username or dict(parse_qsl(parts.query)).get("user")
    return unquote(user) if user else None


def password_of(address: str) -> str | None:
    """The password in an address, if there is one."""
    parts = urlsplit(address)
    password = parts.password or dict(parse_qsl(parts.query)).get("password")
    return unquote(password) if password else None


def engine(address: str, **options: object) -> AsyncEngine:
    """SQLAlchemy's engine on an address; asyncpg reads the address, so that both mean the same by it."""
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(address), **options)


def _shown(address: str) -> str:
    return _PASSWORD.sub(r"\1\2…", address)

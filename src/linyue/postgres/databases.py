"""How the parts of the program reach the database: one address for each of its three roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class Databases(msgspec.Struct, frozen=True):
    """Three addresses, `postgresql://…`, of the same database: asyncpg takes them as they are."""

    app: str
    """May read and append to the log; may read the read models."""
    projector: str
    """May read the log; owns the read models' schemas."""
    owner: str
    """Owns the log's tables; used by migrations alone."""


def on_socket(folder: Path, role: str, database: str) -> str:
    """The address of a database behind a socket in `folder`."""
    return f"postgresql://{role}@/{database}?host={quote(str(folder), safe='/')}"


def embedded(folder: Path, database: str = "linyue") -> Databases:
    """The addresses of the embedded server whose socket lies in `folder`."""
    return Databases(
        app=on_socket(folder, "linyue_app", database),
        projector=on_socket(folder, "linyue_projector", database),
        owner=on_socket(folder, "linyue_owner", database),
    )


def engine(address: str, **options: Any) -> AsyncEngine:
    """SQLAlchemy's engine on an address; asyncpg reads the address, so both mean the same by it."""
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(address), **options)

"""Which sessions of a database belong to a Linyue that serves: they say so by their name."""

from __future__ import annotations

import asyncpg

_NAMED = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)"
_CONNECT_SECONDS_MAX = 10.0


def serving_name(subdistrict: str) -> str:
    """The name of a session of a process that answers for a subdistrict: each such process keeps one open."""
    return f"linyue serves {subdistrict}"


async def is_served(address: str, subdistrict: str) -> bool:
    """Whether some Linyue, on whatever machine, serves this subdistrict from this database."""
    connection = await asyncpg.connect(address, timeout=_CONNECT_SECONDS_MAX)
    try:
        return bool(await connection.fetchval(_NAMED, serving_name(subdistrict)))
    finally:
        await connection.close()

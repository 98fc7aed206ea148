"""Browser sessions: a random cookie, its data in the database under the cookie's hash."""

from datetime import timedelta
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.stores.base import Store
from litestar.types import Empty, Message, ScopeSession

from linyue.identity import Identity, new_secret

COOKIE = "linyue_session"
# From signing in; then one signs in again.
SESSION_SECONDS = 14 * 86_400
_LOADED = "linyue_session_loaded"


class SessionStore(Store):
    """Litestar's store of sessions, on the schema identity."""

    __slots__ = ("identity",)

    def __init__(self) -> None:
        self.identity: Identity | None = None

    async def set(self, key: str, value: str | bytes, expires_in: int | timedelta | None = None) -> None:
        seconds = expires_in.total_seconds() if isinstance(expires_in, timedelta) else expires_in
        data = value.encode() if isinstance(value, str) else value
        await self._known().keep_session(key, data, int(seconds or SESSION_SECONDS))

    async def get(self, key: str, renew_for: int | timedelta | None = None) -> bytes | None:
        session = await self._known().session(key)
        return session.data if session else None

    async def delete(self, key: str) -> None:
        await self._known().drop_session(key)

    async def delete_all(self) -> None:
        await self._known().drop_sessions()

    async def exists(self, key: str) -> bool:
        return await self._known().session(key) is not None

    async def expires_in(self, key: str) -> int | None:
        session = await self._known().session(key)
        return session.seconds_left if session else None

    def _known(self) -> Identity:
        assert self.identity is not None, "the app's lifespan gives the store its identity"
        return self.identity


class Sessions(ServerSideSessionBackend):
    """Litestar's sessions, written only where they changed, and always under an id that we made.

    An id that a browser brings and nobody gave out is never taken over, and whoever signs in gets a new one: a session
    that somebody planted is not theirs afterwards.
    """

    async def load_from_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
        data = await super().load_from_connection(connection)
        connection.state[_LOADED] = self.serialize_data(data) if data else None
        return data

    async def store_in_message(
        self, scope_session: ScopeSession, message: Message, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> None:
        loaded: bytes | None = connection.state.get(_LOADED)
        wanted = self.serialize_data(scope_session) if scope_session and scope_session is not Empty else None
        if wanted == loaded:
            return
        store = self.config.get_store_from_app(connection.app)
        if loaded is not None:
            await store.delete(connection.cookies[self.config.key])
        headers, secure = MutableScopeHeaders.from_message(message), connection.scope["scheme"] == "https"
        if wanted is None:
            headers.add("Set-Cookie", self._cookie("", 0, secure=secure))
            return
        session_id = new_secret()
        await self.set(session_id, wanted, store)
        headers.add("Set-Cookie", self._cookie(session_id, SESSION_SECONDS, secure=secure))

    def _cookie(self, value: str, seconds: int, *, secure: bool) -> str:
        made = Cookie(
            key=self.config.key, value=value, path="/", max_age=seconds, httponly=True, secure=secure, samesite="lax"
        )
        return made.to_header(header="")


class SessionConfig(ServerSideSessionConfig):
    _backend_class = Sessions


def session_config() -> SessionConfig:
    """For the pages alone: the API takes tokens, so no foreign page can act in a browser's name there."""
    elsewhere = ["^/api/", "^/schema", "^/health", "^/metrics", "^/static"]
    return SessionConfig(key=COOKIE, max_age=SESSION_SECONDS, exclude=elsewhere)

"""Moves the app below a prefix of its address: the app knows only its own paths.

On the way in the prefix is taken off, where a proxy has not done so already; on the way out it is put before addresses
in headers, and the browser's cookies are bound to it. Links on pages begin with it, as `root`.
"""

import re
from collections.abc import Iterable
from typing import cast

from litestar.types import HTTPScope, Message, Send

# Every cookie of ours says `Path=/`.
_WHOLE_HOST = re.compile(rb"(?i)(;\s*path=)/(?=;|$)")

Headers = Iterable[tuple[bytes, bytes]]


class Prefix:
    """`path` as the settings have it: `/linyue`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._bytes = path.encode("ascii")

    def inwards(self, scope: HTTPScope) -> HTTPScope:
        """The request as the app knows it."""
        path = scope["path"]
        if path != self._path and not path.startswith(f"{self._path}/"):
            return scope
        raw = scope["raw_path"].removeprefix(self._bytes) or b"/"
        return cast("HTTPScope", {**scope, "path": path.removeprefix(self._path) or "/", "raw_path": raw})

    def outwards(self, send: Send) -> Send:
        """What sends the app's answer on, as the outside knows its addresses."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, self._moved(name.lower(), value)) for name, value in message["headers"]]
            await send(message)

        return sent

    def _moved(self, name: bytes, value: bytes) -> bytes:
        if name == b"location" and value.startswith(b"/"):
            return self._bytes + value
        if name == b"set-cookie":
            return _WHOLE_HOST.sub(rb"\1" + self._bytes, value)
        return value

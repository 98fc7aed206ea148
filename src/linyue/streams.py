"""Bounds the event streams of one worker, and ends them when the worker stops.

An event stream is a response of type `text/event-stream`: it may last for hours, so it is counted, refused past a
limit, and closed first when the worker has to go. Every other response is expected to end by itself within seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
import structlog

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# A stream costs a worker about 30 kB and a write for each event: this many stay below 10 MB and one slow loop turn.
STREAMS_MAX = 256
RETRY_AFTER_SECONDS = 5

log = structlog.get_logger()


class StreamRefused(OSError):
    """The stream was answered 503: nothing more can be sent on it. What ASGI raises when the client has gone."""


class Streams:
    """An ASGI app around the worker's app that lets no more than `most` event streams be open at once."""

    def __init__(self, app: App, *, most: int = STREAMS_MAX) -> None:
        self._app = app
        self._most = most
        self._open: set[_Exchange] = set()
        self._stopping = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch whether what comes back is a stream."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._admit, scope, receive, send)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            if not exchange.cut_off:
                raise
            await exchange.finish()
        except Exception:
            if not exchange.refused:
                raise
        finally:
            self._open.discard(exchange)

    @property
    def open(self) -> int:
        """How many streams are open now."""
        return len(self._open)

    def stop(self) -> None:
        """End every open stream, and let none begin: a worker that leaves waits for requests, not for streams."""
        self._stopping = True
        for exchange in list(self._open):
            exchange.cut()

    def _admit(self, exchange: "_Exchange") -> bool:
        if self._stopping or len(self._open) >= self._most:
            log.warning("stream refused", open=len(self._open), most=self._most, stopping=self._stopping)
            return False
        self._open.add(exchange)
        return True


class _Exchange:
    """One request and its response."""

    def __init__(self, admit: Callable[["_Exchange"], bool], scope: Message, receive: Receive, send: Send) -> None:
        self._admit, self._scope, self._receive, self._send = admit, scope, receive, send
        # The task of the request, not the one that sends: frameworks send from tasks of their own, which end with it.
        self._task = asyncio.current_task()
        self.refused = False
        self.cut_off = False

    async def receive(self) -> Message:
        """What the client says; a refused stream's client is as good as gone."""
        return {"type": "http.disconnect"} if self.refused else await self._receive()

    async def send(self, message: Message) -> None:
        """Pass a message on, unless it begins or goes on with a stream for which there is no room."""
        if self.refused:
            raise StreamRefused
        if _begins_stream(message) and not self._admit(self):
            self.refused = True
            await self._refuse()
            return
        await self._send(message)

    def cut(self) -> None:
        """End the stream from this side."""
        if self._task is not None and not self.cut_off:
            self.cut_off = True
            self._task.cancel("the worker stops")

    async def finish(self) -> None:
        """Close a stream that was cut in due form, so that its client sees an end and not an error, and comes back."""
        if self._task is not None:
            self._task.uncancel()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self) -> None:
        english = dict(self._scope["headers"]).get(b"accept-language", b"").startswith(b"en")
        body = msgspec.json.encode(_problem(english=english))
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(RETRY_AFTER_SECONDS).encode()),
        ]
        await self._send({"type": "http.response.start", "status": 503, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _begins_stream(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    headers = message.get("headers", ())
    return any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)


def _problem(*, english: bool) -> dict[str, str | int]:
    """The same shape as every other error of the API."""
    title = "Too many open streams" if english else "同时打开的实时连接过多"
    detail = "Please try again in a few seconds." if english else "请过几秒再试。"
    return {"type": "about:blank", "title": title, "status": 503, "detail": detail}

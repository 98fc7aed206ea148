"""Event streams are counted, refused past the limit, and ended when the worker stops; nothing else is touched."""

import asyncio

import msgspec
import pytest

from linyue.streams import RETRY_AFTER_SECONDS, Message, Receive, Send, Streams


class Client:
    """One who asks for a path and keeps what comes."""

    def __init__(self, app: Streams, path: str, *, language: bytes = b"zh-CN") -> None:
        self.got: list[Message] = []
        self.gone = asyncio.Event()
        scope = {"type": "http", "path": path, "headers": [(b"accept-language", language)]}
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    @property
    def status(self) -> int:
        return int(self.got[0]["status"])

    @property
    def ended(self) -> bool:
        return self.got[-1].get("more_body") is False

    async def leave(self) -> None:
        self.gone.set()
        await self.task

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.got.append(message)


async def toy(scope: Message, receive: Receive, send: Send) -> None:
    """`/stream` streams until the client has gone, `/raises` fails, anything else is answered at once."""
    if scope["path"] == "/raises":
        raise LookupError
    kind = b"text/event-stream; charset=utf-8" if scope["path"] == "/stream" else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", kind)]})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"data: 1\r\n\r\n", "more_body": True})
        await receive()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_one_stream_too_many_is_refused_in_the_form_of_every_error() -> None:
    app = Streams(toy, most=2)
    first, second = Client(app, "/stream"), Client(app, "/stream")
    await settle()
    third = Client(app, "/stream")
    await settle()
    assert (first.status, second.status, third.status, app.open) == (200, 200, 503, 2)
    headers = dict(third.got[0]["headers"])
    assert headers[b"retry-after"] == str(RETRY_AFTER_SECONDS).encode()
    assert headers[b"content-type"] == b"application/problem+json"
    assert msgspec.json.decode(third.got[1]["body"])["status"] == 503
    assert third.ended
    assert third.task.exception() is None
    await asyncio.gather(first.leave(), second.leave())


@pytest.mark.asyncio
async def test_a_stream_that_ended_makes_room() -> None:
    app = Streams(toy, most=1)
    first = Client(app, "/stream")
    await settle()
    await first.leave()
    second = Client(app, "/stream")
    await settle()
    assert (second.status, app.open) == (200, 1)
    await second.leave()


@pytest.mark.asyncio
async def test_other_responses_are_not_counted() -> None:
    app = Streams(toy, most=0)
    plain = Client(app, "/plain")
    await plain.task
    assert plain.status == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(("language", "begin"), [(b"en-GB,en;q=0.9", "Please"), (b"zh-CN", "请"), (b"", "请")])
async def test_a_refusal_speaks_the_clients_language(language: bytes, begin: str) -> None:
    refused = Client(Streams(toy, most=0), "/stream", language=language)
    await refused.task
    assert msgspec.json.decode(refused.got[1]["body"])["detail"].startswith(begin)


@pytest.mark.asyncio
async def test_a_stop_ends_open_streams_in_form_and_lets_none_begin() -> None:
    app = Streams(toy)
    first = Client(app, "/stream")
    await settle()
    app.stop()
    await first.task
    assert first.ended
    late = Client(app, "/stream")
    await late.task
    assert late.status == 503


@pytest.mark.asyncio
async def test_a_cancel_from_elsewhere_stays_a_cancel() -> None:
    first = Client(Streams(toy), "/stream")
    await settle()
    first.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first.task


@pytest.mark.asyncio
async def test_the_apps_own_fault_stays_a_fault() -> None:
    with pytest.raises(LookupError):
        await Client(Streams(toy), "/raises").task

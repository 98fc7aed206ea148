"""A bounded load of bookings, each under a key of its own, and what each of its callers was told."""

import asyncio
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType

import httpx
from tests.promises.places import PLAZAS

CLIENTS = 12
SECONDS_MAX = 300.0
HOURS_A_DAY, DAYS = 12, 13


@dataclass
class Told:
    """What callers were told: ids that were acknowledged, and the keys of what was said not to have happened."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    not_done: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    other: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def in_the_last_second(self) -> int:
        now = time.monotonic()
        return sum(now - at < 1 for at in reversed(self.at[-2_000:]))


class Load:
    """Clients that book as fast as they are answered, in a thread of their own, until the context ends."""

    def __init__(self, url: str, tokens: Sequence[str], first: datetime, name: str) -> None:
        self.told = Told()
        self._url = url
        self._tokens = tokens
        self._first = first
        self._name = name
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _all(self) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await asyncio.gather(*(self._client(token) for token in self._tokens))

    async def _client(self, token: str) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=20) as http:
            while not self._stop.is_set():
                await self._book(http, token)

    async def _book(self, http: httpx.AsyncClient, token: str) -> None:
        number = next(self._numbers)
        key = f"{self._name}-{number}"
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        try:
            answer = await http.post("/api/v1/bookings", json=self._body(number), headers=headers)
        except httpx.ConnectError:
            # Nobody took the request.
            self.told.not_done.add(key)
            await asyncio.sleep(0.05)
            return
        except httpx.HTTPError:
            self.told.unknown.add(key)
            await asyncio.sleep(0.05)
            return
        self._note(key, answer)

    def _note(self, key: str, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.CREATED:
            self.told.acknowledged[answer.json()["id"]] = key
            self.told.at.append(time.monotonic())
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and answer.json().get("outcome") == "unknown":
            self.told.unknown.add(key)
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.told.not_done.add(key)
        else:
            self.told.other.append(f"{answer.status_code} {answer.text}")

    def _body(self, number: int) -> dict[str, str]:
        """Spread over rooms, days and hours, so that no room's day grows long."""
        room = PLAZAS[number % len(PLAZAS)]
        slot = number // len(PLAZAS) % (HOURS_A_DAY * DAYS)
        start = self._first + timedelta(days=slot % DAYS, hours=slot // DAYS)
        return {"room": room, "start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}

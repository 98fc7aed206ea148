"""A bounded load of commands, each under a key of its own, and what each of its callers was told."""

import asyncio
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple

import httpx
from tests.promises.places import GALLERIES, PLAZAS

CLIENTS = 12
SECONDS_MAX = 300.0
# Bookings begin on every other hour, so that each can be extended by one.
HOURS_A_DAY, DAYS = 5, 13
# Of all loads: a room that is changed into what it is already is no event.
_SEATS = itertools.count(10)


class Done(NamedTuple):
    """What a caller was told has happened: which event is to be in the log, and of which booking or room."""

    event: str
    about: str


@dataclass
class Told:
    """What callers were told, by key: what was acknowledged, and what was said not to have happened."""

    acknowledged: dict[str, Done] = field(default_factory=dict)
    not_done: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    other: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def in_the_last_second(self) -> int:
        now = time.monotonic()
        return sum(now - at < 1 for at in reversed(self.at[-2_000:]))


class Load:
    """Clients that ask as fast as they are answered, in a thread of their own, until the context ends.

    Each books, then moves, extends, approves or rejects what it has booked; now and then a room is closed or changed.
    """

    def __init__(self, url: str, tokens: Sequence[str], first: datetime, name: str) -> None:
        self.told = Told()
        self._url = url
        self._tokens = tokens
        self._first = first
        self._name = name
        self._numbers = itertools.count()
        self._keys = itertools.count()
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
        async with httpx.AsyncClient(
            base_url=self._url, timeout=20, headers={"Authorization": f"Bearer {token}"}
        ) as http:
            while not self._stop.is_set():
                await self._something(http, next(self._numbers))

    async def _something(self, http: httpx.AsyncClient, number: int) -> None:
        """One booking and what becomes of it, or a change of a room."""
        kind = number % 8
        if kind == 7:
            await self._change_the_studio(http, number)
            return
        room = GALLERIES[number % len(GALLERIES)] if kind in (4, 5) else PLAZAS[number % len(PLAZAS)]
        made = "BookingRequested" if kind in (4, 5) else "BookingConfirmed"
        start = self._start(number)
        slot = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        booking = await self._post(http, "bookings", {"room": room, **slot}, made)
        if booking is None:
            return
        match kind:
            case 1 | 2:
                later = {"start": slot["end"], "end": (start + timedelta(hours=2)).isoformat()}
                await self._post(http, f"bookings/{booking}/reschedule", later, "BookingRescheduled")
            case 3:
                end = {"end": (start + timedelta(hours=2)).isoformat()}
                await self._post(http, f"bookings/{booking}/extend", end, "BookingExtended")
            case 4:
                await self._post(http, f"bookings/{booking}/approve", {}, "BookingApproved")
            case 5:
                await self._post(http, f"bookings/{booking}/reject", {"reason": "not_suitable"}, "BookingRejected")
            case 6:
                await self._post(http, f"bookings/{booking}/cancel", {"reason": "ill"}, "BookingCancelled")

    async def _change_the_studio(self, http: httpx.AsyncClient, number: int) -> None:
        """Which nobody books here: an hour of it is closed, or it holds one more."""
        if number % 16 == 7:
            start = self._start(number)
            closing = {"from": start.isoformat(), "to": (start + timedelta(hours=1)).isoformat(), "reason": "cleaning"}
            await self._post(http, "rooms/studio/close", closing, "RoomClosed")
        else:
            await self._ask(http, "PATCH", "rooms/studio", {"seats": next(_SEATS)}, "RoomChanged")

    async def _post(self, http: httpx.AsyncClient, call: str, body: dict[str, Any], event: str) -> str | None:
        return await self._ask(http, "POST", call, body, event)

    async def _ask(
        self, http: httpx.AsyncClient, method: str, call: str, body: dict[str, Any], event: str
    ) -> str | None:
        """The id of what was done; None where it was not, or nobody knows."""
        key = f"{self._name}-{next(self._keys)}"
        try:
            answer = await http.request(method, f"/api/v1/{call}", json=body, headers={"Idempotency-Key": key})
        except httpx.ConnectError:
            # Nobody took the request.
            self.told.not_done.add(key)
            await asyncio.sleep(0.05)
            return None
        except httpx.HTTPError:
            self.told.unknown.add(key)
            await asyncio.sleep(0.05)
            return None
        return self._note(key, event, answer)

    def _note(self, key: str, event: str, answer: httpx.Response) -> str | None:
        if answer.is_success:
            about: str = answer.json()["id"]
            self.told.acknowledged[key] = Done(event, about)
            self.told.at.append(time.monotonic())
            return about
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self.told.other.append(f"{answer.request.url.path}: {answer.status_code} {answer.text}")
        elif answer.json().get("outcome") == "unknown":
            self.told.unknown.add(key)
        else:
            self.told.not_done.add(key)
        return None

    def _start(self, number: int) -> datetime:
        """Spread over days and hours, so that no room's day grows long."""
        slot = number // len(PLAZAS) % (HOURS_A_DAY * DAYS)
        return self._first + timedelta(days=slot % DAYS, hours=slot // DAYS * 2)

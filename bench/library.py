"""The `eventsourcing` library (https://eventsourcing.readthedocs.io), as its users would book a room with it.

One aggregate a room and day: load its events, ask whether the hour is free, append one more; optimistic, so one who
lost is told and asks again. No person's quota, no answers under a key, no chain. Its defaults otherwise.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Lock
from uuid import NAMESPACE_URL, UUID, uuid5

from bench.ground import BenchDatabases, Ground
from bench.load import Plan, Wanted
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError

TRIES_MAX = 20


class RoomDay(Aggregate):
    """What is booked of a room on a day."""

    @event("Opened")
    def __init__(self, room: str, day: int) -> None:
        self.room = room
        self.day = day
        self.people: dict[str, str] = {}

    @staticmethod
    def create_id(room: str, day: int) -> UUID:
        return uuid5(NAMESPACE_URL, f"{room}/{day}")

    @event("Booked")
    def book(self, hour: str, person: str) -> None:
        if hour in self.people:
            raise ValueError("taken")
        self.people[hour] = person


class Library:
    """One application on a database, and threads that book with it."""

    def __init__(self, application: Application, plan: Plan, seconds: float) -> None:
        self._application = application
        self._plan = plan
        self._drawing = Lock()
        self._seconds = seconds

    async def rate(self, threads: int) -> float:
        """Bookings a second, by so many threads."""
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(max_workers=threads) as pool:
            booked = await asyncio.gather(*(loop.run_in_executor(pool, self._book, began) for _ in range(threads)))
        return sum(booked) / (time.monotonic() - began)

    def _book(self, began: float) -> int:
        booked = 0
        while time.monotonic() - began < self._seconds:
            with self._drawing:
                wanted = next(self._plan)
            booked += self._one(wanted)
        return booked

    def _one(self, wanted: Wanted) -> bool:
        room, hour, person = f"room-{wanted.room:03d}", f"{wanted.hour:02d}:00", f"person{wanted.person:014d}"
        id_ = RoomDay.create_id(room, wanted.day)
        for _ in range(TRIES_MAX):
            try:
                day = self._application.repository.get(id_)
            except AggregateNotFoundError:
                day = RoomDay(room=room, day=wanted.day)
            try:
                day.book(hour=hour, person=person)
                self._application.save(day)
            except IntegrityError:
                continue
            except ValueError:
                return False
            return True
        raise RuntimeError(f"{TRIES_MAX} tries at {wanted} were overtaken")


@asynccontextmanager
async def library(on: Ground, plan: Plan) -> AsyncIterator[Library]:
    """An application of the library on a database of its own."""
    async with on.database() as database:
        application = await asyncio.to_thread(_application, on, database)
        try:
            yield Library(application, plan, on.seconds)
        finally:
            await asyncio.to_thread(application.close)


def _application(on: Ground, database: BenchDatabases) -> Application:
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": database.name,
        "POSTGRES_HOST": str(on.server.socket),
        "POSTGRES_USER": "postgres",
        # The socket asks for none, the library for something.
        "POSTGRES_PASSWORD": "none",
        "POSTGRES_POOL_SIZE": "16",
    }
    return Application(env=environment)

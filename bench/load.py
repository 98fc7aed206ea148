"""Whom the desk serves in a bench: a subdistrict of 200 rooms and 20,000 people, and what they ask one after the other.

Every command is a resident's request under a key of its own, as it comes over HTTP. The real deciders answer it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet

from booking.desk import Desk, fingerprint, new_command_id
from booking.messages import SYSTEM, Ask, Asker, Command, Outcome
from booking.places.decide import OpenResource, OpenRoom, OpenSpace, OpenStation, OpenSubdistrict
from booking.places.events import RoomDefinition, Use
from booking.reservations.decide import RequestBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from booking.vault import Vault
from linyue.postgres import Databases
from linyue.wiring import desk_of

SUBDISTRICT = "bench"
ROOMS = 200
STATIONS = 20
PEOPLE = 20_000
ZONE = ZoneInfo("Asia/Shanghai")
FIRST_DAY = datetime(2026, 3, 1, tzinfo=ZONE)
HOURS = range(9, 21)
SLOTS_A_DAY = ROOMS * len(HOURS)
SAME_AGAIN = 50
"""Of so many requests one asks for what was given away a while before."""


class Wanted(NamedTuple):
    """One hour of a room, for a person; `day` counts from FIRST_DAY."""

    room: int
    day: int
    hour: int
    person: int


class Plan(Protocol):
    """Who wants what, in order. `now` is the time at which the last one drawn is asked."""

    book: RuleBook
    now: datetime

    def __next__(self) -> Wanted: ...


class Spread:
    """Life as it goes: each day all slots of a day are asked for, from 1 to 12 days ahead, each once, under the usual
    rules. The clock moves on with what was drawn, so that the log may grow without end and no day fills twice.
    """

    book = RuleBook()

    def __init__(self, first: int = 0) -> None:
        """Begin on the `first` day."""
        self._random = Random(first)
        self._people = list(range(PEOPLE))
        self._random.shuffle(self._people)
        self.now = FIRST_DAY + timedelta(days=first)
        self._drawn = self._draw(first)

    def __next__(self) -> Wanted:
        return next(self._drawn)

    def _draw(self, first: int) -> Iterator[Wanted]:
        before: list[Wanted] = []
        for day in count(first):
            slots = [(room, hour) for room in range(ROOMS) for hour in HOURS]
            self._random.shuffle(slots)
            for n, (room, hour) in enumerate(slots):
                self.now = FIRST_DAY + timedelta(days=day + n / SLOTS_A_DAY)
                # Each slot has its own lead, so that over the days every slot of every day is asked for once.
                wanted = Wanted(room, day + 1 + (room * 7 + hour * 5) % 12, hour, self._person(day * SLOTS_A_DAY + n))
                if n % SAME_AGAIN == 0 and len(before) > SLOTS_A_DAY // 4:
                    taken = before[-SLOTS_A_DAY // 4]
                    yield taken._replace(person=wanted.person)
                yield wanted
                before.append(wanted)
            before = before[-SLOTS_A_DAY:]

    def _person(self, n: int) -> int:
        return self._people[n % PEOPLE]


class Busy:
    """What stations fear: for 40 days ahead 2,000 people ask for the same hours over and over, and are mostly refused.

    The clock stands. Evening hours and some rooms are wanted more than others.
    """

    book = RuleBook(ahead_days_max=45, open_bookings_max=50)
    days = 40
    people = 2_000

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self.now = FIRST_DAY + timedelta(hours=8, minutes=30)

    def __next__(self) -> Wanted:
        draw = self._random
        evening = draw.random() < 0.5
        hour = draw.randrange(17, 21) if evening else draw.randrange(HOURS.start, HOURS.stop)
        return Wanted(int(ROOMS * draw.random() ** 3), 1 + draw.randrange(self.days), hour, draw.randrange(self.people))


class Still:
    """The clock stands, and every slot of the next 90 days is asked for once: what several processes can share."""

    book = RuleBook(ahead_days_max=92, open_bookings_max=100)
    days = 90

    def __init__(self, part: int = 0, parts: int = 1) -> None:
        """`part` of so many `parts`, no two of which ask for the same slot."""
        self.now = FIRST_DAY + timedelta(hours=8, minutes=30)
        self._drawn = self._draw(part, parts)

    def __next__(self) -> Wanted:
        return next(self._drawn)

    def _draw(self, part: int, parts: int) -> Iterator[Wanted]:
        slots = [(room, day, hour) for day in range(1, self.days) for room in range(ROOMS) for hour in HOURS]
        Random(0).shuffle(slots)
        for n in count():
            room, day, hour = slots[(n * parts + part) % len(slots)]
            yield Wanted(room, day, hour, (n * parts + part) % PEOPLE)


def request(wanted: Wanted) -> Ask:
    """The command as the API makes it of a request."""
    start = FIRST_DAY + timedelta(days=wanted.day, hours=wanted.hour)
    person = f"person{wanted.person:014d}"
    command = RequestBooking(
        room=f"room-{wanted.room:03d}", start=start, end=start + timedelta(hours=1), person=person, attendees=4
    )
    id_ = new_command_id()
    asker = Asker(id=person, role="resident", channel="phone", scope="own")
    return Ask(id=id_, command=command, asker=asker, key=id_, fingerprint=fingerprint(command))


def opening(book: RuleBook) -> Iterator[Command]:
    """What makes the subdistrict: stations of ten rooms, each room with what it takes."""
    yield OpenSubdistrict(name="bench", time_zone=ZONE.key)
    yield ChangeRules(book=book)
    for n in range(STATIONS):
        yield OpenStation(station=f"station-{n:02d}", name=f"服务站 {n}", power="红色力", theme="邻里")
        yield OpenSpace(space=f"space-{n:02d}", station=f"station-{n:02d}", name="空间")
    for room in range(ROOMS):
        station, space = f"station-{room % STATIONS:02d}", f"space-{room % STATIONS:02d}"
        yield OpenResource(resource=f"floor-{room:03d}", station=station, name="地面", capacity=1)
        use = Use(use="书画", takes=(Take(resource=f"floor-{room:03d}"),), units=1)
        definition = RoomDefinition(name=f"活动室 {room}", station=station, space=space, uses=(use,))
        yield OpenRoom(room=f"room-{room:03d}", definition=definition)


class Crowd:
    """So many people at one desk, each asking for the next thing as soon as the last was answered."""

    def __init__(self, desk: Desk, plan: Plan) -> None:
        self.desk = desk
        self.plan = plan
        self.outcomes: Counter[Outcome] = Counter()

    async def ask(self, waiting: int, seconds: float, commands_max: int = 1_000_000) -> float:
        """Ask for so long, at most so many commands, with so many waiting; returns the commands answered a second."""
        clock = asyncio.get_running_loop().time
        began, answered = clock(), 0

        async def one() -> None:
            nonlocal answered
            while clock() - began < seconds and answered < commands_max:
                answer = await self.desk.ask(request(next(self.plan)))
                self.outcomes[answer.outcome] += 1
                answered += 1

        async with asyncio.TaskGroup() as people:
            for _ in range(waiting):
                people.create_task(one())
        return answered / (clock() - began)

    @property
    def accepted(self) -> float:
        """The share of all commands so far that were done."""
        return self.outcomes[Outcome.DONE] / max(1, self.outcomes.total())

    async def open_up(self) -> None:
        """Make the places, where nobody has."""
        for command in opening(self.plan.book):
            answer = await self.desk.ask(Ask(id=new_command_id(), command=command, asker=SYSTEM))
            if answer.outcome is not Outcome.DONE:
                raise RuntimeError(f"{command} was answered {answer}")


@asynccontextmanager
async def crowd(databases: Databases, plan: Plan, clock: Callable[[], datetime] | None = None) -> AsyncIterator[Crowd]:
    """A desk on a database, and a crowd before it."""
    vault = Vault(SUBDISTRICT, [Fernet.generate_key().decode()])
    now = clock or partial(_shown_by, plan)
    async with desk_of(SUBDISTRICT, databases, vault, now) as desk:
        yield Crowd(desk, plan)


def _shown_by(plan: Plan) -> datetime:
    return plan.now.astimezone(UTC)

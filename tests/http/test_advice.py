"""What a check says is what a request is answered, and what is offered instead can be had: on random histories."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.conftest import TestDatabase
from tests.http.conftest import NOW, OPENER, ZONE, Served, slot
from tests.http.running import Running

from booking.desk import new_command_id, new_person_id
from booking.messages import Ask, Command, Outcome
from booking.places.decide import CloseRoom, OpenResource, OpenRoom
from booking.places.events import RoomDefinition, Use
from booking.reservations.checks import CHECKS
from booking.reservations.decide import ExtendBooking, RescheduleBooking
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.takes import Take
from linyue import alternatives
from linyue.alternatives import Alternative, Asked
from linyue.api import advice
from projections.grid import Board

HISTORIES = 20
# A subdistrict lives through one history after another; none reaches into the next.
DAYS_EACH = 20
RULES = {check.__name__ for check in CHECKS}
BOOKS = (RuleBook(), RuleBook(lead_minutes_min=120, open_bookings_max=1), RuleBook(duration_minutes_max=60))
SLOT = ("room", "use", "start", "end", "units")


class Asks(NamedTuple):
    """Somebody asks for a slot: so many days ahead, so many quarters of an hour after midnight."""

    who: str
    room: str
    use: str
    days: int
    quarter: int
    minutes: int
    units: int
    attendees: int | None


class Closes(NamedTuple):
    """A room is closed on a day, for some hours."""

    room: str
    days: int
    hour: int
    hours: int


class Passes(NamedTuple):
    """Time goes by."""

    minutes: int


class Decides(NamedTuple):
    """The office sets other rules."""

    book: int


class CallsOff(NamedTuple):
    """Who booked last gives that up."""


class Moves(NamedTuple):
    """Who booked last, or staff, want it elsewhere; where `stays`, at its own time."""

    by_staff: bool
    to: Asks
    stays: bool


class Lasts(NamedTuple):
    """Who booked last, or staff, want it for so much longer."""

    by_staff: bool
    minutes: int


class Begins(NamedTuple):
    """The time of what was booked last comes, and its people with it."""


ROOMS = ("tables", "floor", "other")
ASKS = st.builds(
    Asks,
    who=st.sampled_from(("one", "two", "staff")),
    room=st.sampled_from(ROOMS),
    use=st.sampled_from(("A", "A", "A", "B")),
    days=st.sampled_from((0, 1, 1, 1, 1, 2, 15)),
    quarter=st.one_of(st.sampled_from((40, 44, 48)), st.sampled_from((40, 44)), st.integers(30, 86)),
    minutes=st.sampled_from((60, 60, 120, 30, 240, 90)),
    units=st.sampled_from((1, 1, 2, 3)),
    attendees=st.sampled_from((None, 4, 40)),
)
STEPS = st.one_of(
    ASKS,
    ASKS,
    ASKS,
    st.builds(Closes, st.sampled_from(ROOMS), st.integers(0, 2), st.integers(9, 19), st.integers(1, 12)),
    st.builds(Passes, st.integers(5, 300)),
    st.builds(Decides, st.integers(0, len(BOOKS) - 1)),
    st.just(CallsOff()),
    st.builds(Moves, st.booleans(), ASKS, st.booleans()),
    st.builds(Moves, st.booleans(), ASKS, st.booleans()),
    st.builds(Lasts, st.booleans(), st.sampled_from((15, 30, 60, 120))),
    st.just(Begins()),
)
PLAIN = Asks("one", "tables", "A", 1, 40, 60, 1, None)
# Each rule at least once, whatever is drawn beside.
EACH_RULE = [
    PLAIN._replace(days=0, quarter=36),
    PLAIN._replace(days=0, quarter=39),
    PLAIN._replace(days=15),
    PLAIN._replace(quarter=32),
    PLAIN._replace(quarter=41),
    PLAIN._replace(minutes=240),
    PLAIN._replace(units=3),
    PLAIN._replace(attendees=40),
    Closes("tables", 2, 9, 4),
    PLAIN._replace(days=2),
    PLAIN._replace(room="floor"),
    PLAIN._replace(room="floor", who="two"),
    PLAIN._replace(quarter=44),
    PLAIN._replace(quarter=48),
    PLAIN._replace(quarter=52),
]


# And each way in which a booking's slot is changed, while others have what it wants.
EACH_MOVE = [
    PLAIN._replace(room="floor"),
    PLAIN._replace(room="floor", who="two", quarter=48),
    Moves(by_staff=False, to=PLAIN._replace(room="floor", quarter=40), stays=False),
    Moves(by_staff=True, to=PLAIN._replace(room="floor", quarter=36, minutes=120), stays=False),
    Moves(by_staff=False, to=PLAIN._replace(room="tables", units=3), stays=True),
    Lasts(by_staff=False, minutes=240),
    PLAIN._replace(room="floor", who="two", quarter=52, use="B"),
    Lasts(by_staff=False, minutes=30),
    CallsOff(),
    Begins(),
    Lasts(by_staff=False, minutes=15),
    Lasts(by_staff=True, minutes=240),
    Moves(by_staff=True, to=PLAIN._replace(room="floor", quarter=32), stays=False),
]


@pytest.fixture
def running(database: TestDatabase, tmp_path: Path) -> Iterator[Running]:
    running = Running(database, tmp_path)
    yield running
    running.stop()


@pytest.mark.timeout(300)
def test_what_a_check_says_is_what_a_request_is_answered_and_what_is_offered_can_be_had(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine, too, advice is to come.
    monkeypatch.setattr(advice, "WAIT_SECONDS", 30.0)
    numbers, broken, offered = itertools.count(), set[str](), Counter[str]()

    @given(steps=st.lists(STEPS, min_size=6, max_size=12))
    @example(steps=EACH_RULE)
    @example(steps=EACH_MOVE)
    @settings(
        max_examples=HISTORIES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def holds(steps: list[Any]) -> None:
        town = running.run(_opened(running.served, next(numbers)))
        for step in steps:
            running.run(town.take(step))
        broken.update(town.broken)
        offered.update(town.offered)

    holds()
    assert broken > RULES
    assert min(offered[kind] for kind in ("request", "reschedule", "extend")) >= 10, offered


async def _opened(served: Served, number: int) -> "Town":
    """Three rooms at two stations and two residents, as new as the history that begins."""
    served.clock.move_to(NOW + timedelta(days=DAYS_EACH * number))
    await served.ask(ChangeRules(book=BOOKS[0]))
    for resource, station, capacity in (("tables", "wanyuan", 2), ("floor", "wanyuan", 1), ("other", "gulong", 1)):
        id_ = f"{resource}-{number}"
        await served.ask(OpenResource(resource=id_, station=station, name=resource, capacity=capacity))
        uses = [Use(use=f"A{number}", takes=(Take(resource=id_),), units=3 if capacity > 1 else 1)]
        if resource == "floor":
            uses.append(Use(use=f"B{number}", takes=(Take(resource=id_),), slot_minutes=30, approval=True))
        definition = RoomDefinition(
            name=resource,
            station=station,
            space="create" if station == "wanyuan" else "poem",
            uses=tuple(uses),
            seats=6 if resource == "tables" else None,
            buffer_minutes=30 if resource == "floor" else 0,
        )
        opened = await served.ask(OpenRoom(room=id_, definition=definition))
    for name in ("one", "two"):
        person = served.people[name] = new_person_id()
        await served.parts[0].identity.open_account(person, "resident")
        served.tokens[name] = await served.parts[0].identity.issue_token(person, label=name)
    await served.level(opened.position)
    return Town(served, number)


class Town:
    """One history: each step is taken, and each request asked first and then made."""

    def __init__(self, served: Served, number: int) -> None:
        self.served = served
        self.number = number
        self.today = served.clock.now()
        self.booked: list[tuple[str, str]] = []
        self.broken: set[str] = set()
        self.offered: Counter[str] = Counter()

    async def take(self, step: object) -> None:
        match step:
            case Asks():
                await self._asks(step)
            case Closes(room, days, hour, hours):
                start = self._instant(days, hour * 4)
                end = start + timedelta(hours=hours)
                await self._office(CloseRoom(room=f"{room}-{self.number}", start=start, end=end, reason="cleaning"))
            case Passes(minutes):
                self.served.clock.move_to(self.served.clock.now() + timedelta(minutes=minutes))
            case Decides(book):
                await self._office(ChangeRules(book=BOOKS[book]))
            case _ if self.booked:
                await self._take_with(*self.booked[-1], step)

    async def _take_with(self, holder: str, booking: str, step: object) -> None:
        """What happens to the booking that was made last."""
        now = await self._seen(booking)
        match step:
            case CallsOff():
                self.booked.pop()
                await self.served.post(holder, f"bookings/{booking}/cancel")
            case Moves(by_staff, to, stays):
                body = self._body(to) | ({name: now[name] for name in ("start", "end")} if stays else {})
                await self._changes("staff" if by_staff else holder, "reschedule", now, body)
            case Lasts(by_staff, minutes):
                end = datetime.fromisoformat(now["end"]) + timedelta(minutes=minutes)
                await self._changes("staff" if by_staff else holder, "extend", now, {"end": end.isoformat()})
            case Begins():
                start = datetime.fromisoformat(now["start"])
                self.served.clock.move_to(max(start, self.served.clock.now()))
                await self.served.post(holder, f"bookings/{booking}/check-in")

    async def _office(self, command: Command) -> None:
        """Whether or not the rules let it: what has passed is not closed."""
        await self.served.parts[0].desk.ask(Ask(id=new_command_id(), command=command, asker=OPENER))

    async def _seen(self, booking: str) -> dict[str, Any]:
        await self.served.level(await self._head())
        seen: dict[str, Any] = (await self.served.get("admin", f"bookings/{booking}")).json()
        return seen

    async def _changes(self, who: str, action: str, now: dict[str, Any], body: dict[str, Any]) -> None:
        booking = now["id"]
        answer = await self.served.post(who, f"bookings/{booking}/{action}", body)
        told = answer.json()
        for one in told.get("alternatives", []):
            wanted = {name: one[name] for name in ("room", "use", "start", "end")}
            if action == "reschedule":
                units = body["units"]
                await self._would_be_done(who, _reschedule(booking, wanted, units, body["attendees"]))
                assert (wanted, units) != ({name: now[name] for name in wanted}, now["units"])
            elif (one["room"], one["start"]) == (now["room"], now["start"]):
                await self._would_be_done(who, ExtendBooking(booking=booking, end=datetime.fromisoformat(one["end"])))
            else:
                more = {"units": now["units"], "attendees": now["attendees"]}
                if who == "staff":
                    more["person"] = now["person"]
                again = await self.served.post(who, "bookings/check", {**wanted, **more})
                assert again.json().get("allowed"), (one, again.json())
            self.offered[action] += 1
        if answer.status_code == 409:
            assert now == {**await self._seen(booking), "position": now["position"]}
            self.broken |= {reason["rule"] for reason in told["reasons"]}

    async def _would_be_done(self, who: str, command: Command) -> None:
        """By the desk, which would write it: so that the next alternative is free as well."""
        parts = self.served.parts[0]
        actor = await parts.identity.account(self.served.people[who])
        assert actor is not None
        asker = actor.asker("stations" if who == "staff" else "own", "api")
        answer = await parts.desk.ask(Ask(id=new_command_id(), command=command, asker=asker, dry_run=True))
        assert answer.outcome is Outcome.DONE, (command, answer)

    def _body(self, asks: Asks) -> dict[str, Any]:
        start = self._instant(asks.days, asks.quarter)
        return {
            "room": f"{asks.room}-{self.number}",
            "use": f"{asks.use}{self.number}",
            "start": start.isoformat(),
            "end": (start + timedelta(minutes=asks.minutes)).isoformat(),
            "units": asks.units,
            "attendees": asks.attendees,
        }

    async def _asks(self, asks: Asks) -> None:
        body = self._body(asks)
        head = await self._head()
        await self.served.level(head)
        told = await self.served.post(asks.who, "bookings/check", body)
        for one in told.json().get("alternatives", []):
            await self._can_be_had(asks.who, {**body, **{name: one[name] for name in SLOT if name in one}}, one)
        assert await self._head() == head
        answered = await self.served.post(asks.who, "bookings", body)
        self._agree(told.status_code, told.json(), answered.status_code, answered.json(), head)
        if answered.status_code == 201:
            self.booked.append((asks.who, answered.json()["id"]))

    async def _can_be_had(self, who: str, body: dict[str, Any], one: dict[str, Any]) -> None:
        """Asked for by the same person, at the same position: by a check, so that the next one is free as well."""
        again = (await self.served.post(who, "bookings/check", body)).json()
        assert again.get("allowed"), (body, again)
        most = await self.served.post(who, "bookings/check", {**body, "units": one["free"]})
        assert most.json()["allowed"], (body, one)
        self.offered["request"] += 1

    def _agree(self, status: int, told: dict[str, Any], answered: int, body: dict[str, Any], head: int) -> None:
        if answered not in (201, 409):
            assert (status, told) == (answered, body)
            return
        assert (status, told["allowed"]) == (200, answered == 201)
        if answered == 201:
            assert (told["position"], body["position"]) == (head, head + 1)
            assert {name: told[name] for name in (*SLOT, "state")} == {name: body[name] for name in (*SLOT, "state")}
            return
        assert told["position"] <= head
        assert {name: told[name] for name in SLOT} == {name: body["asked"][name] for name in SLOT}
        assert (told["reasons"], told["alternatives"], told["state"]) == (body["reasons"], body["alternatives"], None)
        self.broken |= {reason["rule"] for reason in body["reasons"]}

    def _instant(self, days: int, quarter: int) -> datetime:
        midnight = self.today.astimezone(ZONE).replace(hour=0, minute=0)
        return midnight + timedelta(days=days, minutes=15 * quarter)

    async def _head(self) -> int:
        connection = await asyncpg.connect(self.served.database.app)
        try:
            return int(await connection.fetchval("SELECT max(position) FROM booking.events"))
        finally:
            await connection.close()


def _reschedule(booking: str, to: dict[str, Any], units: int, attendees: int | None) -> RescheduleBooking:
    start, end = datetime.fromisoformat(to["start"]), datetime.fromisoformat(to["end"])
    return RescheduleBooking(
        booking=booking, start=start, end=end, room=to["room"], use=to["use"], units=units, attendees=attendees
    )


@pytest.mark.asyncio
async def test_those_who_ask_for_the_same_at_once_share_one_look(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Asked] = []

    def nearest(asked: Asked, same_room: Board, same_use: Board) -> list[Alternative]:
        looks.append(asked)
        return alternatives.nearest(asked, same_room, same_use)

    monkeypatch.setattr(advice, "nearest", nearest)
    await served.book("resident", slot())
    answers = await asyncio.gather(*(served.post("resident2", "bookings", slot()) for _ in range(10)))
    assert {len(answer.json()["alternatives"]) for answer in answers} == {5}
    assert len(looks) == 1
    # What could be had an hour ago is no advice.
    served.clock.move_to(NOW + timedelta(hours=1))
    await served.post("resident2", "bookings", slot())
    assert len(looks) == 2


@pytest.mark.asyncio
async def test_a_refusal_waits_no_longer_for_advice_than_that_is_worth(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await served.book("resident", slot())
    monkeypatch.setattr(advice, "WAIT_SECONDS", 0.0)
    refused = await served.post("resident2", "bookings", slot())
    body = refused.json()
    assert (refused.status_code, body["alternatives"], body["position"]) == (409, [], made["position"] + 1)
    assert body["asked"] == {**slot(), "use": None, "units": 1, "attendees": None}


@pytest.mark.asyncio
async def test_a_look_that_failed_is_not_shared(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await served.book("resident", slot())
    with monkeypatch.context() as broken:
        broken.setattr(advice, "nearest", lambda *_: 1 // 0)
        assert (await served.post("resident2", "bookings", slot())).json()["alternatives"] == []
    assert len((await served.post("resident2", "bookings", slot())).json()["alternatives"]) == 5


@pytest.mark.asyncio
async def test_what_was_found_serves_until_something_changes_that_it_was_found_in(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Asked] = []

    def nearest(asked: Asked, same_room: Board, same_use: Board) -> list[Alternative]:
        looks.append(asked)
        return alternatives.nearest(asked, same_room, same_use)

    monkeypatch.setattr(advice, "nearest", nearest)
    await served.book("resident", slot("painting"))
    first = (await served.post("resident2", "bookings", slot("painting"))).json()
    elsewhere = await served.book("resident", slot("tribe", use="乒乓球"))
    await served.level(elsewhere["position"])
    for who in ("resident2", "admin"):
        refused = (await served.post(who, "bookings", slot("painting"))).json()
        assert refused["alternatives"] == first["alternatives"]
        assert refused["position"] >= elsewhere["position"]
    assert len(looks) == 1
    taken = await served.book("resident", slot("ink"))
    await served.level(taken["position"])
    refused = (await served.post("resident2", "bookings", slot("painting"))).json()
    assert refused["position"] >= taken["position"]
    assert len(looks) == 2
    rooms = [[(one["room"], one["start"]) for one in told["alternatives"]] for told in (first, refused)]
    assert ("ink", slot()["start"]) in rooms[0]
    assert ("ink", slot()["start"]) not in rooms[1]

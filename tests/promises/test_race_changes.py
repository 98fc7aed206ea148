"""Many change the same at once: a slot is won once, who loses keeps what they had, and an answer stays true."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from tests.promises.places import PLAZAS, STATION, TABLES, commands
from tests.promises.served import Served, gathered, served

CLIENTS, ROUNDS = 32, 12
HOUR = timedelta(hours=1)
SHANGHAI = timezone(timedelta(hours=8))
OK, CREATED, CONFLICT = httpx.codes.OK, httpx.codes.CREATED, httpx.codes.CONFLICT
LIVE = {"awaiting_approval", "confirmed", "checked_in"}

# Ten times what the slowest takes here.
pytestmark = [pytest.mark.serial, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("race-changes") / "data") as running:
        running.decide(list(commands()))
        yield running


@pytest.fixture(scope="module")
def tokens(installation: Served) -> list[str]:
    """Staff in their station's name: neither quota nor budget stands in the way of the race."""
    return list(installation.let_in({f"staff-{n}": ("staff", [STATION]) for n in range(CLIENTS)}).values())


class Racing:
    """Thirty-two clients of a running Linyue."""

    def __init__(self, http: httpx.AsyncClient, tokens: Sequence[str]) -> None:
        self._http = http
        self._tokens = tokens
        self._position = 0

    def post(self, n: int, call: str, body: dict[str, Any]) -> Awaitable[httpx.Response]:
        return self._send(n, "POST", call, body)

    def patch(self, n: int, call: str, body: dict[str, Any]) -> Awaitable[httpx.Response]:
        return self._send(n, "PATCH", call, body)

    def book(self, n: int, room: str, start: datetime, end: datetime | None = None) -> Awaitable[httpx.Response]:
        return self.post(n, "bookings", {"room": room, **slot(start, end)})

    async def booked(self, n: int, room: str, start: datetime, end: datetime | None = None) -> str:
        """The id of a booking that is to be had."""
        answer = await self.book(n, room, start, end)
        assert answer.status_code == CREATED, answer.text
        id_: str = answer.json()["id"]
        return id_

    async def get(self, booking: str) -> dict[str, Any]:
        """The booking after all that was answered so far."""
        seen = {"X-Log-Position": str(self._position)}
        answer = await self._http.get(f"/api/v1/bookings/{booking}", headers=self._as(0) | seen)
        assert answer.status_code == OK, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def _send(self, n: int, method: str, call: str, body: dict[str, Any]) -> httpx.Response:
        answer = await self._http.request(method, f"/api/v1/{call}", json=body, headers=self._as(n))
        self._position = max(self._position, int(answer.headers.get("X-Log-Position", 0)))
        return answer

    def _as(self, n: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[n % len(self._tokens)]}"}


def slot(start: datetime, end: datetime | None = None) -> dict[str, str]:
    return {"start": start.isoformat(), "end": (end or start + HOUR).isoformat()}


def at(day: int, hour: int) -> datetime:
    """An hour of the n-th day that can be booked at the test's clock."""
    first = date(2026, 12, 2) + timedelta(days=day)
    return datetime(first.year, first.month, first.day, hour, tzinfo=SHANGHAI)


def race(running: Served, tokens: Sequence[str], rounds: Callable[[Racing], Awaitable[None]]) -> None:
    """Over HTTP, by two processes."""
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)

    async def run() -> None:
        async with httpx.AsyncClient(base_url=running.url, timeout=60, limits=limits) as http:
            await rounds(Racing(http, tokens))

    asyncio.run(run())


def only(answers: Sequence[httpx.Response], *allowed: int) -> Counter[int]:
    """How often each status was answered; none but these."""
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= set(allowed), [a.text for a in answers if a.status_code not in allowed]
    return statuses


def rules_of(answer: httpx.Response) -> set[str]:
    return {reason["rule"] for reason in answer.json()["reasons"]}


def test_of_all_who_move_to_the_same_hour_one_is_there_and_the_others_keep_theirs(
    installation: Served, tokens: list[str]
) -> None:
    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            wanted, before = at(round_, 10), at(round_, 14)
            bookings = await gathered([racing.booked(n, PLAZAS[n % len(PLAZAS)], before) for n in range(CLIENTS)])
            body = {"room": "studio", **slot(wanted)}
            answers = await gathered(
                [racing.post(n, f"bookings/{booking}/reschedule", body) for n, booking in enumerate(bookings)]
            )
            assert only(answers, OK, CONFLICT)[OK] == 1
            assert all("slot_taken" in rules_of(lost) for lost in answers if lost.status_code == CONFLICT)
            found = await gathered([racing.get(booking) for booking in bookings])
            for answer, booking in zip(answers, found, strict=True):
                moved = answer.status_code == OK
                assert booking["state"] == "confirmed"
                assert booking["room"] == ("studio" if moved else booking["room"])
                assert datetime.fromisoformat(booking["start"]) == (wanted if moved else before)

    race(installation, tokens, rounds)


def test_two_who_want_each_other_s_hour_both_keep_their_own(installation: Served, tokens: list[str]) -> None:
    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            hours = at(round_, 16), at(round_, 17)
            mine, yours = await gathered([racing.booked(n, "studio", hour) for n, hour in enumerate(hours)])
            answers = await gathered(
                [
                    racing.post(0, f"bookings/{mine}/reschedule", slot(hours[1])),
                    racing.post(1, f"bookings/{yours}/reschedule", slot(hours[0])),
                ]
            )
            only(answers, CONFLICT)
            for booking, hour in zip((mine, yours), hours, strict=True):
                assert datetime.fromisoformat((await racing.get(booking))["start"]) == hour

    race(installation, tokens, rounds)


def test_the_next_hour_goes_to_who_extends_or_to_one_of_those_who_book_it(
    installation: Served, tokens: list[str]
) -> None:
    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            hour = at(round_, 12)
            held = await racing.booked(0, "studio", hour)
            extend = racing.post(0, f"bookings/{held}/extend", {"end": (hour + 2 * HOUR).isoformat()})
            others = [racing.book(n, "studio", hour + HOUR) for n in range(1, CLIENTS)]
            # Not always first in line.
            asked = [*others[: round_ * 2], extend, *others[round_ * 2 :]]
            statuses = only(await gathered(asked), OK, CREATED, CONFLICT)
            assert statuses[OK] + statuses[CREATED] == 1

    race(installation, tokens, rounds)


def test_what_waits_for_approval_is_answered_once(installation: Served, tokens: list[str]) -> None:
    """Whoever asks beside it is refused, approved or not; of yes, no and a withdrawal, one counts."""

    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            hour = at(round_, 10)
            asked = await gathered([racing.book(n, "salon", hour) for n in range(4)])
            assert only(asked, CREATED, CONFLICT)[CREATED] == 1
            waiting = next(a for a in asked if a.status_code == CREATED).json()
            assert waiting["state"] == "awaiting_approval"
            call = f"bookings/{waiting['id']}"
            answers = await gathered(
                [
                    *(racing.post(n, f"{call}/approve", {}) for n in range(8)),
                    *(racing.post(n, f"{call}/reject", {"reason": "other"}) for n in range(8)),
                    *(racing.book(n, "salon", hour) for n in range(8)),
                ]
            )
            only(answers, OK, CREATED, CONFLICT)
            decided = [answer for answer in answers[:16] if answer.status_code == OK]
            booked = [answer for answer in answers[16:] if answer.status_code == CREATED]
            assert len(decided) == 1
            state = (await racing.get(waiting["id"]))["state"]
            assert state == decided[0].json()["state"]
            # The hour is free again only where the answer was no, and then for one.
            assert len(booked) <= (state == "rejected")

    race(installation, tokens, rounds)


def test_a_closure_leaves_nothing_booked_within_it(installation: Served, tokens: list[str]) -> None:
    """Whoever booked, moved or extended into it before is cancelled and listed; whoever comes after is refused."""

    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            hour, room = at(round_, 18), PLAZAS[round_]
            elsewhere = await gathered([racing.booked(n, PLAZAS[-1], hour) for n in range(8)])
            before = await gathered([racing.booked(n, room, hour - HOUR) for n in range(8)])
            closing = {"from": hour.isoformat(), "to": (hour + HOUR).isoformat(), "reason": "cleaning"}
            end = {"end": (hour + HOUR).isoformat()}
            answers = await gathered(
                [
                    *(racing.book(n, room, hour) for n in range(8)),
                    *(
                        racing.post(n, f"bookings/{b}/reschedule", {"room": room, **slot(hour)})
                        for n, b in enumerate(elsewhere)
                    ),
                    racing.post(0, f"rooms/{room}/close", closing),
                    *(racing.post(n, f"bookings/{b}/extend", end) for n, b in enumerate(before)),
                ]
            )
            only(answers, OK, CREATED, CONFLICT)
            closed = answers[16]
            assert closed.status_code == OK
            inside = [a for a in (*answers[:16], *answers[17:]) if a.status_code != CONFLICT]
            assert {a.json()["id"] for a in inside} == set(closed.json()["cancelled"])
            for answer in inside:
                assert (await racing.get(answer.json()["id"]))["state"] == "cancelled"
            for refused in (a for a in answers if a.status_code == CONFLICT):
                assert "room_closed" in rules_of(refused)

    race(installation, tokens, rounds)


def test_a_resource_that_shrinks_while_people_book_is_never_taken_beyond_what_it_holds(
    installation: Served, tokens: list[str]
) -> None:
    """Either it was empty enough and they meet the new limit, or it is refused and names what stands in its way."""

    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            hour = at(round_, 11)
            bookings = [racing.book(n, "tables", hour) for n in range(8)]
            smaller = racing.patch(0, "resources/table", {"capacity": 1})
            answers = await gathered([*bookings[: round_ % 8], smaller, *bookings[round_ % 8 :]])
            only(answers, OK, CREATED, CONFLICT)
            won = [a.json()["id"] for a in answers if a.status_code == CREATED]
            shrunk = answers[round_ % 8]
            assert len(won) == (1 if shrunk.status_code == OK else TABLES)
            if shrunk.status_code == CONFLICT:
                named = {id_ for reason in shrunk.json()["reasons"] for id_ in reason["bookings"]}
                assert named < set(won)
            restored = await racing.patch(0, "resources/table", {"capacity": TABLES})
            # Of the next round none of these stands in the way.
            given_up = await gathered([racing.post(0, f"bookings/{id_}/cancel", {}) for id_ in won])
            only([restored, *given_up], OK)

    race(installation, tokens, rounds)


def test_two_staff_who_change_different_things_of_a_room_at_once_both_succeed(
    installation: Served, tokens: list[str]
) -> None:
    async def rounds(racing: Racing) -> None:
        for round_ in range(ROUNDS):
            changes: list[dict[str, Any]] = [
                {"seats": 20 + round_},
                {"name": f"展厅 {round_}"},
                {"buffer_minutes": round_},
            ]
            answers = await gathered([racing.patch(n, "rooms/gallery-0", change) for n, change in enumerate(changes)])
            only(answers, OK)
            room = await racing.patch(0, "rooms/gallery-0", {"sample": False})
            assert {**room.json(), **changes[0], **changes[1], **changes[2]} == room.json()

    race(installation, tokens, rounds)


def test_the_races_left_a_log_that_holds(installation: Served) -> None:
    """The proof agrees: at no instant was more taken than there is."""
    assert installation.verify()["ok"]

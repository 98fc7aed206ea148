"""A lived-in fortnight for the demo: residents book, come, cancel, stay away and are refused, all by real commands.

It is the same whenever it is made: what people do is drawn from a hash, not from chance.
"""

import hashlib
import heapq
import itertools
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from functools import partial

import msgspec

from booking.desk import new_command_id
from booking.local_time import local_day, local_instant, zone_named
from booking.messages import SYSTEM, Answer, Ask, Asker, Command, Outcome, Role
from booking.places.decide import CloseRoom
from booking.reservations.decide import (
    ApproveBooking,
    BookingView,
    CancelBooking,
    CheckIn,
    CloseOut,
    RejectBooking,
    RequestBooking,
    station_person,
)
from linyue.clock import SimulatedClock

DAYS = 14
REQUESTS_A_DAY = 75
MAINTENANCE_WEEKDAY = 3
# When people like to come: after breakfast, after the midday rest, after supper.
HOURS = (9, 9, 10, 10, 11, 13, 14, 14, 14, 15, 15, 16, 18, 19, 19, 19)
# Room, use and minutes of a booking: where the neighbours go, the favourites more than once.
PLACES = (
    *[("wanyuan-1-vitality", "乒乓球", 60)] * 5,
    ("wanyuan-1-vitality", "乒乓球", 120),
    ("wanyuan-1-vitality", "桌球", 60),
    ("wanyuan-1-painting", "书画", 120),
    ("wanyuan-1-sharing", "烘焙", 90),
    ("wanyuan-1-hall", "整场", 120),
    ("wanyuan-1-hall", "半场", 60),
    ("gulong-6-ink", "书画", 120),
    ("gulong-6-ink", "书画", 60),
    ("gulong-6-dance", "舞蹈排练", 120),
    ("gulong-6-dance", "瑜伽", 60),
    ("gulong-6-children", "亲子共读", 60),
    ("gulong-6-meeting", "整场", 120),
    ("gulong-6-happy-reading", "阅读", 120),
    ("pingji-5-painting", "书画", 120),
    ("pingji-5-art", "书画展览", 180),
    ("pingji-5-tea", "茶艺", 90),
)

Action = Callable[[], Awaitable[None]]


class Fortnight:
    """Lives through the days up to `end`, for the residents and the one member of staff given (ids of people).

    `visitors` are those of the residents whom a visitor of the demo can be.
    """

    def __init__(
        self,
        ask: Callable[[Ask], Awaitable[Answer]],
        clock: SimulatedClock,
        time_zone: str,
        residents: tuple[str, ...],
        visitors: frozenset[str],
        staff: str,
    ) -> None:
        self._ask_desk = ask
        self._clock = clock
        self._zone = zone_named(time_zone)
        self._residents = residents
        self._visitors = visitors
        self._today = local_day(clock.now(), self._zone)
        self._staff = Asker(id=staff, role="staff", channel="desk", scope="all")
        self._agenda: list[tuple[datetime, int, Action]] = []
        self._order = itertools.count()

    async def live(self, begin: datetime, end: datetime, on_progress: Callable[[float], None] = lambda _: None) -> None:
        """Everything that happens from the day of `begin` to `end`, in the order of time. The clock stops at the last.

        `on_progress` gets the part of the time that has passed, from 0 to 1. Each command has a key of its own, the
        same whenever it is asked: whoever got half-way begins anew, and hears again what was answered.
        """
        first, self._today = local_day(begin, self._zone), local_day(end, self._zone)
        for number in range((self._today - first).days + 1):
            self._plan_day(first + timedelta(days=number))
        while self._agenda and self._agenda[0][0] < end:
            at, _, action = heapq.heappop(self._agenda)
            self._clock.move_to(max(at, self._clock.now()))
            await action()
            on_progress((self._clock.now() - begin) / (end - begin))

    def _plan_day(self, day: date) -> None:
        for number in range(REQUESTS_A_DAY):
            # Most ask in the first minutes after the release at 08:00, the others through the day.
            minutes = 8 * 60 + (number // 2 if number < 50 else 30 + 25 * (number - 50))
            self._at(local_instant(day, minutes, self._zone), partial(self._request, day, number))
        if day.isoweekday() == MAINTENANCE_WEEKDAY and day != self._today:
            self._at(local_instant(day, 9 * 60 + 5, self._zone), partial(self._maintenance, day + timedelta(days=2)))

    def _at(self, instant: datetime, action: Action) -> None:
        heapq.heappush(self._agenda, (instant, next(self._order), action))

    async def _request(self, day: date, number: int) -> None:
        room, use, minutes = PLACES[_draw(len(PLACES), "place", day, number)]
        ahead = _draw(8, "ahead", day, number)
        resident = self._residents[_draw(len(self._residents), "who", day, number)]
        if resident in self._visitors:
            # They have a past and no open bookings: their quota is the visitor's.
            if day == self._today:
                return
            ahead = 0
        hour = HOURS[_draw(len(HOURS), "hour", day, number)]
        # The tea table stands on a grid of its own: an hour and a half each, from one o'clock.
        of_day = 13 * 60 + 90 * (hour % 3) if room == "pingji-5-tea" else hour * 60
        start = local_instant(day + timedelta(days=ahead), of_day, self._zone)
        command = RequestBooking(
            room=room,
            use=use,
            start=start,
            end=start + timedelta(minutes=minutes),
            person=resident,
            units=1 + (use in ("乒乓球", "阅读") and number % 3 == 0),
        )
        answer = await self._ask(command, _as(resident, "resident"), f"request {day} {number}")
        if answer.outcome is Outcome.DONE:
            self._plan_booking(msgspec.json.decode(answer.body, type=BookingView), day, number)

    def _plan_booking(self, booking: BookingView, day: date, number: int) -> None:
        fate, now = _draw(20, "fate", day, number), self._clock.now()
        approved = booking.state == "awaiting_approval"
        if approved:
            self._at(now + timedelta(hours=2), partial(self._decide_on, booking, rejected=fate == 7))
        if fate < 3:
            self._at(now + (booking.start - now) / 2, partial(self._cancel, booking))
        elif fate < 18:
            self._at(booking.start - timedelta(minutes=fate % 12), partial(self._check_in, booking))
        due = booking.end if 3 <= fate < 18 else booking.start + timedelta(minutes=15)
        self._at(due + timedelta(seconds=4), partial(self._close_out, booking, "due"))
        self._at(booking.end + timedelta(seconds=4), partial(self._close_out, booking, "end"))

    async def _decide_on(self, booking: BookingView, *, rejected: bool) -> None:
        no = RejectBooking(booking=booking.id, reason="needed_by_station")
        await self._ask(no if rejected else ApproveBooking(booking=booking.id), self._staff, f"decide {booking.id}")

    async def _cancel(self, booking: BookingView) -> None:
        cancel = CancelBooking(booking=booking.id, reason="changed_plans")
        await self._ask(cancel, _as(booking.person, "resident"), f"cancel {booking.id}")

    async def _check_in(self, booking: BookingView) -> None:
        await self._ask(CheckIn(booking=booking.id), _as(booking.person, "resident"), f"check in {booking.id}")

    async def _close_out(self, booking: BookingView, at: str) -> None:
        await self._ask(CloseOut(booking=booking.id), SYSTEM, f"close out {booking.id} at {at}")

    async def _maintenance(self, day: date) -> None:
        start = local_instant(day, 13 * 60, self._zone)
        end = start + timedelta(hours=2)
        close = CloseRoom(room="wanyuan-1-vitality", start=start, end=end, reason="maintenance")
        await self._ask(close, self._staff, f"close {day}")
        meeting = local_instant(day, 19 * 60, self._zone)
        own = RequestBooking(
            room="gulong-6-meeting",
            use="半场",
            start=meeting,
            end=meeting + timedelta(hours=1),
            person=station_person("gulong-6"),
        )
        await self._ask(own, self._staff, f"meeting {day}")

    async def _ask(self, command: Command, asker: Asker, key: str) -> Answer:
        return await self._ask_desk(Ask(id=new_command_id(), command=command, asker=asker, key=f"fortnight: {key}"))


def _as(person: str, role: Role) -> Asker:
    return Asker(id=person, role=role, channel="phone", scope="own")


def _draw(sides: int, *what: object) -> int:
    """A throw of a die with so many sides that falls the same way each time for the same question."""
    digest = hashlib.sha256(repr(what).encode()).digest()
    return int.from_bytes(digest[:4], "big") % sides

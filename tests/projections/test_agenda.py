"""What people, rooms and stations have before them, as it stands at the instant of asking."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

import msgspec
import pytest
from tests.projections.conftest import Town, at

from booking.local_time import Hours
from booking.places.decide import CloseRoom
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    CloseOut,
    EndBooking,
    ExtendBooking,
    RejectBooking,
    RescheduleBooking,
)
from booking.reservations.standing import LIVE, Standing
from booking.rules.decide import ChangeRules
from booking.rules.events import RuleBook
from booking.vault import text_id
from projections import agenda
from projections.agenda import Item, NotACursor, Page, Paging

pytestmark = pytest.mark.asyncio

TODAY = date(2026, 11, 24)
ALL: tuple[Standing, ...] = (
    "awaiting_approval", "confirmed", "checked_in", "completed", "cancelled", "rejected", "expired", "no_show",
)  # fmt: skip


async def booking(town: Town, id_: str, now: datetime | None = None) -> Item:
    async with town.reader.of("agenda", await town.follow()) as snapshot:
        found = await agenda.booking(snapshot, id_, now or town.now)
    assert found is not None
    return found


async def of_person(
    town: Town,
    person: str = "li",
    *,
    states: Collection[Standing] | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    paging: Paging = agenda.FIRST_PAGE,
) -> Page:
    async with town.reader.of("agenda", await town.follow()) as snapshot:
        return await agenda.of_person(
            snapshot, person, town.now, states=states, first_day=first_day, last_day=last_day, paging=paging
        )


def ids(page: Page) -> list[str]:
    return [item.id for item in page.items]


async def test_a_booking_is_told_with_all_that_is_known_of_it(town: Town) -> None:
    made = await town.book(at(10), units=2, texts={"purpose": "练球"})
    assert await booking(town, made) == Item(
        id=made,
        code=made[:8].upper(),
        room="tribe",
        station="wanyuan",
        use="乒乓球",
        start=at(10),
        end=at(11),
        units=2,
        attendees=None,
        state="confirmed",
        person="li",
        booked_by="desk",
        made_at=town.now,
        confirmed_at=town.now,
        checked_in_at=None,
        ended_at=None,
        due_at=at(10.25),
        becomes="no_show",
        reason=None,
        purpose=text_id("gumei-14", "purpose"),
        note=None,
    )


async def test_what_is_due_is_told_as_what_it_became_recorded_or_not(town: Town) -> None:
    made = await town.book(at(10))
    assert (await booking(town, made, at(10.24))).state == "confirmed"
    assert (await booking(town, made, at(10.25))).state == "no_show"
    town.now = at(12)
    before = await booking(town, made)
    await town.do(CloseOut(booking=made))
    assert await booking(town, made) == before


async def test_what_happens_to_a_booking_shows(town: Town) -> None:
    """From the request to its end, with the note's place in the vault."""
    made = await town.book(at(12), at(13.5), room="hall", use="整场")
    assert (await booking(town, made)).state == "awaiting_approval"
    await town.do(ApproveBooking(booking=made), texts={"note": "好"})
    approved = await booking(town, made)
    assert (approved.state, approved.confirmed_at, approved.note) == (
        "confirmed",
        town.now,
        text_id("gumei-15", "note"),
    )
    town.now = at(12)
    await town.do(CheckIn(booking=made))
    assert (await booking(town, made)).checked_in_at == at(12)
    assert (await booking(town, made, at(13.5))).state == "completed"
    town.now = at(13)
    await town.do(CloseRoom(room="hall", start=at(13), reason="safety"))
    closed = await booking(town, made)
    assert (closed.state, closed.reason, closed.ended_at, closed.becomes) == ("cancelled", "room_closed", at(13), None)


async def test_a_moved_booking_is_where_it_is_now_and_nowhere_else(town: Town) -> None:
    """Its purpose, and when and by whom it was made, stay; it waits anew where the new use asks for approval."""
    made = await town.book(at(10), units=2, texts={"purpose": "练球"})
    before = await booking(town, made)
    town.now = at(9.75)
    to = RescheduleBooking(
        booking=made, start=at(12, day=25), end=at(13.5, day=25), room="hall", use="整场", units=1, attendees=9
    )
    await town.do(to)
    assert await booking(town, made) == msgspec.structs.replace(
        before, room="hall", station="gulong", use="整场", units=1, attendees=9, start=to.start, end=to.end,
        state="awaiting_approval", confirmed_at=None, due_at=to.start, becomes="expired",
    )  # fmt: skip
    assert ids(await of_person(town, last_day=TODAY)) == []
    assert ids(await of_person(town, first_day=TODAY + timedelta(days=1))) == [made]
    async with town.reader.of("agenda") as snapshot:
        rooms = [
            await agenda.of_room(snapshot, room, TODAY, date(2026, 11, 25), town.now) for room in ("tribe", "hall")
        ]
        stations = [
            await agenda.of_station(snapshot, one, TODAY, date(2026, 11, 25), town.now) for one in ("wanyuan", "gulong")
        ]
    assert [ids(page) for page in (*rooms, *stations)] == [[], [made], [], [made]]


async def test_an_extended_booking_ends_later_and_one_that_was_ended_when_it_was(town: Town) -> None:
    made = await town.book(at(10))
    town.now = at(10)
    await town.do(CheckIn(booking=made))
    await town.do(ExtendBooking(booking=made, end=at(12)))
    extended = await booking(town, made)
    assert (extended.state, extended.end, extended.due_at, extended.checked_in_at) == (
        "checked_in", at(12), at(12), at(10),
    )  # fmt: skip
    town.now = at(11.5)
    await town.do(EndBooking(booking=made))
    ended = await booking(town, made)
    assert (ended.state, ended.end, ended.reason, ended.ended_at) == ("completed", at(11.5), None, None)
    assert ids(await of_person(town, states=LIVE)) == []


async def test_a_booking_is_found_by_its_code_however_it_is_written(town: Town) -> None:
    made = await town.book(at(10))
    code = made[:8].upper()
    misread = code.replace("0", "o").replace("1", "l").lower()
    async with town.reader.of("agenda", await town.follow()) as snapshot:
        for written in (code, f" {code[:4]}-{code[4:]}", misread):
            found = await agenda.by_code(snapshot, written, town.now)
            assert found is not None
            assert found.id == made
        assert await agenda.by_code(snapshot, "00000000", town.now) is None
        assert await agenda.booking(snapshot, code, town.now) is None


async def test_a_persons_bookings_come_in_the_order_of_their_starts(town: Town) -> None:
    late, early = await town.book(at(15)), await town.book(at(10))
    await town.book(at(12), person="wang")
    assert ids(await of_person(town)) == [early, late]
    assert ids(await of_person(town, paging=Paging(newest_first=True))) == [late, early]


async def test_local_days_bound_what_is_told(town: Town) -> None:
    """A booking at six in the morning of Shanghai is of that day, though in UTC it is still the day before."""
    early = tuple(Hours(weekday=day, opens="06:00", closes="21:00") for day in range(1, 8))
    await town.do(ChangeRules(book=RuleBook(hours=early)))
    today, tomorrow = await town.book(at(10)), await town.book(at(6, day=25))
    tomorrow_day = TODAY + timedelta(days=1)
    assert ids(await of_person(town, last_day=TODAY)) == [today]
    assert ids(await of_person(town, first_day=tomorrow_day)) == [tomorrow]
    assert ids(await of_person(town, first_day=TODAY, last_day=tomorrow_day)) == [today, tomorrow]


async def test_each_state_is_filtered_as_it_holds_now(town: Town) -> None:
    """Half of them are recorded, the others only fallen due."""
    made = await one_of_each(town)
    for state in ALL:
        assert ids(await of_person(town, states=[state])) == made[state], state
    live = sorted(made["awaiting_approval"] + made["confirmed"] + made["checked_in"])
    assert sorted(ids(await of_person(town, states=LIVE))) == live
    assert ids(await of_person(town, states=[])) == []


async def one_of_each(town: Town) -> dict[Standing, list[str]]:
    """Bookings of li in every state at 12:00 of the 25th, by their starts."""

    async def hall(start: float, day: int) -> str:
        return await town.book(at(start, day), at(start + 1.5, day), room="hall", use="整场")

    expired, rejected = await hall(12, 24), await hall(15, 24)
    await town.do(RejectBooking(booking=rejected, reason="other"))
    cancelled = await town.book(at(10))
    await town.do(CancelBooking(booking=cancelled, reason="ill"))
    missed, came = await town.book(at(10)), await town.book(at(16))
    town.now = at(16)
    await town.do(CheckIn(booking=came))
    await town.do(CloseOut(booking=missed))
    await town.do(CloseOut(booking=expired))
    town.now = at(8, day=25)
    again = await town.book(at(9, day=25))
    using = await town.book(at(11, day=25), at(13, day=25))
    town.now = at(11, day=25)
    await town.do(CheckIn(booking=using))
    waiting, ahead = await hall(13.5, 25), await town.book(at(18, day=25))
    town.now = at(12, day=25)
    return {
        "awaiting_approval": [waiting],
        "confirmed": [ahead],
        "checked_in": [using],
        "completed": [came],
        "cancelled": [cancelled],
        "rejected": [rejected],
        "expired": [expired],
        "no_show": [missed, again],
    }


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_together_are_the_whole_list(
    town: Town, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    """Also where so many others lie between that a page ends early."""
    monkeypatch.setattr(agenda, "LOOKED_AT_MAX", 3)
    made = {hour: await town.book(at(hour), person="station:wanyuan") for hour in range(10, 20)}
    for hour, id_ in made.items():
        if hour % 5:
            await town.do(CancelBooking(booking=id_, reason="other"))
    hours = sorted(made, reverse=newest_first)
    assert await paged(town, None, newest_first) == [made[hour] for hour in hours]
    assert await paged(town, ["cancelled"], newest_first) == [made[hour] for hour in hours if hour % 5]
    assert await paged(town, ["confirmed"], newest_first) == [made[hour] for hour in hours if not hour % 5]


async def paged(town: Town, states: Collection[Standing] | None, newest_first: bool) -> list[str]:
    """The whole list, two by two."""
    found, after = [], None
    while True:
        paging = Paging(after=after, limit=2, newest_first=newest_first)
        page = await of_person(town, "station:wanyuan", states=states, paging=paging)
        assert len(page.items) <= 2
        found += ids(page)
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("cursor", ["", "none", "eyJhIjoxfQ==", "é"])
async def test_a_cursor_from_elsewhere_is_not_taken(town: Town, cursor: str) -> None:
    with pytest.raises(NotACursor):
        await of_person(town, paging=Paging(after=cursor))


async def test_a_rooms_and_a_stations_bookings_of_a_day(town: Town) -> None:
    tribe, hall = await town.book(at(10)), await town.book(at(11), room="hall", use="东半场", person="wang")
    other = await town.book(at(9, day=25), use="桌球", person="wang")
    day = TODAY + timedelta(days=1)
    async with town.reader.of("agenda", await town.follow()) as snapshot:
        assert ids(await agenda.of_room(snapshot, "tribe", TODAY, TODAY, town.now)) == [tribe]
        assert ids(await agenda.of_room(snapshot, "tribe", TODAY, day, town.now)) == [tribe, other]
        assert ids(await agenda.of_station(snapshot, "gulong", TODAY, day, town.now, states=LIVE)) == [hall]

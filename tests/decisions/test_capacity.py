"""The invariant: at no instant do the live bookings of a resource take more than its capacity.

Random commands are decided in random batches on a clock that goes on; an oracle of a dozen lines, which shares nothing
with the deciders, adds up what is held at every quarter of an hour.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from tests.decisions.gumei import NOW, OFFICE, RESOURCES, ROOMS, SHANGHAI, TODAY, local, opened
from tests.spec import CODEC, Given, Happened, given

from booking import subjects
from booking.batch import Batch
from booking.messages import Ask, Command, Event, Recorded
from booking.places.decide import ChangeResource, ChangeRoom, CloseRoom, ReopenRoom
from booking.places.events import ResourceChanged
from booking.reservations.decide import (
    ApproveBooking,
    CancelBooking,
    CheckIn,
    CloseOut,
    RejectBooking,
    RequestBooking,
)
from booking.reservations.events import (
    BookingApproved,
    BookingCancelled,
    BookingCheckedIn,
    BookingConfirmed,
    BookingRejected,
    BookingRequested,
)
from booking.rules.events import RuleBook
from booking.state import NotRead

RULES = RuleBook(lead_minutes_min=0, open_bookings_max=1_000)
QUARTER = timedelta(minutes=15)
USES = [(room, use.use) for room, definition in ROOMS.items() for use in definition.uses]
# The one room with a buffer, as often as all the others.
USES += [("kitchen", "烘焙")] * len(USES)

hours = st.integers(min_value=9, max_value=12)
slots = st.tuples(hours, st.integers(min_value=1, max_value=3))
requests = st.builds(
    lambda place, slot, units: RequestBooking(
        room=place[0],
        use=place[1],
        start=at(slot[0]),
        end=at(slot[0] + slot[1]),
        units=units,
        person="lin",
    ),
    st.sampled_from(USES),
    slots,
    st.sampled_from([1, 1, 1, 2, 3]),
)
# A booking is named by how many were made before it.
which = st.integers(min_value=0, max_value=5)
changes = st.builds(
    lambda kind, n: (kind, n),
    st.sampled_from(["approve", "reject", "cancel", "check in", "close out"]),
    which,
)
places = st.one_of(
    st.builds(
        lambda resource, capacity: ChangeResource(resource=resource, capacity=capacity, cancels=("all",)),
        st.sampled_from(list(RESOURCES)),
        st.integers(min_value=1, max_value=4),
    ),
    st.builds(
        lambda room, slot: CloseRoom(room=room, start=at(slot[0]), end=at(slot[0] + slot[1]), reason="other"),
        st.sampled_from(list(ROOMS)),
        slots,
    ),
    st.builds(lambda room: ReopenRoom(room=room, start=at(9)), st.sampled_from(list(ROOMS))),
    st.builds(lambda room: ChangeRoom.to(room, ROOMS[room]), st.sampled_from(list(ROOMS))),
)
batches = st.lists(
    st.tuples(
        st.lists(st.one_of(requests, requests, changes, places), min_size=1, max_size=6),
        st.integers(min_value=0, max_value=8).map(lambda n: n * QUARTER),
    ),
    max_size=6,
)


class Held(NamedTuple):
    """From when to when a booking holds what."""

    start: datetime
    end: datetime
    takes: dict[str, int]


def at(hour: int) -> datetime:
    return local(f"{TODAY} {hour:02d}:00")


@settings(max_examples=80, deadline=None)
@examples(batches)
def test_the_live_bookings_of_a_resource_never_take_more_than_its_capacity(
    story: list[tuple[list[Command | tuple[str, int]], timedelta]],
) -> None:
    log, now = given(*opened(rules=RULES)), NOW
    for commands, passed in story:
        now += passed
        log = decide(log, commands, now)
        capacity = capacities(log)
        for instant in (now + n * QUARTER for n in range(48)):
            for resource, units in held_at(log, instant, now).items():
                assert units <= capacity[resource], f"{units} of {resource} at {instant.astimezone(SHANGHAI):%H:%M}"


def decide(log: Given, commands: list[Command | tuple[str, int]], now: datetime) -> Given:
    """One batch; what finds that it was not read for waits for a later one, here for ever."""
    asks = [Ask(id=f"{len(log.log)}-{n}", command=named(log, one), asker=OFFICE) for n, one in enumerate(commands)]
    batch = Batch(subjects, CODEC, log.state_for_all(asks, now), len(log.log), now)
    for ask in asks:
        try:
            batch.decide(ask)
        except NotRead:
            continue
    decided = [CODEC.decode(entry.data) for entry in batch.writes.entries]
    return given(*(Happened(r.event, r.at, r.actor) for r in [*log.log, *decided]))


def named(log: Given, command: Command | tuple[str, int]) -> Command:
    """The command with the bookings that it means."""
    made = [r.event.booking for r in log.log if isinstance(r.event, BookingConfirmed | BookingRequested)]
    if isinstance(command, ChangeResource):
        return ChangeResource(resource=command.resource, capacity=command.capacity, cancels=tuple(made))
    if isinstance(command, Command):
        return command
    kind, n = command
    booking = made[n] if n < len(made) else "none"
    return {
        "approve": ApproveBooking(booking=booking),
        "reject": RejectBooking(booking=booking, reason="other"),
        "cancel": CancelBooking(booking=booking, reason="other"),
        "check in": CheckIn(booking=booking),
        "close out": CloseOut(booking=booking),
    }[kind]


def capacities(log: Given) -> dict[str, int]:
    changed = {r.event.resource: r.event.capacity for r in log.log if isinstance(r.event, ResourceChanged)}
    return {resource: capacity for resource, (_, capacity) in RESOURCES.items()} | changed


def held_at(log: Given, instant: datetime, now: datetime) -> dict[str, int]:
    units: dict[str, int] = {}
    for recorded in log.log:
        if isinstance(recorded.event, BookingConfirmed | BookingRequested):
            life = [r for r in log.log if getattr(r.event, "booking", "") == recorded.event.booking]
            held = held_by(recorded, life, now)
            for resource, taken in held.takes.items() if held.start <= instant < held.end else ():
                units[resource] = units.get(resource, 0) + taken
    return units


def held_by(made: Recorded, life: list[Recorded], now: datetime) -> Held:
    """What is known of a booking at `now`: until when it holds if nothing else happens."""
    event = made.event
    assert isinstance(event, BookingConfirmed | BookingRequested)
    held_until = event.held_until
    ended = [r.at for r in life if isinstance(r.event, BookingCancelled | BookingRejected)]
    came = any(isinstance(r.event, BookingCheckedIn) for r in life)
    confirmed = isinstance(event, BookingConfirmed) or any(isinstance(r.event, BookingApproved) for r in life)
    missed = event.start + (QUARTER if confirmed else timedelta())
    if ended:
        held_until = ended[0]
    elif not came and now >= missed:
        held_until = missed
    elif now >= event.end:
        held_until = event.end
    return Held(event.start, held_until, {take.resource: take.units for take in event.takes})


def test_the_oracle_sees_an_overbooking_where_there_is_one() -> None:
    """It would be worth little if it never could."""
    twice: list[Event] = [made(n) for n in range(2)]
    log = given(*opened(rules=RULES), *twice)
    assert held_at(log, at(10), NOW)["billiard-table"] == 2 > capacities(log)["billiard-table"]


def made(n: int) -> Event:
    request = RequestBooking(room="tribe", use="桌球", start=at(10), end=at(11), person="lin")
    ask = Ask(id=str(n), command=request, asker=OFFICE)
    log = given(*opened(rules=RULES))
    batch = Batch(subjects, CODEC, log.state_for(ask, NOW), len(log.log), NOW)
    batch.decide(ask)
    return CODEC.decode(batch.writes.entries[0].data).event

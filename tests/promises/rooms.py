"""What staff do with rooms in the model's test: open them longer or shorter, split one, merge it again, give it up."""

from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.promises.model import CLOSES, DAY, HOUR, OPENS, Extra, Place, Room
from tests.promises.people import Made, counted, people
from tests.promises.staff import Staff
from tests.promises.system import HALVES, ROOMS, STAFF, for_a_time, week

from booking.messages import Answer, Command, Outcome
from booking.places import decide as places
from booking.places.events import NewRoom

WHOLE = {"court": ROOMS["court"]}
hours = st.sampled_from([(OPENS, CLOSES), (OPENS, CLOSES), (OPENS, 15 * HOUR), (12 * HOUR, CLOSES)])
evenings = st.sampled_from([(CLOSES, 23 * HOUR), (18 * HOUR, 22 * HOUR), (7 * HOUR, OPENS), (22 * HOUR, 24 * HOUR)])


class Rooms(Staff):
    """What staff do with rooms, in any order, beside all else."""

    @rule(pick=st.integers(0, 20), hours=hours, give_up=st.booleans(), dry_run=st.booleans())
    def change_hours(self, pick: int, hours: tuple[int, int], give_up: bool, dry_run: bool) -> None:
        name = self._one_of(pick)
        room = replace(self.model.rooms[name], opens=hours[0], closes=hours[1])
        self._change_room(name, room, {"hours": week(room)}, give_up, dry_run)

    @rule(
        pick=st.integers(0, 20),
        evening=evenings,
        days=st.integers(0, 2),
        keep=st.booleans(),
        give_up=st.booleans(),
        dry_run=st.booleans(),
    )
    def change_extra_hours(
        self, pick: int, evening: tuple[int, int], days: int, keep: bool, give_up: bool, dry_run: bool
    ) -> None:
        """Some evenings from today on, or none any more."""
        name, today = self._one_of(pick), self.model.now // DAY
        extra = (Extra(today, today + days, *evening),) if keep else ()
        room = replace(self.model.rooms[name], extra=extra)
        self._change_room(name, room, {"extra_hours": for_a_time(room)}, give_up, dry_run)

    @rule(pick=st.integers(0, 20), buffer=st.sampled_from([0, HOUR]), dry_run=st.booleans())
    def change_buffer(self, pick: int, buffer: int, dry_run: bool) -> None:
        """What is booked keeps the one that it has."""
        name = self._one_of(pick)
        room = replace(self.model.rooms[name], buffer=buffer)
        self._change_room(name, room, {"buffer_minutes": buffer // 60}, give_up=False, dry_run=dry_run)

    @precondition(lambda self: self.booked_evenings())
    @rule(pick=st.integers(0, 20), give_up=st.sampled_from([False, False, True]), dry_run=st.booleans())
    def cut_short_what_is_booked(self, pick: int, give_up: bool, dry_run: bool) -> None:
        """Refused while live bookings do not fit, until they are named."""
        booked = self.booked_evenings()
        name, room = booked[pick % len(booked)]
        self._change_room(name, room, {"hours": week(room)}, give_up, dry_run)

    def booked_evenings(self) -> list[tuple[str, Room]]:
        """Rooms with hours that would leave somebody without a place."""
        shorter = [
            (name, replace(room, opens=opens, closes=closes))
            for name, room in self.model.rooms.items()
            for opens, closes in ((OPENS, 15 * HOUR), (12 * HOUR, CLOSES))
        ]
        return [(name, room) for name, room in shorter if self.model.unfit_in(name, room)]

    def _one_of(self, pick: int) -> str:
        return sorted(self.model.rooms)[pick % len(self.model.rooms)]

    def _change_room(self, name: str, room: Room, fields: dict[str, Any], give_up: bool, dry_run: bool) -> None:
        same = room == self.model.rooms[name]
        unfit = frozenset() if same else frozenset(self.model.unfit_in(name, room))
        cancels = tuple(sorted(unfit)) if give_up else ()
        command = places.ChangeRoom(room=name, **fields, cancels=cancels)
        if dry_run:
            self._lists(command, unfit, give_up)
            return
        answer = self.ask(command, STAFF)
        refused = unfit and not give_up
        rules = frozenset({"bookings_do_not_fit"}) if refused else frozenset()
        self.agrees("change_room", answer, rules, (STAFF.id, command), unfit if refused else frozenset())
        if refused or same:
            return
        assert _cancelled(answer) == unfit
        self.model.rooms[name] = room
        self.model.end(set(unfit), "cancelled")
        self.model.wrote(1 + len(unfit))

    @rule(pick=st.integers(0, 20), give_up=st.booleans(), dry_run=st.sampled_from([False, False, True]))
    def split_or_merge(self, pick: int, give_up: bool, dry_run: bool) -> None:
        """The court becomes its halves, or they the court; now and then it is given up for nothing, or opened anew."""
        if "court" in self.model.rooms:
            self._replace(("court",), HALVES if pick % 5 else {}, give_up, dry_run)
        elif "east" in self.model.rooms:
            self._replace(("east", "west"), WHOLE, give_up, dry_run)
        else:
            self._open_the_court()

    @precondition(lambda self: "court" in self.model.rooms)
    @rule(target=Staff.bookings, person=people, wait=st.integers(0, 9), give_up=st.sampled_from([False, False, True]))
    def split_under_whoever_has_both_halves(self, person: str, wait: int, give_up: bool) -> Made:
        """Which is the same as asking for them and staff's change of mind."""
        start = (self.model.now // HOUR + 1 + wait) * HOUR
        made = self._request(person, Place("court", "羽毛球", 2, start, start + HOUR))
        if self.split_leaves_out():
            self._replace(("court",), HALVES, give_up, dry_run=False)
        return made

    @precondition(lambda self: self.split_leaves_out())
    @rule(give_up=st.sampled_from([False, False, True]))
    def split_what_the_halves_cannot_serve(self, give_up: bool) -> None:
        """Refused while live bookings have no place in either, until they are named."""
        self._replace(("court",), HALVES, give_up, dry_run=False)

    def split_leaves_out(self) -> bool:
        """Whether somebody has both halves of the court, or it would be too narrow with the buffer of the one."""
        return "court" in self.model.rooms and bool(self.model.rehoused(("court",), HALVES, set())[1])

    def _replace(self, retire: tuple[str, ...], into: dict[str, Room], give_up: bool, dry_run: bool) -> None:
        _, unfit = self.model.rehoused(retire, into, set())
        named = unfit if give_up else set()
        homes, unfit = self.model.rehoused(retire, into, named)
        opened = tuple(NewRoom(room=name, definition=self.definition(name, room)) for name, room in into.items())
        command = places.ReplaceRooms(retire=retire, open=opened, cancels=tuple(sorted(named)))
        if dry_run:
            self._lists(command, frozenset(unfit), give_up)
            return
        answer = self.ask(command, STAFF)
        refused = bool(unfit - named)
        rules = frozenset({"bookings_do_not_fit"}) if refused else frozenset()
        self.agrees("replace_rooms", answer, rules, (STAFF.id, command), frozenset(unfit) if refused else frozenset())
        if refused:
            return
        told = msgspec.json.decode(answer.body)
        assert {moved["booking"]: moved["room"] for moved in told["moved"]} == homes
        assert _cancelled(answer) == unfit
        self.model.replace_rooms(retire, into, homes)
        self.model.end(unfit, "cancelled")
        self.model.wrote(len(retire) + len(into) + len(homes) + len(unfit))

    def _open_the_court(self) -> None:
        """A room that was given up is a new one when it is opened again."""
        command = places.OpenRoom(room="court", definition=self.definition("court", WHOLE["court"]))
        assert self.ask(command, STAFF).outcome is Outcome.DONE
        self.model.rooms |= WHOLE
        self.model.wrote(1)

    def _lists(self, command: Command, unfit: frozenset[str], give_up: bool) -> None:
        """A dry run says what the command would do, and nothing is written."""
        counted["places", "dry run"] += 1
        answer = self.ask(command, STAFF, dry_run=True)
        if unfit and not give_up:
            assert answer.outcome is Outcome.REFUSED
            (reason,) = msgspec.json.decode(answer.body)["reasons"]
            assert set(reason["bookings"]) == unfit
        else:
            assert answer.outcome is Outcome.DONE
            assert _cancelled(answer) == unfit


def _cancelled(answer: Answer) -> set[str]:
    return set(msgspec.json.decode(answer.body)["cancelled"])

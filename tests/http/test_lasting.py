"""What never changes is read once; what is new is found when it is first asked for."""

import pytest
from tests.http.conftest import ZONE, Served

from booking.places.decide import OpenRoom
from booking.places.events import RoomDefinition, Use
from booking.takes import Take
from linyue.lasting import Lasting
from projections.reading import Reader

pytestmark = pytest.mark.asyncio


async def test_the_zone_and_a_rooms_station_are_read_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = Lasting(served.parts[0].reader)
    first = await lasting.zone(), await lasting.station_of("painting"), await lasting.station_of("hall")
    monkeypatch.delattr(Reader, "of")
    assert first == (await lasting.zone(), await lasting.station_of("painting"), await lasting.station_of("hall"))
    assert first == (ZONE, "wanyuan", "gulong")


async def test_a_room_that_was_opened_since_is_found(served: Served) -> None:
    lasting = Lasting(served.parts[0].reader)
    assert await lasting.station_of("new") is None
    use = Use(use="书画", takes=(Take(resource="floor"),))
    definition = RoomDefinition(name="新", station="wanyuan", space="create", uses=(use,))
    opened = await served.ask(OpenRoom(room="new", definition=definition))
    await served.level(opened.position)
    assert await lasting.station_of("new") == "wanyuan"

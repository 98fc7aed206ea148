"""What there is to be booked, as anybody may read it."""

import pytest
from tests.http.conftest import Served

from booking.local_time import Hours
from booking.places.decide import ChangeRoom
from booking.places.events import RoomDefinition, Use
from booking.takes import Take

pytestmark = pytest.mark.asyncio


async def test_stations_are_listed_with_their_spaces(served: Served) -> None:
    answer = await served.get(None, "stations", 17)
    body = answer.json()
    assert answer.headers["X-Log-Position"] == str(body["position"])
    assert (body["next"], len(body["items"])) == (None, 2)
    assert body["items"][0] == {
        "id": "wanyuan",
        "name": "万源一居",
        "power": "创新创造力",
        "theme": "青春智慧",
        "spaces": [{"id": "create", "name": "星创造"}],
    }


async def test_a_room_says_its_uses_its_hours_and_whether_its_figures_are_samples(served: Served) -> None:
    (tribe,) = (await served.get(None, "rooms", 17, query={"use": "桌球"})).json()["items"]
    assert {name: tribe[name] for name in ("id", "name", "station", "space", "sample")} == {
        "id": "tribe",
        "name": "活力·星部落",
        "station": {"id": "wanyuan", "name": "万源一居"},
        "space": {"id": "create", "name": "星创造"},
        "sample": True,
    }
    assert tribe["uses"] == [
        {"use": use, "units": units, "slot_minutes": 60, "approval": False, "takes": [{"resource": of, "units": 1}]}
        for use, units, of in (("乒乓球", 3, "tables"), ("桌球", 1, "billiard"))
    ]
    assert tribe["extra_hours"] == []
    assert tribe["open"] == [{"weekday": day, "from": "09:00", "to": "21:00"} for day in range(1, 8)]


async def test_a_room_with_hours_of_its_own_shows_those(served: Served) -> None:
    definition = RoomDefinition(
        name="墨香文化坊",
        station="gulong",
        space="poem",
        uses=(Use(use="书画", takes=(Take(resource="ink"),)),),
        hours=(Hours(weekday=6, opens="10:00", closes="12:00"),),
    )
    changed = await served.ask(ChangeRoom.to("ink", definition))
    rooms = (await served.get(None, "rooms", changed.position, query={"station": "gulong"})).json()["items"]
    assert {room["id"]: room["open"] for room in rooms}["ink"] == [{"weekday": 6, "from": "10:00", "to": "12:00"}]


async def test_rooms_of_a_station_that_is_not_there_are_not_found(served: Served) -> None:
    """Not none: whoever mistypes a name would take a station for one without rooms."""
    nowhere = await served.get(None, "rooms", query={"station": "nowhere"})
    assert (nowhere.status_code, nowhere.json()["detail"]) == (404, "没有这个站点。")
    nothing = await served.get(None, "rooms", query={"station": "wanyuan", "use": "潜水"})
    assert (nothing.status_code, nothing.json()["items"]) == (200, [])
    too_long = await served.get(None, "rooms", query={"station": "x" * 65})
    assert (too_long.status_code, too_long.json()["field"]) == (400, "station")

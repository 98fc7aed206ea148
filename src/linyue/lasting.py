"""What never changes of a subdistrict, so that a process reads it once: its time zone, and each room's station."""

from zoneinfo import ZoneInfo

from projections import availability
from projections.reading import Reader


class Lasting:
    """Remembers what it has read. A room that is opened later is read when it is first asked for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._zone: ZoneInfo | None = None
        self._stations: dict[str, str] = {}

    async def zone(self) -> ZoneInfo:
        """The subdistrict's time zone. Raises `NotBuilt` or `NotOpened`."""
        if self._zone is None:
            async with self._reader.of(availability.NAME) as snapshot:
                self._zone = await availability.zone(snapshot)
        return self._zone

    async def station_of(self, room: str) -> str | None:
        """The station of a room, which it never leaves; None where there is no such room. Raises `NotBuilt`."""
        if room not in self._stations:
            async with self._reader.of(availability.NAME) as snapshot:
                self._stations |= {found.id: found.station.id for found in await availability.rooms(snapshot)}
        return self._stations.get(room)

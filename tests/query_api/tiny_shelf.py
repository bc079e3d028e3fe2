"""Lamps and days of parcels for queries to read."""

from typing import Any

from infrastructure.view_registry import Build
from tests.support.shelf import NOW, Shelf
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY
from tests.support.tiny.lamp_details import LampDetails
from tests.support.tiny.parcel_days import ParcelDay


class TinyShelf(Shelf):
    """The documents of the tiny domain's views."""

    def __init__(self, store: Any) -> None:
        super().__init__(store, TINY.views)

    async def lamp(self, lamp_id: str, position: int, *, build: Build | None = None, **changes: Any) -> None:
        """A lamp as of a position, which is also the one that it was installed at unless `changes` says otherwise."""
        await self.write(LAMP_DETAILS, [(lamp_id, position, _lamp(lamp_id, position, **changes))], build)

    async def lamps(self, *lamps: tuple[str, int], build: Build | None = None, **changes: Any) -> None:
        """Several at once: id and position."""
        rows = [(lamp_id, position, _lamp(lamp_id, position, **changes)) for lamp_id, position in lamps]
        await self.write(LAMP_DETAILS, rows, build)

    async def day(self, day: int, position: int, build: Build | None = None) -> None:
        """A day's figures; the number of parcels sent is the day of the month."""
        text = f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"
        await self.write(PARCEL_DAYS, [(text, position, ParcelDay(day, day % 100, 1, day, NOW))], build)


def _lamp(lamp_id: str, position: int, **changes: Any) -> LampDetails:
    fields = {
        "lamp_id": lamp_id,
        "room": "hall",
        "watts": 40,
        "status": "off",
        "installed_at": NOW,
        "updated_at": NOW,
        "version": 0,
        "installed_position": position,
    }
    return LampDetails(**{**fields, **changes})

"""The system projections together: which there are, which run."""

import asyncio
from collections.abc import Iterable

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.projections.definitions import DEFINITIONS
from embedded.event_store_node.projections.projection import SystemProjection


class UnknownProjectionError(Exception):
    """There is no projection of this name."""


class Projections:
    """
    The projections of one log. All are disabled until a client enables them, which is remembered over restarts;
    with `start_standard`, all are enabled at each start. For the event loop's thread.
    """

    def __init__(self, writer: Writer, reader: Reader, broker: Broker, start_standard: bool = False) -> None:
        self._start_standard = start_standard
        self._by_name = {
            definition.name: SystemProjection(definition, writer, reader, broker) for definition in DEFINITIONS
        }

    def __getitem__(self, name: str) -> SystemProjection:
        """
        Raises:
            UnknownProjectionError: there is none of this name.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownProjectionError(name) from None

    def all(self) -> Iterable[SystemProjection]:
        return self._by_name.values()

    async def start(self) -> None:
        """Run those that are enabled."""
        for projection in self.all():
            if self._start_standard and not projection.settings.enabled:
                await projection.enable()
            else:
                await projection.start()

    async def close(self) -> None:
        """Finish what is in hand; the log must still be writable."""
        await asyncio.gather(*(projection.stop() for projection in self.all()))

    async def restart(self) -> None:
        """Stop all, then start those that are enabled again."""
        await self.close()
        for projection in self.all():
            await projection.start()

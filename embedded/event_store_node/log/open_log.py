"""The log as a running node has it: the file held, one reader, one writer, and the broker from it to subscribers."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.directory_lock import DataDirectoryError
from embedded.event_store_node.log.integrity import IntegrityCheck
from embedded.event_store_node.log.log import Log
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.writer import Writer


class OpenLog:
    """
    The log in `directory`, without one in a temporary directory, until `close`.

    Raises:
        DataDirectoryError: the directory is in use, foreign or damaged.
    """

    def __init__(self, directory: Path | None) -> None:
        self._database = Database(directory)
        self.directory = self._database.directory
        self._integrity_check: IntegrityCheck | None = None
        try:
            self._connections = [self._database.connect(cache_mib=16), self._database.connect(cache_mib=32)]
            self.reader = Reader(self._connections[0])
            self.broker = Broker(self.reader.last_position())
            self.writer = Writer(Log(self._connections[1]), self.broker.publish)
        except sqlite3.Error as error:
            self._database.close()
            raise DataDirectoryError(f"{self.directory} cannot be read: {error}") from error

    def connect(self) -> sqlite3.Connection:
        """One more connection, for what is read beside the work."""
        return self._database.connect(cache_mib=2)

    def check(self, on_damage: Callable[[str], None]) -> None:
        """Begin to look through the whole file, unless that was done when it was opened."""
        if not self._database.is_checked:
            self._integrity_check = IntegrityCheck(self.connect(), on_damage)

    async def end_check(self) -> None:
        """Give up what is not looked through yet."""
        if self._integrity_check:
            await self._integrity_check.close()

    async def close(self) -> None:
        """Commit what waits to be written, then let go of the file."""
        await self.writer.close()
        for connection in self._connections:
            connection.close()
        self._database.close()

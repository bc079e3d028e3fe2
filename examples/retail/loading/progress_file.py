"""How far an interrupted load came, so that `--resume` sends only the rest."""

import heapq
import os
from pathlib import Path

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """Every basket with an ordinal in `skip` .. `next` - 1 is done; whether later ones are is not known."""

    skip: int
    next: int


class ProgressFile:
    """Keeps in a file the ordinal up to which every basket is done, without a gap."""

    WRITE_EVERY = 256

    def __init__(self, path: Path, skip: int, start: int) -> None:
        self._path = path
        self._skip = skip
        self._next = start
        self._unwritten = 0
        self._ahead: list[int] = []

    def done(self, ordinal: int) -> None:
        """A basket is done; the file is written again after every WRITE_EVERY baskets."""
        heapq.heappush(self._ahead, ordinal)
        while self._ahead and self._ahead[0] == self._next:
            heapq.heappop(self._ahead)
            self._next += 1
            self._unwritten += 1
        if self._unwritten >= self.WRITE_EVERY:
            self.write()

    def write(self) -> None:
        """Write the file; a reader sees the old one or the new one, never a part."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(Progress(self._skip, self._next)))
        os.replace(temporary, self._path)
        self._unwritten = 0

    @staticmethod
    def resume_at(path: Path, skip: int) -> int:
        """The ordinal to go on with: that of the file when it belongs to a load from the same basket, else `skip`."""
        try:
            progress = msgspec.json.decode(path.read_bytes(), type=Progress)
        except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
            return skip
        return progress.next if progress.skip == skip else skip

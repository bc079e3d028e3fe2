"""The tree's folder, as c2sp.org/tlog-tiles lays it out: tiles of hashes, bundles of entries, the newest checkpoint.

    checkpoint              the signed note; the only file that is replaced
    tile/L/NNN              256 hashes of the tree's level 8·L; NNN.p/W has the first W of a tile that is not full yet
    tile/entries/NNN        the 256 entries of a tile of level 0, each with its length in two bytes before it

A file is written beside its place and moved there, so that it is there whole or not at all; the checkpoint comes last.
What a crash leaves beyond the checkpoint is written again, with the same content.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from infrastructure.evidence.verifier import NotProven

WIDTH = 256
HASH_BYTES = 32
_LENGTH_BYTES = 2

Level = int | str


class FolderBusy(Exception):
    """Another process extends the tree in this folder."""


class Tiles:
    """Reads raise NotProven where the folder does not have what a checkpoint says that it has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._dirty: set[Path] = set()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """For the block, no other process extends the tree. Raises FolderBusy, OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderBusy(f"another process extends the tree in {self.folder}") from None
            yield

    def checkpoint(self) -> str | None:
        """The newest signed checkpoint; None when there is none yet."""
        try:
            return (self.folder / "checkpoint").read_text("utf-8")
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise NotProven(f"{self.folder / 'checkpoint'} is no text") from error

    def write_checkpoint(self, note: str) -> None:
        """All that was written before is on disk when the checkpoint is."""
        self._sync_folders()
        self._write(self.folder / "checkpoint", note.encode())
        self._sync_folders()

    def hashes(self, level: int, index: int, width: int) -> list[bytes]:
        """The first `width` hashes of a tile."""
        raw = self._read(level, index, width)
        return [raw[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]

    def write_hashes(self, level: int, index: int, hashes: Sequence[bytes]) -> None:
        """A tile, full or partial."""
        self._write(self._path(level, index, len(hashes)), b"".join(hashes))

    def entries(self, index: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle."""
        raw = self._read("entries", index, width)
        at, found = 0, list[bytes]()
        while len(found) < width:
            length = int.from_bytes(raw[at : at + _LENGTH_BYTES], "big")
            at += _LENGTH_BYTES + length
            if not length or at > len(raw):
                raise NotProven(f"{self._path('entries', index, width)} is damaged")
            found.append(raw[at - length : at])
        return found

    def write_entries(self, index: int, entries: Sequence[bytes]) -> None:
        """A bundle, full or partial."""
        raw = b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)
        self._write(self._path("entries", index, len(entries)), raw)

    def remove_partial(self, level: Level, index: int, width: int) -> None:
        """A partial tile of an earlier checkpoint, which a larger one now stands for."""
        path = self._path(level, index, width)
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are in it
            path.parent.rmdir()

    def _read(self, level: Level, index: int, width: int) -> bytes:
        """From any file that begins with what is asked for: a partial tile may have grown, or been filled, since."""
        path = self._path(level, index, width)
        partial = self._path(level, index, 1).parent
        larger = (one for one in partial.glob("*") if one.name.isdecimal() and int(one.name) > width)
        for candidate in (self._path(level, index, WIDTH), path, *larger):
            try:
                raw = candidate.read_bytes()
            except FileNotFoundError:
                continue
            if level != "entries" and (len(raw) % HASH_BYTES or len(raw) < width * HASH_BYTES):
                raise NotProven(f"{candidate} is damaged")
            return raw
        raise NotProven(f"{path} is missing")

    def _path(self, level: Level, index: int, width: int) -> Path:
        groups = [f"{index % 1000:03}"]
        while index := index // 1000:
            groups.append(f"x{index % 1000:03}")
        path = self.folder / "tile" / str(level) / Path(*reversed(groups))
        return path if width == WIDTH else path.with_name(path.name + ".p") / str(width)

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(path.name + ".new")
        with written.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
        folder = path.parent
        while folder != self.folder.parent and folder not in self._dirty:
            self._dirty.add(folder)
            folder = folder.parent

    def _sync_folders(self) -> None:
        for folder in self._dirty:
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._dirty.clear()

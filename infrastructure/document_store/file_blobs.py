"""Documents in a folder: one file each, that nobody needs to write any more, named by the document's SHA-256."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from infrastructure.document_store.port import (
    AlteredDocument,
    DocumentStoreUnavailable,
    NoSuchDocument,
    check_digest,
    is_digest,
)


class FileBlobs:
    """See BlobStore. Below the folder `root`, which is made when it is needed; several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, digest: str, content: bytes, *, replace: bool = False) -> bool:
        """Written beside its place, synced, then moved there."""
        return await asyncio.to_thread(self._write, self.path_of(digest), content, replace)

    async def read(self, digest: str) -> bytes:
        return await asyncio.to_thread(self._read, self.path_of(digest))

    async def remove(self, digest: str) -> None:
        await asyncio.to_thread(self._remove, self.path_of(digest))

    async def digests(self) -> AsyncIterator[str]:
        """A folder at a time."""
        for folder in await asyncio.to_thread(self._folders):
            for name in await asyncio.to_thread(_names, folder):
                yield name

    async def close(self) -> None:
        """It holds nothing open."""

    def path_of(self, digest: str) -> Path:
        """Where a document stands; the first two digits name the folder."""
        check_digest(digest)
        return self._root / digest[:2] / f"{digest}.pdf"

    def _write(self, path: Path, content: bytes, replace: bool) -> bool:
        try:
            was_there = path.exists()
            if was_there and not replace:
                # It may be there because of somebody who has not synced it yet.
                _sync(path)
                _sync(path.parent)
                return False
            _make_folder(path.parent)
            _write(path, content)
        except OSError as error:
            raise DocumentStoreUnavailable(f"the document {path.stem} can't be written: {_why(error)}") from error
        return not was_there

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise NoSuchDocument(f"there is no document {path.stem}") from None
        except (IsADirectoryError, NotADirectoryError) as error:
            raise AlteredDocument(f"the document {path.stem} is no file any more: {_why(error)}") from error
        except OSError as error:
            raise DocumentStoreUnavailable(f"the document {path.stem} can't be read: {_why(error)}") from error

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _sync(path.parent)
        except OSError as error:
            raise DocumentStoreUnavailable(f"the document {path.stem} can't be removed: {_why(error)}") from error

    def _folders(self) -> list[Path]:
        try:
            return sorted(one for one in self._root.iterdir() if one.is_dir()) if self._root.exists() else []
        except OSError as error:
            raise DocumentStoreUnavailable(f"{self._root} can't be read: {_why(error)}") from error


def _names(folder: Path) -> Iterator[str]:
    try:
        found = sorted(os.listdir(folder))
    except OSError as error:
        raise DocumentStoreUnavailable(f"{folder} can't be read: {_why(error)}") from error
    return iter([stem for name in found if is_digest(stem := name.removesuffix(".pdf"))])


def _make_folder(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in missing:
        _sync(one.parent)


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".unfinished-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o400)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    return error.strerror or str(error)

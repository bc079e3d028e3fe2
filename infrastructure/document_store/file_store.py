"""Documents in a folder: one file each, that nobody needs to write any more, named by its SHA-256."""

import asyncio
import os
import tempfile
from pathlib import Path

from infrastructure.document_store.port import (
    AlteredDocument,
    DocumentStoreUnavailable,
    NoSuchDocument,
    check_digest,
    digest_of,
    verified,
)


class FileDocumentStore:
    """Below the folder `root`, which is made when it is needed; several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, content: bytes) -> str:
        """As DocumentStore says: written beside its place, synced, then moved there, so that a reader finds all of it
        or nothing."""
        digest = digest_of(content)
        await asyncio.to_thread(self._put, digest, content)
        return digest

    async def get(self, digest: str) -> bytes:
        """As DocumentStore says."""
        check_digest(digest)
        return await asyncio.to_thread(self._get, digest)

    def path_of(self, digest: str) -> Path:
        """Where a document stands; the first two digits name the folder. Raises ValueError for what is no SHA-256."""
        check_digest(digest)
        return self._root / digest[:2] / f"{digest}.pdf"

    def _put(self, digest: str, content: bytes) -> None:
        path = self.path_of(digest)
        try:
            if path.exists():
                verified(digest, path.read_bytes())
                # It may be there because of somebody who has not synced it yet.
                _sync(path)
                _sync(path.parent)
                return
            _make_folder(path.parent)
            _write(path, content)
        except OSError as error:
            raise DocumentStoreUnavailable(f"the document {digest} can't be written: {_why(error)}") from error

    def _get(self, digest: str) -> bytes:
        path = self.path_of(digest)
        try:
            return verified(digest, path.read_bytes())
        except FileNotFoundError:
            raise NoSuchDocument(f"there is no document {digest}") from None
        except (IsADirectoryError, NotADirectoryError) as error:
            raise AlteredDocument(f"the document {digest} is no file any more: {_why(error)}") from error
        except OSError as error:
            raise DocumentStoreUnavailable(f"the document {digest} can't be read: {_why(error)}") from error


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

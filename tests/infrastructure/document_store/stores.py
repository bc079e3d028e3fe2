"""The adapters that the contract suites run over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infrastructure.document_store import BlobStore
from infrastructure.document_store.file_blobs import FileBlobs
from tests.support.memory_blobs import MemoryBlobs


@pytest.fixture(params=["file", "memory"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    """An empty store."""
    made: BlobStore = MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path / "documents")
    yield made
    await made.close()

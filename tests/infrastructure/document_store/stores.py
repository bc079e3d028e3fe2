"""The adapters that the contract suites run over."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infrastructure.document_store import BlobStore
from infrastructure.document_store.file_blobs import FileBlobs
from infrastructure.document_store.s3_blobs import S3Blobs
from infrastructure.resilience import Policy
from infrastructure.resilience.limits import Limits
from tests.support.memory_blobs import MemoryBlobs
from tests.support.ports import free_port
from tests.support.s3 import S3Server, s3_missing


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """With an empty bucket; each test takes a prefix of its own."""
    if missing := s3_missing():
        pytest.skip(missing)
    server = S3Server(tmp_path_factory.mktemp("s3"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["file", "memory", "s3"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    """An empty store."""
    made: BlobStore
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        made = S3Blobs(server.bucket(secrets.token_hex(8)), Policy("documents", Limits(timeout=60)))
    else:
        made = MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path / "documents")
    yield made
    await made.close()

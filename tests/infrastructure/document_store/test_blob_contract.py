"""What every adapter that keeps the bytes of documents does."""

import asyncio

import pytest

from infrastructure.document_store import BlobStore, NoSuchDocument
from tests.infrastructure.document_store.stores import blobs, s3_server

__all__ = ["blobs", "s3_server"]

A, B = "a" * 64, "b" * 64


async def test_what_was_written_is_read(blobs: BlobStore) -> None:
    for content in (b"", bytes(range(256)) * 5_000):
        await blobs.write(A, content, replace=True)
        assert await blobs.read(A) == content
    with pytest.raises(NoSuchDocument, match="there is no document bbbb"):
        await blobs.read(B)


async def test_what_is_there_stays_unless_it_is_to_be_replaced(blobs: BlobStore) -> None:
    assert await blobs.write(A, b"first")
    assert not await blobs.write(A, b"second")
    assert await blobs.read(A) == b"first"
    await blobs.write(A, b"third", replace=True)
    assert await blobs.read(A) == b"third"


async def test_of_many_writers_at_once_one_is_read(blobs: BlobStore) -> None:
    contents = [b"%d" % number * 1_000 for number in range(12)]
    await asyncio.gather(*(blobs.write(A, content) for content in contents))
    assert await blobs.read(A) in contents


async def test_what_is_removed_is_gone(blobs: BlobStore) -> None:
    await blobs.write(A, b"first")
    await blobs.remove(A)
    await blobs.remove(A)
    with pytest.raises(NoSuchDocument):
        await blobs.read(A)
    assert await blobs.write(A, b"second")


async def test_all_that_is_kept_is_listed(blobs: BlobStore) -> None:
    assert [one async for one in blobs.digests()] == []
    expected = {f"{number:02x}" * 32 for number in range(0, 256, 17)}
    for digest in expected:
        await blobs.write(digest, b"x")
    assert {one async for one in blobs.digests()} == expected


@pytest.mark.parametrize("digest", ["", "A" * 64, "../" + "a" * 61])
async def test_what_is_no_digest_names_nothing(blobs: BlobStore, digest: str) -> None:
    for call in (blobs.read(digest), blobs.write(digest, b""), blobs.remove(digest)):
        with pytest.raises(ValueError, match="is no SHA-256"):
            await call

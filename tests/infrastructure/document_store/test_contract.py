"""What every document store does: the encrypting one over each adapter, and the one in memory that other tests rely
on."""

import asyncio

import pytest

from infrastructure.document_store import (
    AlteredDocument,
    BlobStore,
    DocumentStore,
    EncryptedDocuments,
    ForgottenDocument,
    ForgottenSubject,
    NoSuchDocument,
    digest_of,
)
from tests.infrastructure.document_store.stores import blobs, s3_server
from tests.support.memory_blobs import MemoryBlobs
from tests.support.memory_documents import MemoryDocumentStore
from tests.support.memory_keys import memory_keys

__all__ = ["blobs", "s3_server"]

ADA = "customer/ada"


@pytest.fixture
def store(blobs: BlobStore) -> EncryptedDocuments:
    return EncryptedDocuments(blobs, memory_keys())


async def test_what_was_put_comes_back_to_the_byte(store: EncryptedDocuments) -> None:
    for made in (store, MemoryDocumentStore()):
        stores: DocumentStore = made
        for content in (b"", b"%PDF-1.7", bytes(range(256)) * 5_000):
            digest = await stores.put(content, ADA)
            assert digest == digest_of(content)
            assert await stores.get(digest) == content


async def test_putting_it_again_changes_nothing(store: EncryptedDocuments) -> None:
    digests = await asyncio.gather(*(store.put(b"the same", ADA) for _ in range(20)))
    assert set(digests) == {digest_of(b"the same")}
    kept = await store.blobs.read(digests[0])
    await store.put(b"the same", ADA)
    assert await store.blobs.read(digests[0]) == kept
    assert await store.get(digests[0]) == b"the same"


async def test_there_is_no_such_document(store: EncryptedDocuments) -> None:
    for made in (store, MemoryDocumentStore()):
        with pytest.raises(NoSuchDocument, match="there is no document aaaa"):
            await made.get("a" * 64)


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "a" * 64 + "\n", "../" + "a" * 61, "/etc/passwd"])
async def test_what_is_no_digest_names_nothing(store: EncryptedDocuments, digest: str) -> None:
    for made in (store, MemoryDocumentStore()):
        with pytest.raises(ValueError, match="is no SHA-256"):
            await made.get(digest)


async def test_a_document_that_was_altered_is_told_and_never_served(store: EncryptedDocuments) -> None:
    digest = await store.put(b"the contract", ADA)
    kept = await store.blobs.read(digest)
    # Every byte in memory, a sample where each is a request.
    step = 1 if isinstance(store.blobs, MemoryBlobs) else 17
    altered = [kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :] for at in range(0, len(kept), step)]
    for blob in (*altered, kept[:-1], kept + b"!", b"", kept[:21], b"the contrac"):
        await store.blobs.write(digest, blob, replace=True)
        with pytest.raises(AlteredDocument, match=f"the document {digest} was altered"):
            await store.get(digest)
    with pytest.raises(AlteredDocument):
        await store.put(b"the contract", ADA)


async def test_one_document_in_the_place_of_another_is_told(store: EncryptedDocuments) -> None:
    first, second = await store.put(b"first", ADA), await store.put(b"second", ADA)
    await store.blobs.write(first, await store.blobs.read(second), replace=True)
    with pytest.raises(AlteredDocument):
        await store.get(first)


async def test_nothing_of_a_document_is_kept_in_clear(store: EncryptedDocuments) -> None:
    digest = await store.put(b"Ada Lovelace " * 100, ADA)
    assert b"Lovelace" not in await store.blobs.read(digest)
    assert not await store.is_in_clear(digest)


async def test_once_the_key_is_destroyed_nobody_can_read_it(blobs: BlobStore) -> None:
    keys = memory_keys()
    store = EncryptedDocuments(blobs, keys)
    mine, others = await store.put(b"of Ada", ADA), await store.put(b"of Bob", "customer/bob")
    await keys.destroy(ADA, await keys.current(ADA))
    with pytest.raises(ForgottenDocument, match="customer/ada is forgotten"):
        await store.get(mine)
    assert await store.get(others) == b"of Bob"
    with pytest.raises(ForgottenSubject):
        await store.put(b"another of Ada", ADA)
    # What is damaged is told also then.
    kept = await blobs.read(mine)
    await blobs.write(mine, kept[:-40] + b"!" * 8 + kept[-32:], replace=True)
    with pytest.raises(AlteredDocument):
        await store.get(mine)


async def test_what_was_kept_in_clear_before_is_read_and_encrypted_when_it_is_put_again(
    store: EncryptedDocuments,
) -> None:
    digest = digest_of(b"the contract")
    await store.blobs.write(digest, b"the contract")
    assert await store.get(digest) == b"the contract"
    assert await store.is_in_clear(digest)
    await store.put(b"the contract", ADA)
    assert not await store.is_in_clear(digest)
    assert await store.get(digest) == b"the contract"


async def test_encrypting_what_was_kept_in_clear(blobs: BlobStore) -> None:
    keys = memory_keys()
    store = EncryptedDocuments(blobs, keys)
    digest = digest_of(b"the contract")
    await blobs.write(digest, b"the contract")
    assert await store.encrypt(digest, ADA) == "encrypted"
    assert await store.encrypt(digest, ADA) == "already"
    assert await store.get(digest) == b"the contract"
    await blobs.write(digest, b"the contracT", replace=True)
    with pytest.raises(AlteredDocument):
        await store.encrypt(digest, ADA)
    await blobs.write(digest, b"the contract", replace=True)
    await keys.destroy(ADA, 1)
    assert await store.encrypt(digest, ADA) == "removed"
    with pytest.raises(NoSuchDocument):
        await store.get(digest)

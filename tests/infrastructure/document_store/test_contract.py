"""What every document store does; over each adapter, and over the one in memory that other tests rely on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.document_store import AlteredDocument, NoSuchDocument, digest_of
from infrastructure.document_store.file_store import FileDocumentStore
from tests.support.memory_documents import MemoryDocumentStore

Alter = Callable[[str, bytes], None]


@pytest.fixture(params=["file", "memory"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Alter]:
    """A store, and what puts something else into the place of a document."""
    if request.param == "memory":
        memory = MemoryDocumentStore()
        return memory, memory.documents.__setitem__
    files = FileDocumentStore(tmp_path / "documents")

    def alter(digest: str, content: bytes) -> None:
        files.path_of(digest).chmod(0o600)
        files.path_of(digest).write_bytes(content)

    return files, alter


async def test_what_was_put_comes_back_to_the_byte(made: tuple[Any, Alter]) -> None:
    store, _ = made
    for content in (b"", b"%PDF-1.7", bytes(range(256)) * 5_000):
        digest = await store.put(content)
        assert digest == digest_of(content)
        assert await store.get(digest) == content


async def test_putting_it_again_changes_nothing(made: tuple[Any, Alter]) -> None:
    store, _ = made
    digests = await asyncio.gather(*(store.put(b"the same") for _ in range(20)))
    assert set(digests) == {digest_of(b"the same")}
    assert await store.get(digests[0]) == b"the same"


async def test_there_is_no_such_document(made: tuple[Any, Alter]) -> None:
    store, _ = made
    with pytest.raises(NoSuchDocument, match="there is no document aaaa"):
        await store.get("a" * 64)


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "a" * 64 + "\n", "../" + "a" * 61, "/etc/passwd"])
async def test_what_is_no_digest_names_nothing(made: tuple[Any, Alter], digest: str) -> None:
    store, _ = made
    with pytest.raises(ValueError, match="is no SHA-256"):
        await store.get(digest)


@pytest.mark.parametrize("altered", [b"the contracT", b"the contrac", b"the contract!", b""])
async def test_a_document_that_was_altered_is_told_and_never_served(made: tuple[Any, Alter], altered: bytes) -> None:
    store, alter = made
    digest = await store.put(b"the contract")
    alter(digest, altered)
    with pytest.raises(AlteredDocument, match=f"the document {digest} was altered"):
        await store.get(digest)
    with pytest.raises(AlteredDocument):
        await store.put(b"the contract")

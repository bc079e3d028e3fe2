"""Documents in files: how they come to the disk, and what is said of a disk that takes none."""

import os
from pathlib import Path
from typing import Any

import pytest

from infrastructure.document_store import AlteredDocument, DocumentStoreUnavailable, EncryptedDocuments, document_store
from infrastructure.document_store.file_blobs import FileBlobs
from infrastructure.settings import Settings

A = "a" * 64


def files_in(root: Path) -> list[Path]:
    return [one for one in root.rglob("*") if one.is_file()]


async def test_it_is_synced_before_it_stands_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, move = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        done.append("sync folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "sync file")
        sync(descriptor)

    def replace(source: Any, target: Any) -> None:
        done.append("move")
        move(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    store = FileBlobs(tmp_path)
    await store.write(A, b"the contract")
    assert [one for one in done if one != "sync folder"] == ["sync file", "move"]
    assert done[-1] == "sync folder"
    (file,) = files_in(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("step", ["fsync", "replace"])
async def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    store = FileBlobs(tmp_path)
    await store.write("a" * 63 + "b", b"another, so that its folder is there")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(DocumentStoreUnavailable, match="can't be written: No space left on device"):
            await store.write(A, b"the contract")
    assert len(files_in(tmp_path)) == 1
    assert await store.write(A, b"the contract")
    assert await store.read(A) == b"the contract"


async def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "documents").write_bytes(b"")
    store = FileBlobs(tmp_path / "documents")
    with pytest.raises(DocumentStoreUnavailable):
        await store.write(A, b"the contract")


async def test_a_folder_in_the_place_of_a_document(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    store.path_of(A).mkdir(parents=True)
    with pytest.raises(AlteredDocument, match="is no file any more"):
        await store.read(A)


def test_the_settings_name_it(tmp_path: Path) -> None:
    assert document_store(Settings()) is None
    assert isinstance(found := document_store(Settings.of(document_store=f"file:{tmp_path}")), EncryptedDocuments)
    assert isinstance(found.blobs, FileBlobs)

"""Keys, signed checkpoints, and the tree's growth with a log: step by step, after crashes, against another log."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.evidence.checkpointing import extend, newest_checkpoint
from infrastructure.evidence.findings import Contradiction
from infrastructure.evidence.signing import InvalidKey, Signer
from infrastructure.evidence.tiles import FolderBusy, Tiles
from infrastructure.evidence.tree import Edge, Tree
from infrastructure.evidence.verifier import Checkpoint, NotProven, VerifierKey, open_checkpoint
from tests.infrastructure.evidence.auditable_log import AuditableLog, report_of

SIGNER = Signer.new("shop.example/log")

# Made with golang.org/x/mod/sumdb/note: its example key, and what it signs with it.
GO_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_example_of_gos_signed_notes(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(GO_KEY)
    signer = Signer.read(tmp_path / "key")
    assert signer.verifier.encode() == GO_VERIFIER
    assert VerifierKey.decode(GO_VERIFIER) == signer.verifier
    # The signature holds; what is signed is no checkpoint.
    with pytest.raises(NotProven, match="no checkpoint"):
        open_checkpoint(GO_NOTE, signer.verifier)
    with pytest.raises(NotProven, match="does not hold"):
        open_checkpoint(GO_NOTE.replace("think", "thinK"), signer.verifier)


def test_a_key_file_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        SIGNER.write(tmp_path / "key")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert Signer.read(tmp_path / "key").verifier == SIGNER.verifier
    with pytest.raises(FileExistsError):
        SIGNER.write(tmp_path / "key")


@pytest.mark.parametrize("text", ["", "PRIVATE+KEY+a+00+xx", GO_VERIFIER, GO_KEY.replace("c74f20a3", "c74f20a4")])
def test_what_is_no_key_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(InvalidKey) as refused:
        Signer.read(tmp_path / "key")
    assert "AYEKFALV" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "x" * 101, "a\nb"])
def test_a_name_that_no_note_can_carry_is_refused(name: str) -> None:
    with pytest.raises(InvalidKey, match="name"):
        Signer.new(name)


@given(st.integers(0, 10**17), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_as_it_was_signed(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(SIGNER.verifier.name, size, root)
    assert open_checkpoint(SIGNER.sign(checkpoint), SIGNER.verifier) == checkpoint


@given(st.data())
def test_no_changed_note_is_taken(data) -> None:
    note = SIGNER.sign(Checkpoint(SIGNER.verifier.name, 17, bytes(range(32))))
    at = data.draw(st.integers(0, len(note) - 1))
    changed = note[:at] + data.draw(st.text(max_size=2)) + note[at + 1 :]
    if changed == note:
        return
    try:
        assert open_checkpoint(changed, SIGNER.verifier) == open_checkpoint(note, SIGNER.verifier)
    except NotProven:
        return
    assert changed.splitlines()[:3] == note.splitlines()[:3]  # only what no signature covers: the line's end


def test_a_note_of_another_key_is_not_taken() -> None:
    note = SIGNER.sign(Checkpoint("shop.example/log", 1, bytes(32)))
    with pytest.raises(NotProven, match="not signed by"):
        open_checkpoint(note, Signer.new("shop.example/log").verifier)


@settings(deadline=None, max_examples=40)
@given(steps=st.lists(st.integers(0, 300), min_size=1, max_size=5), crashes=st.lists(st.integers(0, 12), max_size=5))
async def test_it_grows_with_the_log_whatever_crashes(
    steps: list[int], crashes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tiles, log, crash_at = Tiles(tmp_path_factory.mktemp("tree")), AuditableLog(), iter(crashes)
    for step in steps:
        await log.write("a-1", step) if step else None
        crash = next(crash_at, None)
        if crash is not None:
            with pytest.MonkeyPatch.context() as patch:
                _crash_at_write(patch, crash)
                before = newest_checkpoint(tiles, SIGNER.verifier)
                try:
                    await extend(log, tiles, SIGNER)
                except _Crashed:
                    now = newest_checkpoint(tiles, SIGNER.verifier)
                    assert now == before or now.size == len(log.log)
                    assert Tree(tiles, now.size).edge().root() == now.root
        before, after = await extend(log, tiles, SIGNER)
        assert after.size == len(log.log)
        assert Tree(tiles, after.size).edge().root() == after.root
        assert (await report_of(log, tiles, SIGNER)).finding is None
    _, again = await extend(log, tiles, SIGNER)
    assert again == after


class _Crashed(Exception):
    pass


def _crash_at_write(patch: pytest.MonkeyPatch, at: int) -> None:
    """The process ends at one of its writes: before it, or with a half of it beside its place."""
    write, left = Tiles._write, [at]

    def crashing(self: Tiles, path: Path, content: bytes) -> None:
        if left[0] == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(path.name + ".new").write_bytes(content[: len(content) // 2])
            raise _Crashed
        left[0] -= 1
        write(self, path, content)

    patch.setattr(Tiles, "_write", crashing)


async def test_an_empty_log_has_a_checkpoint_too(tmp_path: Path) -> None:
    before, after = await extend(AuditableLog(), Tiles(tmp_path), SIGNER)
    assert before == after == Checkpoint("shop.example/log", 0, Edge().root())
    assert newest_checkpoint(Tiles(tmp_path), SIGNER.verifier) == after


async def test_a_log_that_contradicts_the_last_checkpoint_gets_none(tmp_path: Path) -> None:
    tiles, log = Tiles(tmp_path), AuditableLog()
    await log.write("a-1", 300)
    await extend(log, tiles, SIGNER)
    kept = tiles.checkpoint()
    await log.write("a-1", 3)
    last = log.log[299]
    for tampered, kind in (
        (AuditableLog([*log.log[:299], replace(last, data=b"else"), *log.log[300:]]), "altered"),
        (AuditableLog([*log.log[:299], *log.log[300:]]), "removed"),
        (AuditableLog(log.log[:280]), "removed"),
        (AuditableLog(), "removed"),
    ):
        with pytest.raises(Contradiction) as refused:
            await extend(tampered, tiles, SIGNER)
        assert refused.value.finding.kind == kind
        assert tiles.checkpoint() == kept


async def test_a_tree_that_is_not_the_checkpoints_is_not_extended(tmp_path: Path) -> None:
    tiles, log = Tiles(tmp_path), AuditableLog()
    await log.write("a-1", 3)
    await extend(log, tiles, SIGNER)
    (tmp_path / "tile/0/000.p/3").write_bytes(bytes(96))
    with pytest.raises(NotProven, match="not that of its checkpoint"):
        await extend(log, tiles, SIGNER)
    with pytest.raises(NotProven, match="not signed by"):
        await extend(log, tiles, Signer.new("shop.example/log"))


async def test_one_process_at_a_time_extends_the_tree(tmp_path: Path) -> None:
    with Tiles(tmp_path).alone(), pytest.raises(FolderBusy):
        await extend(AuditableLog(), Tiles(tmp_path), SIGNER)

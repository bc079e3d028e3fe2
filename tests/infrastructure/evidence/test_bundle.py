"""A bundle of evidence holds on its own, for a stranger with Python alone, and nothing in it can be changed."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infrastructure.document_store import digest_of
from infrastructure.evidence.bundle import NamedDocument, bundle
from infrastructure.evidence.bundle_checker import check_bundle, lines_of, read_bundle
from infrastructure.evidence.chain import head_after, linked
from infrastructure.evidence.checkpointing import extend
from infrastructure.evidence.log_proofs import LogProofs
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.verifier import NotProven
from tests.infrastructure.evidence.auditable_log import AuditableLog, new_event

SIGNER = Signer.new("shop.example/log")
KEY = SIGNER.verifier
PDF, SEALED = b"%PDF-1.7 the contract", b"%PDF-1.7 the contract, sealed"


class Shop:
    """An order and a contract, among other streams, in a log with a signed tree."""

    def __init__(self, folder: Path) -> None:
        self.log, self.tiles = AuditableLog(), Tiles(folder)

    async def sign(self) -> None:
        await extend(self.log, self.tiles, SIGNER)
        (self.tiles.folder / "verifier.key").write_text(KEY.encode())

    async def names(self, **digests: str) -> None:
        """The contract's next event."""
        history = [event for event in self.log.log if event.stream == "contract-o-1"]
        new, _ = linked("contract-o-1", head_after(None, history), [new_event(json.dumps(digests).encode())])
        await self.log.append("contract-o-1", len(history) - 1, new)

    async def bundle(self, *documents: NamedDocument) -> bytes:
        proofs = LogProofs(self.tiles.folder)
        streams = {}
        for stream in ("order-o-1", "contract-o-1"):
            streams[stream] = await proofs.of([event for event in self.log.log if event.stream == stream])
        return bundle("order o-1", list(documents), streams)


CONTRACT = NamedDocument("contract.pdf", digest_of(PDF), PDF)
WITH_SEAL = NamedDocument("contract-sealed.pdf", digest_of(SEALED), SEALED)


@pytest.fixture
async def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path / "audit")
    await made.log.write("other-1", 300)
    await made.log.write("order-o-1", 3)
    await made.names(document_sha256=digest_of(PDF))
    await made.names(document_sha256=digest_of(PDF), sealed_sha256=digest_of(SEALED), certificate_sha256="c" * 64)
    await made.sign()
    return made


def files_of(made: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def altered(files: dict[str, bytes], name: str, content: bytes) -> dict[str, bytes]:
    """With another content, and a manifest that says so."""
    manifest: dict[str, Any] = json.loads(files["manifest.json"])
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    return {**files, name: content, "manifest.json": json.dumps(manifest).encode()}


async def test_a_bundle_holds_and_the_same_content_gives_the_same_bytes(shop: Shop) -> None:
    made = await shop.bundle(CONTRACT, WITH_SEAL)
    assert made == await shop.bundle(CONTRACT, WITH_SEAL)
    checked = check_bundle(files_of(made), KEY)
    assert [proof.stream for proof in checked.proofs] == ["contract-o-1", "order-o-1"]
    assert len(checked.documents) == 2
    lines = "\n".join(lines_of(checked))
    assert "documents/contract.pdf is the document that contract-o-1, revision 0 (Happened) names" in lines


async def test_a_stranger_with_python_alone_checks_it(shop: Shop, tmp_path: Path) -> None:
    """No library, none of this tree, no network: the standard library alone."""
    made = await shop.bundle(CONTRACT, WITH_SEAL)
    unpacked, packed = tmp_path / "unpacked", tmp_path / "evidence.zip"
    packed.write_bytes(made)
    zipfile.ZipFile(packed).extractall(unpacked)
    (unpacked / "cryptography.py").write_text("raise ImportError('there is none')")
    (unpacked / "infrastructure.py").write_text("raise ImportError('there is none')")

    def check(*arguments: str, key: str = KEY.encode()) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "check.py", *arguments, "--key", key]
        return subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=False, env={})

    for arguments in ((), (str(packed),)):
        found = check(*arguments)
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.count("proven: ") == 4
    assert "is not signed by" in check(key=Signer.new("another.example/log").verifier.encode()).stderr
    (unpacked / "documents" / "contract.pdf").write_bytes(PDF + b"!")
    found = check()
    assert (found.returncode, found.stdout) == (1, "")
    assert "not proven: documents/contract.pdf is not what the manifest says: it was altered" in found.stderr


async def test_nothing_in_it_can_be_changed(shop: Shop) -> None:
    files = files_of(await shop.bundle(CONTRACT, WITH_SEAL))
    for name in files:
        with pytest.raises(NotProven):
            check_bundle({**files, name: files[name][:-9] + b"!" + files[name][-8:]}, KEY)
    with pytest.raises(NotProven, match="is not the document that contract-o-1, revision 0"):
        check_bundle(altered(files, "documents/contract.pdf", b"%PDF another"), KEY)
    proof = files["proofs/contract-o-1.json"].replace(digest_of(PDF).encode(), digest_of(b"%PDF another").encode())
    with pytest.raises(NotProven, match="was altered"):
        check_bundle(altered(files, "proofs/contract-o-1.json", proof), KEY)
    without = {name: content for name, content in files.items() if name != "documents/contract.pdf"}
    with pytest.raises(NotProven, match=r"documents/contract.pdf is not in the bundle"):
        check_bundle(without, KEY)
    with pytest.raises(NotProven, match="the manifest does not name it"):
        check_bundle({**files, "documents/more.pdf": PDF}, KEY)
    with pytest.raises(NotProven, match="is the proof of order-o-1"):
        check_bundle(altered(files, "proofs/contract-o-1.json", files["proofs/order-o-1.json"]), KEY)


async def test_a_document_that_no_event_names_and_one_that_was_left_out(shop: Shop) -> None:
    other = NamedDocument("other.pdf", digest_of(b"%PDF other"), b"%PDF other")
    with pytest.raises(NotProven, match="no event of the proofs names the SHA-256"):
        check_bundle(files_of(await shop.bundle(CONTRACT, WITH_SEAL, other)), KEY)
    with pytest.raises(NotProven, match="is not in the bundle"):
        check_bundle(files_of(await shop.bundle(CONTRACT)), KEY)


async def test_of_who_is_forgotten_it_says_so(shop: Shop) -> None:
    gone = [NamedDocument(one.file, one.digest, None) for one in (CONTRACT, WITH_SEAL)]
    checked = check_bundle(files_of(await shop.bundle(*gone)), KEY)
    assert (len(checked.documents), len(checked.forgotten)) == (0, 2)
    assert "can't be read any more, as its person is forgotten: documents/contract.pdf" in "\n".join(lines_of(checked))


async def test_what_no_checkpoint_covers_yet(shop: Shop, tmp_path: Path) -> None:
    await shop.log.write("order-o-1", 2)
    checked = check_bundle(files_of(await shop.bundle(CONTRACT, WITH_SEAL)), KEY)
    assert checked.not_covered == 2
    assert lines_of(checked)[-1] == "not proven: 2 later events, which no checkpoint covers yet"
    another = NamedDocument("certificate-of-completion.pdf", digest_of(b"%PDF done"), b"%PDF done")
    await shop.names(completion_sha256=another.digest)
    made = await shop.bundle(CONTRACT, WITH_SEAL, another)
    with pytest.raises(NotProven, match="named by an event that no checkpoint covers yet: ask for a newer bundle"):
        check_bundle(files_of(made), KEY)
    await shop.sign()
    assert len(check_bundle(files_of(await shop.bundle(CONTRACT, WITH_SEAL, another)), KEY).documents) == 3
    unsigned = Shop(tmp_path / "none")
    unsigned.log = shop.log
    with pytest.raises(NotProven, match="the bundle has no proof"):
        check_bundle(files_of(await unsigned.bundle(CONTRACT, WITH_SEAL, another)), KEY)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip", b'{"format": 1}'])
def test_what_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "it.zip").write_bytes(content)
    with pytest.raises(NotProven, match="can't be read as a bundle"):
        read_bundle(tmp_path / "it.zip")
    for files in (
        {},
        {"manifest.json": content},
        {"manifest.json": b'{"format": "eventfold/evidence/v1", "files": 3}'},
    ):
        with pytest.raises(NotProven):
            check_bundle(files, KEY)


def test_a_folder_whose_manifest_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"../secret": "0" * 64}}))
    with pytest.raises(NotProven, match="outside of the bundle"):
        read_bundle(tmp_path)

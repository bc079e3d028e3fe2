"""`eventfold documents encrypt`, `forget` and `evidence`, and what `audit verify` says of documents, on a real node."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from application import APPLICATION
from domain.customers.events import CustomerForgotten
from domain.documents.events import ContractRendered
from infrastructure.document_store import EncryptedDocuments, digest_of
from infrastructure.document_store.file_blobs import FileBlobs
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import EventStore
from infrastructure.personal_data import PersonalKeys, make_master_key, personal_keys
from infrastructure.settings import Settings
from ops.cli import main
from tests.support.contracts import RENDERED
from tests.support.decider import NOON
from tests.support.services import node_uri, start_node

CONTENTS = {order: f"%PDF-1.7 the contract of {order}".encode() for order in ("o-1", "o-2", "o-3")}
CUSTOMERS = {"o-1": "ada", "o-2": "bob", "o-3": "bob"}


def rendered(order: str) -> ContractRendered:
    return replace(RENDERED, order_id=order, customer_id=CUSTOMERS[order], document_sha256=digest_of(CONTENTS[order]))


async def write(uri: str, *events: tuple[str, Any]) -> None:
    store, codec = EventStore(uri), EventCodec(APPLICATION.aggregates)
    for stream, event in events:
        revisions = await store.read_newest(stream, 1)
        new = codec.encode(event, EventMetadata(), str(uuid.uuid4()))
        await store.append(stream, revisions[0].revision if revisions else -1, [new])
    await store.close()


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a node with three contracts, of whose customers one was forgotten between the second and the third."""
    loop = asyncio.new_event_loop()
    node = loop.run_until_complete(start_node(tmp_path_factory.mktemp("node")))
    events = [
        ("contract-o-1", rendered("o-1")),
        ("contract-o-2", rendered("o-2")),
        ("customer-bob", CustomerForgotten("bob", NOON)),
        ("contract-o-3", rendered("o-3")),
    ]
    loop.run_until_complete(write(node_uri(node.port), *events))
    yield node_uri(node.port)
    loop.run_until_complete(node.kill())
    loop.close()


class Kept:
    """A data directory with keys and documents, as `eventfold up` leaves one."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        make_master_key(data_dir / "keys" / "master.key")
        self.settings = Settings.of(
            key_store=f"file:{data_dir / 'keys' / 'keys.db'}", master_key_file=str(data_dir / "keys" / "master.key")
        )
        self.blobs = FileBlobs(data_dir / "documents")
        self.run(lambda _documents: self.keys().ping())  # which makes the key store

    def keys(self) -> PersonalKeys:
        return personal_keys(self.settings)

    def run(self, work: Any) -> Any:
        """What comes of a coroutine function over the documents."""

        async def with_documents() -> Any:
            documents = EncryptedDocuments(self.blobs, self.keys())
            try:
                return await work(documents)
            finally:
                await documents.close()

        return asyncio.run(with_documents())

    def put(self, order: str, *, in_clear: bool = False) -> None:
        content = CONTENTS[order]
        if in_clear:
            self.run(lambda documents: documents.blobs.write(digest_of(content), content))
        else:
            self.run(lambda documents: documents.put(content, f"customer/{CUSTOMERS[order]}"))

    def path(self, order: str) -> Path:
        return self.blobs.path_of(digest_of(CONTENTS[order]))


@pytest.fixture
def kept(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_URI", uri)
    monkeypatch.setenv("COLUMNS", "300")
    return Kept(tmp_path / "data")


def eventfold(kept: Kept, *arguments: str) -> int:
    return main([*arguments, "--data-dir", str(kept.data_dir)])


def test_what_was_kept_in_clear_is_encrypted_or_removed(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    for order in CONTENTS:
        kept.put(order, in_clear=True)
    nobodys = b"%PDF nobody's"
    kept.run(lambda documents: documents.blobs.write(digest_of(nobodys), nobodys))
    assert eventfold(kept, "audit", "verify") == 0
    assert "3 of them are kept in clear: `eventfold documents encrypt`" in capsys.readouterr().out
    assert eventfold(kept, "documents", "encrypt") == 0
    said = "2 documents encrypted, 1 removed, as their customers are forgotten; 1 that no event names left in clear"
    assert said in capsys.readouterr().out
    assert not kept.path("o-2").exists()
    assert b"contract of" not in kept.path("o-1").read_bytes()
    assert kept.run(lambda documents: documents.get(digest_of(CONTENTS["o-1"]))) == CONTENTS["o-1"]
    assert eventfold(kept, "documents", "encrypt", "--remove-unknown") == 0
    assert "0 documents encrypted, 0 removed, as their customers are forgotten; 1 that no event names removed" in (
        capsys.readouterr().out
    )
    kept.path("o-1").chmod(0o600)
    kept.path("o-1").write_bytes(b"%PDF-1.7 another")
    assert eventfold(kept, "documents", "encrypt") == 1
    assert "left as it is: the document" in capsys.readouterr().out


def test_audit_verify_names_the_document_and_its_event(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    for order in ("o-1", "o-2"):
        kept.put(order)
    blob = kept.path("o-1").read_bytes()
    kept.path("o-1").chmod(0o600)
    kept.path("o-1").write_bytes(blob[:-1] + b"!")
    assert eventfold(kept, "audit", "verify") == 1
    told = capsys.readouterr()
    assert "3 documents are named by events: 1 are as they were" in told.out
    assert "altered document of contract-o-1, revision 0 (ContractRendered " in told.out
    assert "missing document of contract-o-3, revision 0" in told.out
    assert eventfold(kept, "audit", "verify", "--json") == 1
    report = json.loads(capsys.readouterr().out)["documents"]
    assert (report["altered"], report["missing"], report["unknown"]) == (1, 1, 0)
    assert eventfold(kept, "audit", "verify", "--stream", "contract-o-2") == 0
    assert eventfold(kept, "audit", "verify", "--no-documents") == 0
    capsys.readouterr()
    kept.path("o-1").write_bytes(blob)
    kept.put("o-3")
    asyncio.run(destroyed(kept, "customer/bob"))
    assert eventfold(kept, "audit", "verify") == 0
    assert "1 are as they were, 2 can't be read any more, as their customers are forgotten" in capsys.readouterr().out


async def destroyed(kept: Kept, subject: str) -> None:
    keys = kept.keys()
    await keys.destroy(subject, await keys.current(subject))
    await keys.close()


def test_a_contracts_own_key_is_destroyed(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert eventfold(kept, "documents", "forget", "o-1") == 1
    assert "has no key of its own" in capsys.readouterr().err
    digest = kept.run(lambda documents: documents.put(CONTENTS["o-1"], "contract/o-1"))
    assert digest == digest_of(CONTENTS["o-1"])
    for order in ("o-2", "o-3"):
        kept.put(order)
    assert eventfold(kept, "documents", "forget", "o-1") == 0
    assert eventfold(kept, "audit", "verify") == 0
    assert "1 can't be read any more" in capsys.readouterr().out


def test_without_a_store_or_a_service_it_says_what_is_missing(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_URI", uri)
    assert main(["documents", "encrypt", "--data-dir", str(tmp_path)]) == 1
    assert "no document store is known" in capsys.readouterr().err

"""The evidence of an order over the query API: checkable, of oneself, and refused where something was altered."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from application import APPLICATION
from infrastructure.document_store import digest_of
from infrastructure.event_codec import EventMetadata
from infrastructure.evidence.bundle_checker import check_bundle
from infrastructure.evidence.checkpointing import extend
from infrastructure.evidence.log_proofs import LogProofs
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.verifier import NotProven
from tests.infrastructure.evidence.auditable_log import AuditableLog
from tests.support.contracts import COMPLETED, RENDERED, REQUESTED, SEALED, SIGNED, TO_SIGN
from tests.support.identities import ADA, BOB, OPERATOR, SERVICE, STAFF, STRANGER
from tests.support.in_process import InProcess, ask
from tests.support.memory_documents import MemoryDocumentStore
from tests.support.served import Reply

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

SIGNER = Signer.new("shop.example/log")
FILES = {
    "contract.pdf": b"%PDF the contract",
    "contract-sealed.pdf": b"%PDF the contract, sealed",
    "certificate-of-completion.pdf": b"%PDF who signed what",
}
DIGESTS = {name: digest_of(content) for name, content in FILES.items()}


class Shop(InProcess):
    """A contract with all its documents, and a signed tree over the log."""

    def __init__(self, folder: Path) -> None:
        super().__init__(APPLICATION)
        self.documents = MemoryDocumentStore()
        self.read_side.documents = self.documents
        self.read_side.audit = LogProofs(folder)
        self.folder = folder

    async def fill(self) -> None:
        contract, sealed, completion = DIGESTS.values()
        events = [
            REQUESTED,
            *(replace(one, document_sha256=contract) for one in (RENDERED, TO_SIGN, SIGNED)),
            replace(SEALED, document_sha256=contract, sealed_sha256=sealed),
            replace(COMPLETED, document_sha256=contract, completion_sha256=completion),
        ]
        encode = await self.codec.encoder("contract-o-1", events)
        for number, event in enumerate(events):
            new = encode(event, EventMetadata(actor="ada"), f"00000000-0000-0000-0000-{number:012}")
            await self.events.append("contract-o-1", number - 1, [new])
        for content in FILES.values():
            await self.documents.put(content, "customer/ada")
        await self.project()

    async def sign(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "verifier.key").write_text(SIGNER.verifier.encode())
        await extend(AuditableLog(self.events.log), Tiles(self.folder), SIGNER)

    async def get(self, order: str = "o-1", identity: object = ADA, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.queries, identity, "GET", f"/orders/{order}/evidence", headers=named)  # type: ignore[arg-type]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(tmp_path / "audit")
    await made.fill()
    yield made
    await made.close()


def files_of(reply: Reply) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_it_can_be_checked_and_is_the_same_until_something_comes(shop: Shop) -> None:
    await shop.sign()
    reply = await shop.get()
    assert (reply.status, reply.headers["content-type"]) == (200, "application/zip")
    assert reply.headers["content-disposition"] == 'attachment; filename="evidence-o-1.zip"'
    assert reply.headers["etag"] == f'"{digest_of(reply.body)}"'
    assert (await shop.get(If_None_Match=reply.headers["etag"])).status == 304
    part = await shop.get(Range="bytes=0-9", If_Range=reply.headers["etag"])
    assert (part.status, part.body) == (206, reply.body[:10])
    checked = check_bundle(files_of(reply), SIGNER.verifier)
    assert [proof.stream for proof in checked.proofs] == ["contract-o-1"]
    assert len(checked.documents) == 3
    assert {name: files_of(reply)[f"documents/{name}"] for name in FILES} == FILES


async def test_whose_it_is_decides(shop: Shop) -> None:
    for identity, status in ((ADA, 200), (STAFF, 200), (STRANGER, 403), (OPERATOR, 403), (SERVICE, 200)):
        assert (await shop.get(identity=identity)).status == status
    foreign, absent = await shop.get(identity=BOB), await shop.get("o-9", identity=BOB)
    assert (foreign.status, absent.status) == (404, 404)
    assert foreign.body.replace(b"o-1", b"o-9") == absent.body


async def test_without_a_signed_tree_it_says_that_nothing_is_proven(shop: Shop) -> None:
    reply = await shop.get()
    assert reply.status == 200
    assert "events/contract-o-1.json" in files_of(reply)
    with pytest.raises(NotProven, match="the bundle has no proof"):
        check_bundle(files_of(reply), SIGNER.verifier)


async def test_of_who_is_forgotten_it_has_the_proofs_and_no_documents(shop: Shop) -> None:
    await shop.sign()
    shop.documents.forgotten.add("customer/ada")
    reply = await shop.get(identity=STAFF)
    checked = check_bundle(files_of(reply), SIGNER.verifier)
    assert (len(checked.documents), len(checked.forgotten)) == (0, 3)
    assert not [name for name in files_of(reply) if name.startswith("documents/")]


async def test_where_a_document_or_the_log_was_altered_there_is_no_evidence(shop: Shop) -> None:
    await shop.sign()
    digest = DIGESTS["contract.pdf"]
    content = shop.documents.documents[digest]
    shop.documents.documents[digest] = content + b"!"
    reply = await shop.get()
    assert (reply.status, reply.json["type"]) == (500, "urn:eventfold:problem:document-altered")
    shop.documents.documents[digest] = content
    shop.events.log[2] = replace(shop.events.log[2], data=shop.events.log[2].data + b" ")
    reply = await shop.get()
    assert (reply.status, reply.json["type"]) == (500, "urn:eventfold:problem:not-proven")


async def test_while_a_store_is_away(shop: Shop) -> None:
    shop.documents.away = True
    assert (await shop.get()).status == 503
    shop.documents.away = False
    shop.events.away = True
    assert (await shop.get()).status == 503

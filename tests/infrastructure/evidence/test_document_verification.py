"""Every document that the log names is looked at, once, and each way of being wrong is named with its event."""

import json

from infrastructure.document_store import EncryptedDocuments, digest_of
from infrastructure.evidence.document_verification import verify_documents
from tests.infrastructure.evidence.auditable_log import AuditableLog, new_event
from tests.support.memory_blobs import MemoryBlobs
from tests.support.memory_keys import memory_keys


class Shop:
    def __init__(self) -> None:
        self.log, self.blobs, self.keys = AuditableLog(), MemoryBlobs(), memory_keys()
        self.documents = EncryptedDocuments(self.blobs, self.keys)

    async def names(self, order: str, **digests: str) -> None:
        stream = f"contract-{order}"
        last = sum(event.stream == stream for event in self.log.log) - 1
        await self.log.append(stream, last, [new_event(json.dumps(digests).encode())])

    async def contract(self, order: str, customer: str = "ada") -> tuple[str, str]:
        first, second = [
            await self.documents.put(f"{order} {kind}".encode(), f"customer/{customer}") for kind in ("plain", "sealed")
        ]
        await self.names(order, document_sha256=first)
        await self.names(order, document_sha256=first, sealed_sha256=second, certificate_sha256="c" * 64)
        return first, second


async def test_all_that_is_named_is_as_it_was() -> None:
    shop = Shop()
    for number in range(21):
        await shop.contract(f"o-{number}")
    await shop.log.write("other-1", 5)
    report = await verify_documents(shop.log, shop.documents)
    assert (report.named, report.intact, report.unknown, report.findings) == (42, 42, 0, [])
    assert report.holds


async def test_altered_missing_forgotten_in_clear_and_unknown() -> None:
    shop = Shop()
    altered, missing = await shop.contract("o-1")
    shop.blobs.blobs[altered] = shop.blobs.blobs[altered][:-1] + b"!"
    del shop.blobs.blobs[missing]
    await shop.contract("o-2", "bob")
    await shop.keys.destroy("customer/bob", 1)
    plain = digest_of(b"in clear")
    shop.blobs.blobs[plain] = b"in clear"
    await shop.names("o-3", document_sha256=plain)
    unknown = await shop.documents.put(b"nobody's", "customer/ada")
    report = await verify_documents(shop.log, shop.documents)
    assert (report.named, report.intact, report.forgotten, report.in_clear) == (5, 1, 2, 1)
    assert (report.unknown, report.unknown_digests) == (1, [unknown])
    assert not report.holds
    found = [(one.kind, one.digest, one.stream, one.revision) for one in report.findings]
    assert found == [("altered", altered, "contract-o-1", 0), ("missing", missing, "contract-o-1", 1)]


async def test_one_stream_alone() -> None:
    shop = Shop()
    await shop.contract("o-1")
    _, missing = await shop.contract("o-2")
    del shop.blobs.blobs[missing]
    report = await verify_documents(shop.log, shop.documents, stream="contract-o-1")
    assert (report.named, report.holds, report.unknown) == (2, True, None)
    assert not (await verify_documents(shop.log, shop.documents, stream="contract-o-2")).holds

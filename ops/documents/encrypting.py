"""Documents that releases before this one kept in clear: encrypted, or removed where their customers are forgotten."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

import msgspec
from msgspec import Struct

from application.contracts.subjects import SubjectOf
from domain.customers.events import CustomerForgotten
from infrastructure.document_store import AlteredDocument, EncryptedDocuments, NoSuchDocument
from infrastructure.event_store import StoredEvent
from infrastructure.evidence.named_documents import documents_named

Report = Callable[[str], None]

_FORGOTTEN = CustomerForgotten.__name__


class Log(Protocol):
    """See infrastructure.event_store.EventStore."""

    def read_all(self, after: int | None = ...) -> AsyncIterator[StoredEvent]: ...


class _Owner(Struct, frozen=True):
    order_id: str = ""
    customer_id: str = ""


async def encrypt_all(
    log: Log, documents: EncryptedDocuments, subject_of: SubjectOf, *, remove_unknown: bool, report: Report
) -> bool:
    """Whether all went well: False where a document was altered, which is named and left as it is. It may be repeated.

    A document of a customer who was forgotten after it was made is removed, also where they have come back since.
    """
    in_clear = {one async for one in _in_clear(documents)}
    owners: dict[str, str] = {}
    forgotten: set[str] = set()
    async for event in log.read_all() if in_clear else _nothing():
        if event.type == _FORGOTTEN:
            subject = subject_of(msgspec.json.decode(event.data, type=_Owner))
            forgotten |= {digest for digest, of in owners.items() if of == subject}
            continue
        for naming in documents_named(event):
            if naming.digest in in_clear and naming.digest not in owners:
                owners[naming.digest] = subject_of(msgspec.json.decode(event.data, type=_Owner))
    done, altered = await _carried_out(documents, owners, forgotten, report)
    unknown = in_clear - owners.keys()
    if remove_unknown:
        for digest in unknown:
            await documents.blobs.remove(digest)
    report(
        f"{done['encrypted']} documents encrypted, {done['removed']} removed, as their customers are forgotten; "
        f"{len(unknown)} that no event names {'removed' if remove_unknown else 'left in clear'}"
    )
    return not altered


async def _carried_out(
    documents: EncryptedDocuments, owners: Mapping[str, str], forgotten: set[str], report: Report
) -> tuple[Counter[str], int]:
    done: Counter[str] = Counter()
    altered = 0
    for digest, subject in owners.items():
        try:
            done[await documents.encrypt(digest, subject, forgotten=digest in forgotten)] += 1
        except AlteredDocument as error:
            altered += 1
            report(f"left as it is: {error}")
        except NoSuchDocument:
            pass  # somebody has removed it meanwhile
    return done, altered


async def _in_clear(documents: EncryptedDocuments) -> AsyncIterator[str]:
    async for digest in documents.blobs.digests():
        try:
            if await documents.is_in_clear(digest):
                yield digest
        except NoSuchDocument:
            continue


async def _nothing() -> AsyncIterator[StoredEvent]:
    events: tuple[StoredEvent, ...] = ()
    for event in events:
        yield event

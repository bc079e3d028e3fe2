"""Whether every document that an event names is in the store, as it was; and what is there that no event names.

Which digests were seen is remembered on disk, in a temporary database, so that memory is bounded whatever the log
holds.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from msgspec import Struct

from infrastructure.document_store import AlteredDocument, EncryptedDocuments, ForgottenDocument, NoSuchDocument
from infrastructure.event_store import StoredEvent
from infrastructure.evidence.named_documents import Naming, documents_named

MOST_LISTED = 1_000
_AT_ONCE = 8


class DocumentFinding(Struct, frozen=True):
    """A document that is `altered` or `missing`, and the first event that names it."""

    kind: str
    digest: str
    stream: str
    revision: int
    event_id: str
    event_type: str
    detail: str


class DocumentReport(Struct):
    """How many documents the log names, and what became of them. `in_clear` are kept without encryption, as releases
    before kept them. `unknown` are kept, and no event names them: those of a step that crashed, or of a log that is not
    this one; None where that was not looked for. Of findings and unknown digests the first 1,000 are listed."""

    named: int = 0
    intact: int = 0
    forgotten: int = 0
    in_clear: int = 0
    altered: int = 0
    missing: int = 0
    unknown: int | None = None
    findings: list[DocumentFinding] = []
    unknown_digests: list[str] = []

    @property
    def holds(self) -> bool:
        """Whether nothing is altered and nothing missing."""
        return not self.altered and not self.missing


class Log(Protocol):
    """See infrastructure.event_store.EventStore."""

    def read_all(self, after: int | None = ...) -> AsyncIterator[StoredEvent]: ...


async def verify_documents(log: Log, documents: EncryptedDocuments, *, stream: str | None = None) -> DocumentReport:
    """Goes once over the log and once over the store; with `stream`, over the documents of this stream alone.

    Raises EventStoreUnavailable, DocumentStoreUnavailable, and KeyStoreUnavailable where a key can't be looked up.
    """
    report = DocumentReport()
    with _seen() as seen:
        waiting: list[Naming] = []
        async for event in log.read_all():
            if stream is not None and event.stream != stream:
                continue
            waiting += [one for one in documents_named(event) if seen.add(one.digest)]
            if len(waiting) >= _AT_ONCE:
                await _check(documents, waiting, report)
                waiting = []
        await _check(documents, waiting, report)
        if stream is None:
            report.unknown = 0
            async for digest in documents.blobs.digests():
                if digest not in seen:
                    report.unknown += 1
                    if len(report.unknown_digests) < MOST_LISTED:
                        report.unknown_digests.append(digest)
    return report


async def _check(documents: EncryptedDocuments, namings: list[Naming], report: DocumentReport) -> None:
    for naming, (kind, detail, in_clear) in zip(
        namings, await asyncio.gather(*(_found(documents, one.digest) for one in namings)), strict=True
    ):
        report.named += 1
        report.in_clear += in_clear
        setattr(report, kind, getattr(report, kind) + 1)
        if detail and len(report.findings) < MOST_LISTED:
            report.findings.append(
                DocumentFinding(
                    kind, naming.digest, naming.stream, naming.revision, naming.event_id, naming.type, detail
                )
            )


async def _found(documents: EncryptedDocuments, digest: str) -> tuple[str, str, bool]:
    """The kind, what is wrong, and whether it is kept in clear."""
    try:
        return "intact", "", await documents.examine(digest)
    except ForgottenDocument:
        return "forgotten", "", False
    except AlteredDocument as error:
        return "altered", str(error), False
    except NoSuchDocument as error:
        return "missing", str(error), False


class _Seen:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, digest: str) -> bool:
        """Whether it is new."""
        row = (bytes.fromhex(digest),)
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", row).rowcount == 1

    def __contains__(self, digest: str) -> bool:
        row = (bytes.fromhex(digest),)
        return self._database.execute("SELECT 1 FROM seen WHERE digest = ?", row).fetchone() is not None


@contextmanager
def _seen() -> Iterator[_Seen]:
    database = sqlite3.connect("", isolation_level=None)  # a temporary file, gone with the connection
    try:
        database.execute("BEGIN")
        yield _Seen(database)
    finally:
        database.close()

"""The file of a document over the query API: whole, in ranges, known already, altered, missing, somebody else's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from application import APPLICATION
from domain.documents.contract import Status
from infrastructure.document_store import digest_of
from read_models.documents.contracts import CONTRACTS, ContractDocument
from tests.support.decider import NOON
from tests.support.identities import ADA, BOB, OPERATOR, SERVICE, STAFF, STRANGER
from tests.support.in_process import InProcess, ask
from tests.support.memory_documents import MemoryDocumentStore
from tests.support.served import Reply

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 4
DIGEST = digest_of(CONTENT)


class Shelf(InProcess):
    """A contract with its document, and one without."""

    def __init__(self) -> None:
        super().__init__(APPLICATION)
        self.documents = MemoryDocumentStore()
        self.read_side.documents = self.documents

    async def get(self, target: str = "/documents/o-1", identity: Any = ADA, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.queries, identity, "GET", target, headers=named)


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    made = Shelf()
    await made.documents.put(CONTENT, "customer/ada")
    await _contracts(made)
    yield made
    await made.close()


async def _contracts(made: Shelf) -> None:
    def contract(order_id: str, position: int, digest: str | None) -> Any:
        at = int(NOON.timestamp() * 1000)
        return ContractDocument(
            order_id, "ada", "USD", 439, Status.RENDERED, at, at, 1, position, current_sha256=digest
        )

    await made.shelf.prepare()
    await made.shelf.write(
        CONTRACTS, [("o-1", 10, contract("o-1", 10, DIGEST)), ("o-2", 20, contract("o-2", 20, None))]
    )
    await made.shelf.checkpoint(CONTRACTS, 20)


async def test_the_whole_file_with_its_digest_as_etag(shelf: Shelf) -> None:
    reply = await shelf.get()
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["content-type"] == "application/pdf"
    assert reply.headers["etag"] == f'"{DIGEST}"'
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert reply.headers["content-disposition"] == 'inline; filename="o-1.pdf"'
    assert reply.headers["cache-control"] == "private, no-cache"


async def test_known_already(shelf: Shelf) -> None:
    reply = await shelf.get(If_None_Match=f'"{DIGEST}"', Range="bytes=0-1")
    assert (reply.status, reply.body) == (304, b"")
    assert (await shelf.get(If_None_Match=f'"{"0" * 64}"')).status == 200


SIZE = len(CONTENT)


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=9-19", 9, 19),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes={SIZE - 1}-{SIZE * 9}", SIZE - 1, SIZE - 1),
        ("BYTES = 1-2", 1, 2),
    ],
)
async def test_a_range(shelf: Shelf, wanted: str, first: int, last: int) -> None:
    reply = await shelf.get(Range=wanted)
    assert (reply.status, reply.body) == (206, CONTENT[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert reply.headers["content-length"] == str(last - first + 1)
    whole = await shelf.get(Range=wanted, If_Range=f'"{"0" * 64}"')
    assert (whole.status, whole.body) == (200, CONTENT)
    assert (await shelf.get(Range=wanted, If_Range=f'"{DIGEST}"')).status == 206


@pytest.mark.parametrize("wanted", ["bytes=5-4", "bytes=0-1,3-4", "bytes=-", "lines=0-1", "bytes=a-b", "", "0-1"])
async def test_what_is_no_range_gives_the_whole(shelf: Shelf, wanted: str) -> None:
    reply = await shelf.get(Range=wanted)
    assert (reply.status, reply.body) == (200, CONTENT)


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
async def test_a_range_behind_the_end(shelf: Shelf, wanted: str) -> None:
    reply = await shelf.get(Range=wanted)
    assert (reply.status, reply.json["type"]) == (416, "urn:eventfold:problem:no-such-range")
    assert reply.headers["content-range"] == f"bytes */{SIZE}"


async def test_whose_it_is_decides(shelf: Shelf) -> None:
    for identity, status in ((ADA, 200), (STAFF, 200), (STRANGER, 403), (OPERATOR, 403), (SERVICE, 200)):
        assert (await shelf.get(identity=identity)).status == status
    foreign, absent = await shelf.get(identity=BOB), await shelf.get("/documents/o-9", identity=BOB)
    assert (foreign.status, absent.status) == (404, 404)
    assert foreign.body.replace(b"o-1", b"o-9") == absent.body
    assert foreign.headers == absent.headers


async def test_a_contract_without_a_document(shelf: Shelf) -> None:
    reply = await shelf.get("/documents/o-2")
    assert (reply.status, reply.json["code"]) == (404, "not-made-yet")
    foreign, absent = await shelf.get("/documents/o-2", identity=BOB), await shelf.get("/documents/o-9", identity=BOB)
    assert foreign.body.replace(b"o-2", b"o-9") == absent.body


async def test_a_document_that_was_altered_or_is_gone_is_told_and_never_served(shelf: Shelf) -> None:
    shelf.documents.documents[DIGEST] = CONTENT[:-1] + b"!"
    for headers in ({}, {"Range": "bytes=0-3"}):
        reply = await shelf.get(**headers)
        assert (reply.status, reply.json["type"]) == (500, "urn:eventfold:problem:document-altered")
        assert DIGEST in reply.json["detail"]
    del shelf.documents.documents[DIGEST]
    assert (await shelf.get()).json["type"] == "urn:eventfold:problem:document-missing"


async def test_a_document_of_a_customer_who_is_forgotten_is_gone(shelf: Shelf) -> None:
    shelf.documents.forgotten.add("customer/ada")
    for headers in ({}, {"Range": "bytes=0-3"}, {"If_None_Match": f'"{DIGEST}"'}):
        reply = await shelf.get(**headers)
        assert (reply.status, reply.json["code"]) == (410, "document-forgotten")
    assert (await shelf.get(identity=BOB)).status == 404


async def test_a_store_that_is_away(shelf: Shelf) -> None:
    shelf.documents.away = True
    reply = await shelf.get()
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    shelf.read_side.documents = None
    assert "EVENTFOLD_DOCUMENT_STORE is not set" in (await shelf.get()).json["detail"]


async def test_many_at_once(shelf: Shelf) -> None:
    replies = await asyncio.gather(*(shelf.get(Range=f"bytes={n}-{n}") for n in range(50)))
    assert b"".join(reply.body for reply in replies) == CONTENT[:50]

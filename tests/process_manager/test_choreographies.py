"""The chain of an order's contract over HTTP: read from the log, within bounds, with nothing personal in it."""

from typing import Any

import pytest

from application import APPLICATION
from domain.documents.events import ContractCustomerNotified
from domain.notifications.events import NotificationRequested, NotificationSent
from domain.ordering.events import Line, OrderConfirmed, OrderCreated
from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import ANY_REVISION, NewEvent
from infrastructure.http.service import create_app
from process_manager.choreographies.chains import ChainReader
from process_manager.http.choreographies import choreography_routes
from tests.support.bundled import CODEC, stream_of
from tests.support.contracts import DIGEST, RENDERED, REQUESTED, TO_SIGN
from tests.support.decider import NOON
from tests.support.identities import ADA, OPERATOR
from tests.support.in_process import ask, open_settings
from tests.support.memory_event_store import MemoryEventStore

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

PATH = "/choreographies/order_contract/instances/o-1"
EVENTS = [
    OrderCreated("o-1", "ada", "USD", [Line("tea", 1, 439, 0, 439)], 1, 439, NOON, NOON),
    OrderConfirmed("o-1", "ada", NOON),
    REQUESTED,
    RENDERED,
    TO_SIGN,
    NotificationRequested("o-1", "ada", "order-confirmed", "mail", "ada@example.com", "order-confirmed", NOON),
    NotificationRequested("o-1", "ada", "contract-to-sign", "mail", "ada@example.com", "contract-to-sign", NOON),
    NotificationSent("o-1", "contract-to-sign", "<1@shop>", 1, NOON),
    ContractCustomerNotified("o-1", "ada", DIGEST, "contract-to-sign", "<1@shop>", NOON),
]


class Told:
    """A log with some events, and what is told of it."""

    def __init__(self, max_events: int = 500) -> None:
        self.log = MemoryEventStore()
        reader = ChainReader(self.log, CODEC, APPLICATION.choreographies, max_events)
        self.app = create_app("x", choreography_routes(reader), {}, open_settings())

    async def add(self, *events: Any) -> None:
        for number, event in enumerate(events):
            stream = stream_of(event)
            metadata = EventMetadata(correlation_id="contract-o-1", causation_id=f"c-{number}", actor="contract_steps")
            encode = await CODEC.encoder(stream, [event])
            await self.log.append(stream, ANY_REVISION, [encode(event, metadata, f"id-{number}")])

    async def chain(self) -> Any:
        reply = await ask(self.app, OPERATOR, "GET", PATH)
        assert reply.status == 200, reply.body
        assert b"Lovelace" not in reply.body
        assert b"ada@example.com" not in reply.body
        return reply.json


async def test_every_step_is_told_with_its_cause_and_the_document_it_speaks_of() -> None:
    told = Told()
    await told.add(*EVENTS)
    chain = await told.chain()
    assert [(one["type"], one["cause"]) for one in chain["events"]] == [
        ("OrderConfirmed", None),
        ("ContractRequested", 0),
        ("ContractRendered", 1),
        ("SignatureRequested", 2),
        ("NotificationRequested", 3),
        ("NotificationSent", 4),
        ("ContractCustomerNotified", 5),
    ]
    assert chain["correlation_id"] == "contract-o-1"
    rendered = chain["events"][2]
    assert (rendered["stream"], rendered["revision"]) == ("contract-o-1", 1)
    assert (rendered["actor"], rendered["correlation_id"], rendered["causation_id"]) == (
        "contract_steps",
        "contract-o-1",
        "c-3",
    )
    assert rendered["facts"]["document_sha256"] == DIGEST
    assert chain["awaited"] == [
        {
            "what": "the customer's signature",
            "by": "the customer",
            "after": 3,
            "until": "2026-03-28T12:00:00Z",
        }
    ]
    assert (chain["incomplete"], chain["deleted"]) == ([], [])


async def test_what_has_no_contract_is_not_found() -> None:
    told = Told()
    await told.add(EVENTS[0])
    reply = await ask(told.app, OPERATOR, "GET", PATH)
    assert (reply.status, reply.json["detail"]) == (404, "no order_contract of 'o-1' has begun")
    reply = await ask(told.app, OPERATOR, "GET", "/choreographies/porch_light/instances/o-1")
    assert (reply.status, reply.json["detail"]) == (
        404,
        "there is no choreography 'porch_light'; there are order_contract",
    )
    reply = await ask(told.app, OPERATOR, "GET", "/choreographies")
    assert reply.json == {"choreographies": ["order_contract"]}


async def test_of_a_long_stream_the_beginning_is_told_and_that_there_is_more() -> None:
    told = Told(max_events=2)
    await told.add(*EVENTS)
    chain = await told.chain()
    assert chain["incomplete"] == ["contract-o-1", "notification-o-1"]
    assert [one["type"] for one in chain["events"]] == [
        *("OrderConfirmed", "ContractRequested", "ContractRendered", "NotificationRequested")
    ]


async def test_what_cannot_be_read_is_told_and_so_is_a_stream_that_was_deleted() -> None:
    told = Told()
    await told.add(*EVENTS[:4])
    await told.log.append("contract-o-1", ANY_REVISION, [NewEvent("id-x", "ContractFramed", b"{}", b"")])
    await told.log.append("contract-o-1", ANY_REVISION, [NewEvent("id-y", "ContractSigned", b"no JSON", b"{}")])
    told.log.tombstones.add("order-o-1")
    chain = await told.chain()
    assert chain["deleted"] == ["order-o-1"]
    framed, broken = chain["events"][-2:]
    assert (framed["type"], framed["cause"]) == ("ContractFramed", None)
    assert "ContractFramed" in framed["error"]
    assert "ContractSigned" in broken["error"]


async def test_it_is_for_operators_and_a_log_that_is_away_is_503() -> None:
    told = Told()
    await told.add(*EVENTS)
    assert (await ask(told.app, ADA, "GET", PATH)).status == 403
    told.log.away = True
    assert (await ask(told.app, OPERATOR, "GET", PATH)).status == 503

"""One order is one trace, over every service: asked of a collector of ours, and of a real Jaeger."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct

from examples.subscriber.webhook import WebhookSubscriber
from read_models.ordering.order_list import ORDER_LIST
from tests.end_to_end.saga_shop import SagaShop, running_saga_shop
from tests.support.jaeger import MISSING, Jaeger, jaeger_binary, running_jaeger
from tests.support.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver
from tests.support.services import until

# It tells the services apart by their names, and has a span for each call between them.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.many_processes]

SECRET = "a secret of the warehouse"
CLIENT = "00f067aa0ba902b7"
AT_ONCE, LATER = "4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736"
CUSTOMERS = {AT_ONCE: "ada", LATER: "settles-later-ada"}
"""The charge of the second one settles later: a webhook tells what came of it."""

PARTS = {
    ("eventfold-command-api", "PUT /orders/{order_id}"): "the request",
    ("eventfold-command-api", "PlaceOrder"): "the command",
    ("eventfold-command-api", "append order"): "its events",
    ("eventfold-projector", "process order_list"): "a view",
    ("eventfold-projector", f"bulkWrite {ORDER_LIST.collection}"): "its documents",
    ("eventfold-process-manager", "react order_fulfilment"): "the saga",
    ("eventfold-process-manager", "append order_fulfilment"): "what it decides",
    ("eventfold-process-manager", "step reserve"): "a step",
    ("eventfold-process-manager", "POST commands"): "its command",
    ("eventfold-command-api", "POST /stock/{stock_id}/reserve"): "taken by the command API",
    ("eventfold-process-manager", "step charge"): "another step",
    ("eventfold-consumers", "process payment_charging"): "the charge",
    ("eventfold-consumers", "POST payments"): "asked of the provider",
    ("eventfold-process-manager", "step confirm"): "the last step",
    ("eventfold-event-relay", "process relay_warehouse"): "the relay",
    ("eventfold-event-relay", "publish warehouse"): "tells others",
    ("eventfold-event-relay", "POST relay_warehouse"): "by a webhook",
    ("eventfold-consumers", "process notifying"): "the customer is told",
    ("eventfold-consumers", "send mail"): "by mail",
}


class Traced(Struct):
    """A shop in which both orders are confirmed, and where its spans have gone."""

    shop: SagaShop
    receiver: OtlpReceiver
    jaeger: Jaeger | None
    warehouse: WebhookSubscriber


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    folder, binary = tmp_path_factory.mktemp("traced"), jaeger_binary()
    async with AsyncExitStack() as stack:
        jaeger = None if binary is None else await stack.enter_async_context(running_jaeger(binary, folder))
        receiver = await stack.enter_async_context(otlp_receiver(None if jaeger is None else jaeger.otlp_url))
        warehouse = await stack.enter_async_context(WebhookSubscriber(SECRET.encode()).listening())
        destinations = {"EVENTFOLD_RELAY_DESTINATIONS": destinations_file(folder, warehouse.url)}
        shop = await stack.enter_async_context(running_saga_shop(folder, 60, {**receiver.environ, **destinations}))
        await shop.receive("apple", 100)
        for trace, customer in CUSTOMERS.items():
            await place(shop, customer, trace)

        async def all_told() -> bool:
            return len(await shop.sink.mails()) >= len(CUSTOMERS)

        await until(all_told, "both orders are confirmed, and the customers told", 120)

        async def all_received() -> bool:
            return all(not missing(receiver.spans, trace) and not strays(receiver.spans, trace) for trace in CUSTOMERS)

        try:
            await until(all_received, "the spans have come", 30)
        except AssertionError as error:
            left = {trace: (missing(receiver.spans, trace), strays(receiver.spans, trace)) for trace in CUSTOMERS}
            raise AssertionError(left) from error
        yield Traced(shop, receiver, jaeger, warehouse)


def destinations_file(folder: Path, url: str) -> str:
    (folder / "warehouse.secret").write_text(SECRET)
    file, types = folder / "destinations.toml", '["ordering.*"]'
    file.write_text(
        f'[[destinations]]\nname = "warehouse"\nkind = "webhook"\nurl = "{url}"\ntypes = {types}\n'
        'secret_file = "warehouse.secret"\ntimeout = 60\n'
    )
    return str(file)


async def place(shop: SagaShop, customer: str, trace: str) -> None:
    body = {
        "customer_id": customer,
        "currency": "EUR",
        "lines": [{"sku": "apple", "quantity": 2, "unit_price": 50}],
    }
    headers = {"traceparent": f"00-{trace}-{CLIENT}-01", "X-Correlation-ID": f"visit-{customer}"}
    shop.orders.append(f"o-{customer}")
    async with shop.http.put(f"{shop.commands.url}/orders/o-{customer}", json=body, headers=headers) as response:
        assert response.status == 201, await response.text()


def of_trace(spans: Iterable[ReceivedSpan], trace: str) -> list[ReceivedSpan]:
    """Its spans, and those that are linked to it, such as of batches with other orders' events."""
    return [span for span in spans if span.trace == trace or any(linked == trace for linked, _ in span.links)]


def missing(spans: Sequence[ReceivedSpan], trace: str) -> list[str]:
    """The parts of an order that its trace does not show; what a batch has done is shown by the batch's trace."""
    batches = {span.trace for span in of_trace(spans, trace)}
    found = {(span.service, span.name) for span in spans if span.trace in batches}
    return [f"{what}: {name} of {service}" for (service, name), what in PARTS.items() if (service, name) not in found]


def strays(spans: Iterable[ReceivedSpan], trace: str) -> list[ReceivedSpan]:
    """The spans of the trace whose parent is not there, but for the client's own; each process sends its own when it
    likes, so a child may come before its parent."""
    inside = {span.id: span for span in spans if span.trace == trace}
    return [span for span in inside.values() if span.parent not in inside and span.parent != CLIENT]


@pytest.mark.parametrize("trace", CUSTOMERS)
async def test_an_order_is_one_trace_from_the_request_to_the_mail(traced: Traced, trace: str) -> None:
    assert missing(traced.receiver.spans, trace) == []
    spans = {span.id: span for span in traced.receiver.spans if span.trace == trace}
    # What was placed, decided, charged and told is in the order's own trace; of batches alone there are links.
    inside = {(span.service, span.name) for span in spans.values()}
    assert {one for one in PARTS if one[0] != "eventfold-projector"} <= inside

    async def hangs_together() -> bool:
        return not strays(traced.receiver.spans, trace)

    await until(hangs_together, "each span's parent is there, up to the client's own", 30)


async def test_what_the_provider_tells_later_is_linked_to_the_order(traced: Traced) -> None:
    webhooks = traced.receiver.named("POST /payment-webhooks")
    kept = [one for one in webhooks if one.attributes["eventfold.webhook.outcome"] == "kept"]
    assert {one.attributes["eventfold.webhook.kind"] for one in kept} == {"charge.succeeded"}
    reactions = traced.receiver.named("react order_fulfilment", LATER)
    assert {one.trace for one in kept} & {linked for one in reactions for linked, _ in one.links}


async def test_who_takes_an_event_can_go_on_with_its_trace(traced: Traced) -> None:
    placed = [one for one in traced.warehouse.taken if one.type == "ordering.order-placed.v1"]
    assert {str(one.traceparent).split("-")[1] for one in placed} == set(CUSTOMERS), "the trace of the event"
    sent = {header.split("-")[2] for header in traced.warehouse.traces if header}
    calls = {one.id for one in traced.receiver.named("POST relay_warehouse")}
    assert sent, "the header is of the call that brings it"
    assert sent <= calls


async def test_spans_have_the_names_of_the_conventions(traced: Traced) -> None:
    (request,) = traced.receiver.named("PUT /orders/{order_id}", AT_ONCE)
    assert (request.kind, request.parent) == ("SERVER", CLIENT)
    assert request.attributes["http.route"] == "/orders/{order_id}"
    assert request.attributes["http.response.status_code"] == 201
    (append,) = traced.receiver.named("append order", AT_ONCE)[:1]
    assert (append.kind, append.attributes["db.system.name"]) == ("CLIENT", "eventstoredb")
    write = traced.receiver.named(f"bulkWrite {ORDER_LIST.collection}")[0]
    assert (write.kind, write.attributes["db.system.name"]) == ("CLIENT", "mongodb")
    view = traced.receiver.named("process order_list")[0]
    assert (view.kind, view.attributes["messaging.operation.type"]) == ("CONSUMER", "process")
    assert {span.resource["service.version"] for span in traced.receiver.spans} == {request.resource["service.version"]}
    processes = {(span.resource["service.instance.id"], span.service) for span in traced.receiver.spans}
    assert len({instance for instance, _ in processes}) == len(processes)


async def test_no_span_says_where_a_mail_goes_or_what_it_says(traced: Traced) -> None:
    mails = await traced.shop.sink.mails()
    told = repr([span.attributes for span in traced.receiver.spans])
    assert mails
    assert "@" not in told
    assert "Dear " not in told


async def test_health_has_no_spans(traced: Traced) -> None:
    assert not [span for span in traced.receiver.spans if "/health" in span.name or "/metrics" in span.name]


@pytest.mark.skipif(jaeger_binary() is None, reason=MISSING)
async def test_a_real_jaeger_shows_the_trace_of_an_order(traced: Traced) -> None:
    jaeger = traced.jaeger
    assert jaeger is not None
    for trace in CUSTOMERS:

        async def hangs_together(trace: str = trace) -> bool:
            shown = await jaeger.trace(trace)
            return shown is not None and _is_whole(shown)

        await until(hangs_together, "Jaeger shows the order, each span below its parent, up to the client's own", 30)


def _is_whole(shown: dict[str, Any]) -> bool:
    services = {key: one["serviceName"] for key, one in shown["processes"].items()}
    spans: dict[str, Any] = {one["spanID"]: one for one in shown["spans"]}
    names = {(services[one["processID"]], one["operationName"]) for one in spans.values()}
    parents = {
        reference["spanID"]
        for one in spans.values()
        for reference in one["references"]
        if reference["refType"] == "CHILD_OF"
    }
    return {one for one in PARTS if one[0] != "eventfold-projector"} <= names and parents - spans.keys() == {CLIENT}

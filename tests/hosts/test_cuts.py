"""Each cut between two hosts: what clients see meanwhile, and that all is right after it, with no hand."""

import pytest

from domain.ordering.order import Status
from tests.end_to_end.saga_invariants import check
from tests.hosts.hosted_shop import HostedShop
from tests.support.services import until

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(3600)]

BODY = {
    "customer_id": "waits-1",
    "currency": "EUR",
    "lines": [{"sku": "plenty", "quantity": 1, "unit_price": 70}],
}
# On a machine with other work; nothing waits that long.
SOON = 600.0


@pytest.mark.slow
async def test_every_cut_heals_by_itself(shop: HostedShop) -> None:
    await shop.place("before", "waits-0", [("plenty", 2, 50)])
    await the_node_is_cut_from_the_apis(shop)
    await only_what_the_node_says_is_lost(shop)
    await the_read_store_is_cut_from_the_apis(shop)
    await one_host_of_consumers_is_cut_from_the_read_store(shop)
    await shop.settle(SOON)
    ends = await check(shop)
    assert set(ends.values()) == {Status.CONFIRMED}
    print(shop.network.counts())


async def the_node_is_cut_from_the_apis(shop: HostedShop) -> None:
    """Commands get 503 with Retry-After and nothing is half done; what was shown is shown."""
    await until(lambda: is_shown(shop, "before"), "the order is shown", SOON)
    shop.network.cut("apis", "node")
    for api in (shop.commands, shop.commands_b):
        reply = await shop.ask(api, "PUT", "/orders/cut", BODY, "place-cut")
        assert (reply.status, bool(reply.retry_after)) == (503, True), reply
    await until(lambda: is_shown(shop, "before"), "queries go on", SOON)
    assert await events_of(shop, "cut") == []
    shop.network.mend("apis", "node")
    await placed_once(shop, "cut")


async def only_what_the_node_says_is_lost(shop: HostedShop) -> None:
    """What is asked arrives, its answer does not: the client gets 503, and the same command is done once."""
    shop.network.cut("node", "apis", one_way=True)
    reply = await shop.ask(shop.commands, "PUT", "/orders/unheard", BODY, "place-unheard")
    assert (reply.status, bool(reply.retry_after)) == (503, True), reply
    shop.network.mend("node", "apis")
    await placed_once(shop, "unheard")


async def the_read_store_is_cut_from_the_apis(shop: HostedShop) -> None:
    """Queries get 503 with Retry-After; commands go on."""
    shop.network.cut("apis", "store")
    for api in (shop.queries, shop.queries_b):
        reply = await shop.ask(api, "GET", "/orders/before")
        assert (reply.status, bool(reply.retry_after)) == (503, True), reply
    await shop.place("unseen", "waits-2", [("plenty", 1, 30)])
    shop.network.mend("apis", "store")
    await until(lambda: is_shown(shop, "unseen"), "queries answer again", SOON)


async def one_host_of_consumers_is_cut_from_the_read_store(shop: HostedShop) -> None:
    """The other one takes its work over, and what the first still does in vain does no harm."""
    shop.network.cut("consumers-a", "store")
    for number in range(5):
        await shop.place(f"taken-over-{number}", f"waits-{number}", [("plenty", 1, 30)])
    await until(lambda: all_confirmed(shop, 5), "the other host has taken over", SOON)
    shop.network.mend("consumers-a", "store")
    for service in (shop.projector, shop.consumers, shop.managers[0]):
        await until(lambda service=service: shop.is_ready(service), f"{service.name} is ready again", SOON)


async def placed_once(shop: HostedShop, order: str) -> None:
    """The same command is repeated until it is answered."""
    shop.orders.append(order)
    assert await shop.command("PUT", f"/orders/{order}", BODY, f"place-{order}") == 201
    await until(lambda: is_shown(shop, order), f"{order} is shown", SOON)
    assert (await events_of(shop, order)).count("OrderCreated") == 1


async def is_shown(shop: HostedShop, order: str) -> bool:
    return (await shop.ask(shop.queries, "GET", f"/orders/{order}")).status == 200


async def all_confirmed(shop: HostedShop, count: int) -> bool:
    """Whether the orders that were placed meanwhile are shown as confirmed."""
    replies = [await shop.ask(shop.queries_b, "GET", f"/orders/taken-over-{number}") for number in range(count)]
    return all(reply.status == 200 and reply.body["status"] == "confirmed" for reply in replies)


async def events_of(shop: HostedShop, order: str) -> list[str]:
    """The types of the order's events, in the log itself."""
    return [one.type for one in await shop.log.read_stream(f"order-{order}")]

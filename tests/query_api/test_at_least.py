"""?at_least=: answered once the view is there, 503 when it does not get there, one poller for all who wait."""

import asyncio
import itertools
from functools import partial

import pytest

from infrastructure.problems import Problem
from infrastructure.read_store import Held, ReadStoreUnavailable
from infrastructure.settings import Settings
from query_api.checkpoints import Checkpoints
from read_models.customer_orders import CUSTOMER_ORDERS
from read_models.customer_summary import CUSTOMER_SUMMARY
from read_models.daily_sales import DAILY_SALES
from read_models.order_details import ORDER_DETAILS
from read_models.view import View
from read_models.views import VIEWS
from tests.query_api.shelf import Shelf
from tests.support.served import Client, served
from tests.support.services import until

VIEW_QUERIES = [
    (ORDER_DETAILS, "/orders/o-1?"),
    (CUSTOMER_ORDERS, "/orders?"),
    (CUSTOMER_ORDERS, "/customers/ada/orders?"),
    (CUSTOMER_SUMMARY, "/customers/ada?"),
    (DAILY_SALES, "/daily-sales?from=2026-03-01&to=2026-03-31&"),
]


@pytest.fixture
async def filled(shelf: Shelf) -> Shelf:
    """Every view has something at position 10, and its checkpoint there."""
    await shelf.order("o-1", 10)
    await shelf.rows(("o-1", 10))
    await shelf.customer("ada", 10)
    await shelf.day(20260314, 10)
    for view in VIEWS:
        await shelf.checkpoint(view, 10)
    return shelf


@pytest.fixture
async def patient(settings: Settings) -> Settings:
    """A query API that waits long enough for a test to come along."""
    from msgspec.structs import replace

    return replace(settings, at_least_timeout=20.0)


async def test_a_position_reached_already_is_answered(api: Client, filled: Shelf) -> None:
    for _, path in VIEW_QUERIES:
        for position in (0, 9, 10):
            assert (await api.get(f"{path}at_least={position}")).status == 200, path


async def test_a_position_not_reached_in_time_is_503(api: Client, filled: Shelf) -> None:
    replies = await asyncio.gather(*(api.get(f"{path}at_least=11") for _, path in VIEW_QUERIES))
    for (view, _), reply in zip(VIEW_QUERIES, replies, strict=True):
        reply.refused(503, f"{view.name} is at 10, not yet at 11")
        assert reply.headers["retry-after"] == "1"
        assert reply.json["type"].endswith(":view-behind")


async def test_a_position_reached_while_waiting_is_answered(patient: Settings, filled: Shelf) -> None:
    async with served(patient) as api:
        for position, (view, path) in enumerate(VIEW_QUERIES, start=500):
            waiting = asyncio.create_task(api.get(f"{path}at_least={position}"))
            await until(partial(_somebody_waits, api, view), "a request waits")
            assert not waiting.done()
            await filled.checkpoint(view, position)
            assert (await waiting).status == 200, path


async def _somebody_waits(api: Client, view: View) -> bool:
    metrics = (await api.get("/metrics")).body.decode()
    return f'eventfold_query_at_least_waiting{{view="{view.name}"}} 1.0' in metrics


async def test_a_document_that_is_there_needs_no_checkpoint(api: Client, shelf: Shelf) -> None:
    await shelf.order("o-1", 10)
    await shelf.customer("ada", 10)
    assert (await api.get("/orders/o-1?at_least=10")).status == 200
    assert (await api.get("/customers/ada?at_least=10")).status == 200
    (await api.get("/orders/o-1?at_least=11")).refused(503, "no checkpoint yet")


async def test_what_was_folded_while_waiting_is_in_the_answer(patient: Settings, filled: Shelf) -> None:
    async with served(patient) as api:
        waiting = asyncio.create_task(api.get("/orders/o-2?at_least=20"))
        await until(lambda: _somebody_waits(api, ORDER_DETAILS), "a request waits")
        await filled.order("o-2", 20)
        await filled.checkpoint(ORDER_DETAILS, 20)
        assert (await waiting).json["order_id"] == "o-2"


async def test_an_unknown_order_is_404_once_the_view_is_there(api: Client, filled: Shelf) -> None:
    (await api.get("/orders/o-2?at_least=10")).refused(404)


async def test_a_malformed_position_is_400(api: Client) -> None:
    values = ["", "-1", "1.5", "abc", "0x10", "%20", "9223372036854775808", "1" * 40, "%D9%A1"]
    for value, (_, path) in itertools.product(values, VIEW_QUERIES):
        (await api.get(f"{path}at_least={value}")).refused(400, "at_least")


class CountedReads:
    """Answers reads of the checkpoints, and counts them."""

    def __init__(self) -> None:
        self.position = 0
        self.reads = 0
        self.away = False

    async def load(self, collection: str, keys: list[str]) -> dict[str, Held]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise ReadStoreUnavailable("away")
        return {key: Held(self.position, {}) for key in keys}


async def test_all_who_wait_share_one_poller_which_ends_with_them() -> None:
    reads = CountedReads()
    checkpoints = Checkpoints(reads, VIEWS, timeout=10, interval=0.001)  # type: ignore[arg-type]
    waits = [asyncio.create_task(checkpoints.reached(view, 5)) for _ in range(100) for view in VIEWS]
    while reads.reads < 5:
        await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    before = reads.reads
    reads.position = 5
    assert await asyncio.gather(*waits) == [5] * 400
    assert reads.reads <= before + 2

    ended = reads.reads
    for _ in range(50):
        await asyncio.sleep(0)
    assert reads.reads == ended
    assert await checkpoints.reached(ORDER_DETAILS, 5) == 5  # it begins again for the next one
    assert reads.reads == ended + 1


async def test_who_waits_is_told_when_the_store_goes_away_and_the_next_one_is_served() -> None:
    reads = CountedReads()
    checkpoints = Checkpoints(reads, VIEWS, timeout=10, interval=0.001)  # type: ignore[arg-type]
    waits = [asyncio.create_task(checkpoints.reached(ORDER_DETAILS, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    reads.away = True
    for wait in waits:
        with pytest.raises(ReadStoreUnavailable):
            await wait
    reads.away, reads.position = False, 5
    assert await checkpoints.reached(ORDER_DETAILS, 5) == 5


async def test_a_wait_ends_in_time_although_others_go_on() -> None:
    reads = CountedReads()
    checkpoints = Checkpoints(reads, VIEWS, timeout=0.05, interval=0.001)  # type: ignore[arg-type]
    with pytest.raises(Problem) as late:
        await checkpoints.reached(ORDER_DETAILS, 5)
    assert late.value.details.status == 503
    assert late.value.headers == {"Retry-After": "1"}
    await checkpoints.close()

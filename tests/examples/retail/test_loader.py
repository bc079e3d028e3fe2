from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from aiohttp import ClientSession

from examples.retail.baskets.basket import Basket, Item
from examples.retail.baskets.sample import read_sample
from examples.retail.loading.loader import Acknowledged, Loader
from examples.retail.loading.order_lifecycles import BY_LAST_DIGIT, lifecycle_of, steps_of
from examples.retail.loading.progress_file import ProgressFile
from infrastructure.http.client import NoResponse, ServiceClient
from tests.examples.retail.fake_shop import FakeShop, open_shop

AT = datetime(2017, 1, 1, tzinfo=UTC)


def basket(basket_id: int, *items: Item) -> Basket:
    return Basket(basket_id, 900, AT, items or (Item(1, 1, 1.0),))


async def test_every_lifecycle_is_carried_out() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        outcome = await Loader(client, in_flight=4, move_on=True).load(basket(n) for n in range(10))
    assert [shop.orders[f"basket-{n}"]["status"] for n in range(10)] == [
        lifecycle.status for lifecycle in BY_LAST_DIGIT
    ]
    assert outcome.placed == 10
    assert outcome.commands == 10 + sum(len(one.steps) for one in BY_LAST_DIGIT)
    assert outcome.position == 100 * outcome.commands
    assert not outcome.refusals


async def test_orders_stay_pending_when_not_moved_on() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        await Loader(client, in_flight=4, move_on=False).load(basket(n) for n in range(10))
    assert {order["status"] for order in shop.orders.values()} == {"pending"}


async def test_a_503_is_repeated_with_the_same_key() -> None:
    shop = FakeShop(away=3)
    async with open_shop(shop) as client:
        outcome = await Loader(client, in_flight=1, move_on=False).load([basket(6)])
    assert outcome.retries == 3
    assert shop.keys == {"basket-6-place": 1}


async def test_a_lost_answer_is_asked_for_again_and_nothing_happens_twice() -> None:
    shop = FakeShop(lost=2)
    async with open_shop(shop) as client:
        outcome = await Loader(client, in_flight=1, move_on=True).load([basket(6)])
    assert outcome.placed == 1
    assert shop.orders["basket-6"]["version"] == 3
    assert max(shop.keys.values()) > 1, "a key was sent again"


async def test_a_second_load_sends_the_same_keys_and_bodies() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        await Loader(client, in_flight=8, move_on=True).load(islice(read_sample(), 50))
        bodies, orders = dict(shop.bodies), {order_id: dict(order) for order_id, order in shop.orders.items()}
        again = await Loader(client, in_flight=3, move_on=True).load(islice(read_sample(), 50))
    assert set(shop.keys.values()) == {2}
    assert (shop.bodies, shop.orders) == (bodies, orders)
    assert again.placed == len(orders)


async def test_a_refused_basket_is_reported_with_its_lines_and_not_moved_on() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        outcome = await Loader(client, in_flight=2, move_on=True).load(
            [basket(16, Item(1, 1, 1.0), Item(2, 0, 0.0)), basket(26)]
        )
    assert (outcome.baskets, outcome.placed) == (2, 1)
    (refusal,) = outcome.refusals
    assert (refusal.order_id, refusal.command, refusal.status) == ("basket-16", "place", 400)
    assert str(refusal) == "place basket-16: 400 /lines/1/quantity must be 1 to 1000000, not 0"
    assert outcome.reasons() == {"400 /lines/*/quantity must be 1 to 1000000, not 0": 1}
    assert "basket-16-confirm" not in shop.keys


async def test_a_conflict_is_reported_with_its_detail() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        await Loader(client, in_flight=1, move_on=False).load([basket(6)])
        shop.orders["basket-6"]["status"] = "cancelled"
        outcome = await Loader(client, in_flight=1, move_on=True).load([basket(6)])
    assert str(outcome.refusals[0]) == "confirm basket-6: 409 can't confirm an order that is cancelled"
    assert "basket-6-ship" not in shop.keys


async def test_acknowledgements_and_ordinals_are_told() -> None:
    acknowledged: list[Acknowledged] = []
    ordinals: list[int] = []

    async def note(command: Acknowledged) -> None:
        acknowledged.append(command)

    async with open_shop(FakeShop()) as client:
        loader = Loader(client, in_flight=1, move_on=True, on_acknowledged=note, on_done=ordinals.append)
        await loader.load([basket(12), basket(10)], first_ordinal=500)
    assert acknowledged == [
        Acknowledged("basket-12", "place", 100),
        Acknowledged("basket-12", "confirm", 200),
        Acknowledged("basket-10", "place", 300),
    ]
    assert ordinals == [500, 501]


async def test_a_service_that_never_answers_is_given_up() -> None:
    async with ClientSession() as session:
        client = ServiceClient("http://127.0.0.1:9", session, retry_timeout=0.3)
        with pytest.raises(NoResponse, match=r"PUT http://127.0.0.1:9/orders/basket-6 had no answer for 0.3 s"):
            await Loader(client, in_flight=2, move_on=False).load([basket(6), basket(7), basket(8)])


def test_steps_depend_on_the_basket_alone() -> None:
    assert [step.name for step in steps_of(31198570044)] == ["confirm", "ship"]
    assert steps_of(31198570044) == steps_of(31198570044)
    assert lifecycle_of(31198570047).status == "delivered"


def test_the_progress_file_keeps_the_contiguous_part_only(tmp_path: Path) -> None:
    path = tmp_path / "run" / "load.json"
    progress = ProgressFile(path, skip=100, start=100)
    for ordinal in (101, 100, 103, 105):
        progress.done(ordinal)
    progress.write()
    assert ProgressFile.resume_at(path, skip=100) == 102
    assert ProgressFile.resume_at(path, skip=0) == 0, "another load's progress is not this one's"
    assert ProgressFile.resume_at(tmp_path / "none.json", skip=7) == 7


def test_a_broken_progress_file_means_starting_over(tmp_path: Path) -> None:
    path = tmp_path / "load.json"
    path.write_text("{")
    assert ProgressFile.resume_at(path, skip=3) == 3

"""Stock that is received before a load: once for each load, however often it is repeated."""

from examples.retail.loading.stock_receipts import receive_stock
from tests.examples.retail.fake_shop import FakeShop, open_shop


async def test_a_load_that_is_repeated_receives_nothing_more_and_another_one_does() -> None:
    shop, done = FakeShop(away=3), []
    async with open_shop(shop) as client:
        for load in ("retail-0-10", "retail-0-10", "retail-10-20"):
            await receive_stock(client, {"1": 3, "2": 5}, load=load, in_flight=2, on_done=done.append)
    assert shop.stock == {"1": 6, "2": 10}
    assert sorted(done) == [0, 0, 0, 1, 1, 1]

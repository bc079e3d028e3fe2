"""Contracts over all real processes, whose consumers and command API are killed between any two steps: each order has
one contract, rendered, put up, signed, sealed and told of once; or withdrawn, where the order was cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import pytest

from domain.documents.events import ContractRendered, ContractRequested, ContractSealed, ContractSigned
from tests.end_to_end.contract_invariants import check
from tests.end_to_end.contract_shop import REGRETTING, ContractShop, running_contract_shop
from tests.end_to_end.killer import Killer
from tests.support.services import until

pytestmark = pytest.mark.skipif(
    find_spec("pyhanko") is None or find_spec("typst") is None,
    reason="needs pyHanko and typst: pip install 'eventfold[documents]'",
)


@asynccontextmanager
async def people_at_work(shop: ContractShop) -> AsyncIterator[None]:
    """Customers sign and cancel."""
    people = asyncio.create_task(shop.people())
    try:
        yield
    finally:
        people.cancel()
        (outcome,) = await asyncio.gather(people, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), outcome


@pytest.mark.timeout(1800)
async def test_each_contract_is_made_signed_and_sealed_once_while_everybody_is_killed(tmp_path: Path) -> None:
    async with running_contract_shop(tmp_path) as shop:
        kills = [
            (ContractRequested, shop.consumers[0]),
            (ContractRendered, shop.commands),
            (ContractSigned, shop.consumers[0]),
            (ContractSealed, shop.commands),
        ]
        async with people_at_work(shop):
            for number in range(5):
                await shop.order(f"{REGRETTING if number == 2 else 'signs'}-{number}")
            for step, victim in kills:

                async def is_there(step: type = step) -> bool:
                    return shop.contracts.has(step)

                await until(is_there, f"there is a {step.__name__}", 400)
                await shop.kill(victim)
                await shop.answers(victim)
            await shop.settle(400)
        assert await check(shop) == {"contract-signed": 4, "contract-withdrawn": 1}


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_two_hundred_contracts_while_somebody_is_killed_every_second(tmp_path: Path) -> None:
    """Prints its figures (`-s` shows them)."""
    async with running_contract_shop(tmp_path, consumers=2) as shop:
        killer, began = Killer(shop, [shop.consumers[0], shop.commands, shop.consumers[1], shop.projector]), monotonic()
        async with people_at_work(shop):
            killing = asyncio.create_task(killer.run())
            try:
                for number in range(200):
                    await shop.order(f"{REGRETTING if number % 10 == 0 else 'signs'}-{number}")
                while monotonic() < began + 60:
                    await asyncio.sleep(1)
            finally:
                killing.cancel()
                await asyncio.gather(killing, return_exceptions=True)
            assert killing.cancelled(), killing
            traded = monotonic() - began
            await killer.all_back()
            await shop.settle(900)
        settled = monotonic() - began - traded
        ends, mails = await check(shop), await shop.sink.mails()
        twice = len(mails) - len({mail["message_id"] for mail in mails})
        print(f"{traded:.0f} s of trade with {sum(killer.kills.values())} kills {dict(killer.kills)}")
        print(f"all at their end {settled:.0f} s later: {dict(ends)}; {len(mails)} mails, {twice} of them twice")
        assert ends == {"contract-signed": 180, "contract-withdrawn": 20}

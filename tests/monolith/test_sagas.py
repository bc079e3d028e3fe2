"""The tests of orders over the whole shop, with everything of ours in one process, which is killed again and again."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.saga_shop import SagaShop, running_saga_shop
from tests.end_to_end.test_sagas import (  # noqa: F401 - they are run here too
    test_fifty_orders_at_once_for_one_article_get_exactly_the_stock,
    test_orders_come_to_their_end_while_everybody_is_killed,
)
from tests.support.shape import Shape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SagaShop]:
    """One for all tests."""
    async with running_saga_shop(tmp_path_factory.mktemp("sagas"), patience=20, shape=Shape.SINGLE) as shop:
        yield shop

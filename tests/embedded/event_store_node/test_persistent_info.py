"""What infos say of a group and its consumers, and that no number of theirs breaks the answer."""

import pytest
from esdbclient import AsyncEventStoreDBClient
from node_support import stream_id
from persistent_support import CreateReq, Stub, append, consuming, create, info

from embedded.event_store_node import EventStoreNode


async def test_the_first_info_of_a_busy_group(
    node: EventStoreNode, client: AsyncEventStoreDBClient, groups: Stub
) -> None:
    await create(groups)
    await append(client, count=5)
    async with consuming(groups) as consumer:
        await consumer.take(5)
        # As many as a busy group has delivered before anybody asks.
        group = node.persistent_subscriptions.group("s", "g")
        group.deliveries.total_items = group.deliveries.consumers[0].total_items = 10**6
        first = await info(groups)
        group.deliveries.total_items = group.deliveries.consumers[0].total_items = 10**15
        second = await info(groups)

    assert (first.total_items, first.count_since_last_measurement) == (10**6, 10**6)
    assert 0 < first.average_per_second < 2**31 - 1
    assert second.average_per_second == second.connections[0].average_items_per_second == 2**31 - 1


@pytest.mark.parametrize("ticks", [2**63 - 1, -(2**63)])
async def test_a_time_in_ticks_that_is_longer_than_infos_can_tell(groups: Stub, ticks: int) -> None:
    settings = CreateReq.Settings(
        message_timeout_ticks=ticks, checkpoint_after_ticks=ticks, read_batch_size=20, history_buffer_size=500
    )
    options = CreateReq.Options(stream_identifier=stream_id("s"), group_name="g", settings=settings)
    await groups.Create(CreateReq(options=options))

    got = await info(groups)
    assert (
        got.message_timeout_milliseconds == got.check_point_after_milliseconds == (1 if ticks > 0 else -1) * (2**31 - 1)
    )

"""The log of the retail baskets, written without HTTP: each basket's commands go through the command API's own pipeline
in this process, so the events are those of `eventfold load --move-on`, in a fraction of the time."""

import asyncio
from collections.abc import Iterator

import msgspec

from command_api.aggregates import Aggregates
from command_api.pipeline import Pipeline
from command_api.requests import CommandRequest
from domain.model.errors import InvalidCommand, RuleViolation
from domain.ordering.aggregate import ORDER
from examples.retail.baskets.basket import Basket, order_body
from examples.retail.baskets.sample import SAMPLE_SIZE, read_sample
from examples.retail.baskets.whole_set import read_whole_set
from examples.retail.loading.order_lifecycles import steps_of
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore

IN_FLIGHT = 64
_COMMANDS = {command.action: command for command in ORDER.commands}
_PLACE = next(command for command in ORDER.commands if command.creates)


async def write_basket_log(uri: str, baskets: int) -> int:
    """Places so many baskets and moves their orders on; returns how many orders were placed. More than the sample's
    1,000 need `make data`."""
    store, codec = EventStore(uri, retry_timeout=30, deadline=30), EventCodec([ORDER])
    pipeline = Pipeline(store, codec, Aggregates(store, codec, IN_FLIGHT * 4), conflict_retries=3)
    source = iter(read_sample() if baskets <= SAMPLE_SIZE else read_whole_set(0, baskets))
    try:
        placed = await asyncio.gather(*(_work(pipeline, source) for _ in range(IN_FLIGHT)))
    finally:
        await store.close()
    return sum(placed)


async def _work(pipeline: Pipeline, baskets: Iterator[Basket]) -> int:
    placed = 0
    for basket in baskets:
        try:
            await _send(pipeline, basket)
        except (InvalidCommand, RuleViolation):
            continue  # the data set has baskets that are no valid order
        placed += 1
    return placed


async def _send(pipeline: Pipeline, basket: Basket) -> None:
    steps = [(_PLACE, order_body(basket)), *((_COMMANDS[step.name], step.body) for step in steps_of(basket.basket_id))]
    for command_type, body in steps:
        command_id = f"{basket.order_id}-{command_type.action}"
        request = CommandRequest(
            aggregate_id=basket.order_id,
            command=msgspec.convert(body, command_type.struct),
            command_id=command_id,
            has_client_key=False,
            command_hash="",
            if_match=None,
            correlation_id=command_id,
            actor="anonymous",
        )
        await pipeline.handle(ORDER, command_type, request)

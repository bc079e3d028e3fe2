"""Draws the trace of an order over all services: `python -m tests.end_to_end.draw_trace docs/pictures/order-trace.svg`.

Of the views one is shown, and of the calls to the stores none but those of the order's own command.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from examples.subscriber.webhook import WebhookSubscriber
from read_models.ordering.order_list import ORDER_LIST
from tests.end_to_end.saga_shop import running_saga_shop
from tests.end_to_end.test_one_trace import AT_ONCE, CUSTOMERS, SECRET, destinations_file, missing, place
from tests.support.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver
from tests.support.services import until
from tests.support.trace_picture import picture

FIRST = "6bf92f3577b34da6a3ce929d0e0e4736"
_STORES = ("read ", "find ", "append ", "bulkWrite ", "replaceOne ")


def _is_shown(span: ReceivedSpan) -> bool:
    if span.service == "eventfold-projector":
        return span.name.endswith((" order_list", f" {ORDER_LIST.collection}"))
    return not span.name.startswith(_STORES) or span.name == "append order"


async def _is_whole(receiver: OtlpReceiver, trace: str) -> bool:
    return not missing(receiver.spans, trace)


async def draw(file: Path) -> None:
    """Writes the picture of an order that was placed after another one, so that every process was awake."""
    async with otlp_receiver() as receiver:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                WebhookSubscriber(SECRET.encode()).listening() as warehouse,
                running_saga_shop(
                    Path(folder),
                    60,
                    {
                        **receiver.environ,
                        "EVENTFOLD_RELAY_DESTINATIONS": destinations_file(Path(folder), warehouse.url),
                    },
                ) as shop,
            ):
                await shop.receive("apple", 100)
                await place(shop, "first", FIRST)
                await until(lambda: _is_whole(receiver, FIRST), "the first order is told", 120)
                await place(shop, CUSTOMERS[AT_ONCE], AT_ONCE)
                await until(lambda: _is_whole(receiver, AT_ONCE), "the order is told", 120)
                # Whatever else follows from it, such as the views of the last mail.
                await shop.settle(120)
    spans = [span for span in receiver.spans if span.trace == AT_ONCE]
    drawn = picture(spans, "PUT /orders/{order_id}: one trace, from the request to the mail", _is_shown)
    await asyncio.to_thread(file.write_text, drawn)


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])))

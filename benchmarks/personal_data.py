"""What encryption costs: events without personal fields through the codec as before and now, and events with them.

"straight" is the codec's plain encode and decode; "fetched" is what services do: ask for the keys of the batch first.
"""

import statistics
import tempfile
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from msgspec import Struct

from application import APPLICATION
from domain.customers.events import Address, CustomerRegistered
from domain.ordering.events import OrderConfirmed
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import StoredEvent
from infrastructure.personal_data import MasterKeys, PersonalKeys, make_master_key
from infrastructure.personal_data.file_key_store import FileKeyStore

ROUNDS, BATCHES, BATCH, CUSTOMERS = 7, 200, 200, 500

Work = Callable[[], Coroutine[Any, Any, None]]


async def run() -> None:
    """Prints microseconds an event, and ratios taken in turns."""
    with tempfile.TemporaryDirectory() as folder:
        make_master_key(Path(folder) / "master.key")
        store = FileKeyStore(Path(folder) / "keys.db")
        keys = PersonalKeys(store, MasterKeys(Path(folder) / "master.key"), ttl=3600)
        codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys)
        try:
            await _without_personal_fields(codec)
            await _with_personal_fields(codec)
        finally:
            await keys.close()


async def _without_personal_fields(codec: EventCodec) -> None:
    event, metadata = OrderConfirmed("o-1", "c-1", utc_now()), EventMetadata(actor="anonymous")
    stored = [_stored(codec.encode(event, metadata, str(uuid.uuid4())), "order-o-1")] * BATCH

    async def encoded_straight() -> None:
        for _ in range(BATCHES * BATCH):
            codec.encode(event, metadata, "id")

    async def encoded_fetched() -> None:
        for _ in range(BATCHES * BATCH):
            (await codec.encoder("order-o-1", (event,)))(event, metadata, "id")

    async def decoded_straight() -> None:
        for _ in range(BATCHES):
            for one in stored:
                codec.decode(one)

    async def decoded_fetched() -> None:
        for _ in range(BATCHES):
            decode = await codec.decoder(stored)
            for one in stored:
                decode(one)

    print("without personal fields:")
    await _compare("encode, one event a command", encoded_straight, encoded_fetched)
    await _compare(f"decode, {BATCH} events a batch", decoded_straight, decoded_fetched)


async def _with_personal_fields(codec: EventCodec) -> None:
    address = Address("1 Main St", "Bath", "BA1", "GB")
    events: list[Struct] = [
        CustomerRegistered(f"c-{number}", "Ada Lovelace", "ada@example.com", address, utc_now())
        for number in range(CUSTOMERS)
    ]
    stored: list[StoredEvent] = []

    async def encode() -> None:
        stored.clear()
        for event in events:
            stream, metadata = f"customer-{event.customer_id}", EventMetadata()  # type: ignore[attr-defined]
            new = (await codec.encoder(stream, [event]))(event, metadata, str(uuid.uuid4()))
            stored.append(_stored(new, stream))

    async def decode() -> None:
        decoder = await codec.decoder(stored)
        for one in stored:
            decoder(one)

    print("with three personal fields, keys in a file:")
    for what, work in (("encode, new customers", encode), ("encode, known customers", encode), ("decode", decode)):
        print(f"  {what}: {await _timed(work) / CUSTOMERS * 1e6:.0f} microseconds an event")
    print(f"  decode, keys in memory: {await _timed(decode) / CUSTOMERS * 1e6:.0f} microseconds an event")


def _stored(new: Any, stream: str) -> StoredEvent:
    return StoredEvent(new.id, new.type, stream, 0, 7, 0, new.data, new.metadata)


async def _compare(what: str, straight: Work, fetched: Work) -> None:
    ratios, both = [], []
    for _ in range(ROUNDS):
        one, other = await _timed(straight), await _timed(fetched)
        ratios.append(other / one)
        both.append((one, other))
    of = [statistics.median(times) / (BATCHES * BATCH) * 1e6 for times in zip(*both, strict=True)]
    print(f"  {what}: {of[0]:.2f} -> {of[1]:.2f} microseconds an event, ratio {statistics.median(ratios):.2f}")


async def _timed(work: Work) -> float:
    began = perf_counter()
    await work()
    return perf_counter() - began


if __name__ == "__main__":
    uvloop.run(run())

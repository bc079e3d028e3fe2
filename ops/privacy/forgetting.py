"""Forgetting a customer, step by step: each is repeatable, and the second goes on without us."""

import asyncio
import uuid
from collections.abc import Callable

from domain.customers.aggregate import CUSTOMER
from domain.customers.customer import Status
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore, StreamDeleted
from infrastructure.outside.commands import CommandClient
from infrastructure.security.own_tokens import TokenSource
from infrastructure.settings import Settings
from ops.errors import CommandFailed

INTERVAL = 0.2
"""Seconds between two looks at the customer's stream."""

Report = Callable[[str], None]


async def forget(customer: str, settings: Settings, tokens: TokenSource, wait: float, report: Report) -> None:
    """Waits up to `wait` seconds. Raises CommandFailed, DependencyUnavailable, EventStoreUnavailable."""
    commands = CommandClient.from_settings(settings, "privacy", tokens)
    log = EventStore.from_settings(settings)
    try:
        answer = await commands.send(CUSTOMER.plural, customer, "forget", {}, key=str(uuid.uuid4()))
        if answer.accepted:
            report(f"1/2 customer {customer} is forgotten, at version {answer.revision}: views show it, mails stop")
        elif answer.code in (f"customer-{Status.FORGOTTEN}", f"customer-{Status.ERASED}"):
            report(f"1/2 customer {customer} was forgotten before")
        else:
            raise CommandFailed(f"customer {customer} can't be forgotten: {answer.detail or answer.code}")
        async with asyncio.timeout(wait):
            while await _last_event(log, customer) != "CustomerErased":  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(INTERVAL)
        report("2/2 the key is destroyed: what was personal can't be read by anybody")
    except TimeoutError:
        raise CommandFailed(
            f"the key of customer {customer} was not destroyed within {wait:g} s",
            "the consumer `erasing` does it by itself as soon as it runs (eventfold dead-letters list); run this again "
            "to see",
        ) from None
    finally:
        await commands.close()
        await log.close()


async def _last_event(log: EventStore, customer: str) -> str:
    try:
        newest = await log.read_newest(CUSTOMER.stream(customer), 1)
    except StreamDeleted as error:
        raise CommandFailed(f"the stream of customer {customer} was deleted") from error
    if not newest:
        return ""
    return EventCodec([CUSTOMER]).struct_of(newest[0]).__name__

"""Mails over real processes: node, command API, the consumer and the mail sink, while they are killed and go wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infrastructure.event_store import EventStore
from tests.support.http_session import http_session
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, key_settings, node_uri, running, start_node, until


class Shop:
    """Orders over HTTP, and what comes of them at the sink and in the log."""

    def __init__(self, api: Service, consumer: Service, sink: MailSink, log: EventStore) -> None:
        self.api = api
        self.consumer = consumer
        self.sink = sink
        self.log = log
        self.http = http_session()

    async def order(self, order_id: str, *actions: str, customer: str = "ada") -> None:
        """Places an order, and what is done with it."""
        line = {"sku": "tea", "quantity": 1, "unit_price": 500}
        bodies: dict[str, Any] = {
            "ship": {"carrier": "DHL", "tracking_number": "T-1"},
            "cancel": {"reason": "<b>no</b> stock\u200bleft".replace("\u200b", " ")},
        }
        placed = {"customer_id": customer, "currency": "USD", "lines": [line]}
        async with self.http.put(f"{self.api.url}/orders/{order_id}", json=placed) as answer:
            assert answer.status == 201, await answer.text()
        for action in actions:
            url = f"{self.api.url}/orders/{order_id}/{action}"
            async with self.http.post(url, json=bodies.get(action, {})) as answer:
                assert answer.status == 200, await answer.text()

    async def recorded(self, order_id: str) -> list[tuple[str, str]]:
        """The notifications of an order, as they stand in the log: type and kind."""
        events = await self.log.read_stream(f"notification-{order_id}")
        return [(one.type.removeprefix("Notification"), msgspec.json.decode(one.data)["kind"]) for one in events]

    async def mails(self) -> dict[str, set[str]]:
        """The subjects that have come, by Message-ID; a mail that came twice counts once, if it was the same."""
        found: dict[str, set[str]] = {}
        for mail in await self.sink.mails():
            found.setdefault(mail["message_id"], set()).add(msgspec.json.encode({**mail, "received_at": ""}).decode())
        assert all(len(same) == 1 for same in found.values())
        return found

    async def subjects(self) -> Counter[str]:
        """Every subject of a different mail."""
        return Counter(msgspec.json.decode(next(iter(one)))["subject"] for one in (await self.mails()).values())


@pytest.fixture
async def shop(tmp_path: Path, read_store_database: ReadStoreDatabase) -> AsyncIterator[Shop]:
    node = await start_node(tmp_path)
    log = EventStore(node_uri(node.port), retry_timeout=30)
    async with (
        mail_sink(tmp_path) as sink,
        running("command_api", tmp_path, eventstore_uri=node_uri(node.port)) as api,
    ):
        given = {
            "eventstore_uri": node_uri(node.port),
            "mongo_uri": read_store_database.uri,
            "mongo_database": read_store_database.name,
            "consumer_lease": "1.5",
            "commands_url": api.url,
            "mail_url": sink.url,
            "mail_timeout": "1",
            "mail_retries": "0",
            "mail_recovery_timeout": "0.2",
        }
        port = free_port()
        environ = {f"EVENTFOLD_{name.upper()}": value for name, value in given.items()}
        environ |= {"EVENTFOLD_CONSUMERS_PORT_NUMBER": str(port), **key_settings(tmp_path)}
        module = "tests.application.notifying.notifying_service"
        consumer = Service("notifying", port, [module], environ, tmp_path / "notifying.log")
        await consumer.start()
        shop = Shop(api, consumer, sink, log)
        try:
            await until(consumer.answers, "the consumer answers", 60)
            yield shop
        finally:
            await consumer.kill()
            await shop.http.close()
            await log.close()
            await node.kill()


async def _a_mail_server_that_greets_and_hangs(shop: Shop) -> None:
    """It is shown, and other work goes on; once it answers, every mail goes out."""
    await shop.sink.goes_wrong("hang")
    await shop.order("o-1", "confirm")

    async def shown() -> bool:
        series = 'eventfold_outside_call_seconds_count{dependency="mail",outcome="unavailable"} '
        async with shop.http.get(f"{shop.consumer.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return any(float(line.removeprefix(series)) >= 1 for line in lines if line.startswith(series))

    async def degraded() -> bool:
        async with shop.http.get(f"{shop.consumer.url}/health/ready") as answer:
            told = await answer.json()
            return told["dependencies"]["mail"]["status"] != "ok" and told["status"] == "degraded" and told["ready"]

    await until(shown, "a call has failed", 60)
    await until(degraded, "the consumer says what it waits for", 60)
    for number in range(20):
        await shop.order(f"p-{number}", "confirm")  # orders are taken as ever
    await shop.sink.goes_wrong()

    async def all_told() -> bool:
        return len(await shop.subjects()) == 21

    await until(all_told, "once it answers, every mail goes out", 60)
    assert await shop.consumer.answers("/health/live")


async def test_every_customer_is_told_everything_whatever_fails_or_is_killed(shop: Shop) -> None:
    await _a_mail_server_that_greets_and_hangs(shop)
    expected = await shop.subjects()
    faults = ["none", "closing", "drop-after-data", "busy", "drop", "none"]
    for number, fault in enumerate(faults):
        await shop.sink.goes_wrong(fault)
        sent, off = f"s-{number}", f"c-{number}"
        await asyncio.gather(shop.order(sent, "confirm", "ship", "deliver"), shop.order(off, "cancel"))
        expected[f"Your order {sent} is confirmed"] = 1
        expected[f"Your order {sent} is on its way"] = 1
        expected[f"Your order {sent} has arrived"] = 1
        expected[f"Your order {off} was cancelled"] = 1
        if number in (2, 4):
            await shop.consumer.kill()
            await shop.consumer.start()
    await shop.order("nobody", "confirm", customer="a:b")

    async def all_told() -> bool:
        return await shop.subjects() == expected

    await until(all_told, "every mail has come", 60)

    async def all_recorded() -> bool:
        return (await shop.recorded("s-5"))[-1:] == [("Sent", "order-delivered")]

    await until(all_recorded, "it is recorded", 60)
    for number in range(len(faults)):
        assert await shop.recorded(f"c-{number}") == [("Requested", "order-cancelled"), ("Sent", "order-cancelled")]
        told = [kind for state, kind in await shop.recorded(f"s-{number}") if state == "Sent"]
        assert told == ["order-confirmed", "order-shipped", "order-delivered"]

    async def is_failed() -> bool:
        return await shop.recorded("nobody") == [("Requested", "order-confirmed"), ("Failed", "order-confirmed")]

    await until(is_failed, "what can't be sent is recorded as failed", 60)
    cancelled, *_ = [one for one in await shop.sink.mails("ada@") if one["subject"] == "Your order c-0 was cancelled"]
    assert "&lt;b&gt;no&lt;/b&gt; stock" in cancelled["html"]
    assert await shop.consumer.stop() == 0
    assert "Unclosed" not in shop.consumer.log.read_text(), "what it held open to the outside is closed"

"""A command API that runs through the restore of an older backup, with orders in its cache that the log now knows
otherwise or not at all; and an order deleted while it is cached."""

from pathlib import Path
from typing import Any

from esdbclient import AsyncEventStoreDBClient, StreamState

from embedded.event_store_node.maintenance.backup import back_up, restore
from infrastructure.event_codec import EventMetadata, event_id
from infrastructure.event_store import EventStore
from tests.support.bundled import CODEC
from tests.support.http_session import http_session
from tests.support.order_logs import cancelled, created
from tests.support.services import node_uri, restart_node, running, start_node

ORDER = {"customer_id": "ada", "currency": "USD", "lines": [{"sku": "tea", "quantity": 1, "unit_price": 450}]}
SHIPPED = {"carrier": "DHL", "tracking_number": "JD01"}


async def test_what_is_cached_is_not_believed_over_a_restored_log_or_a_deleted_stream(tmp_path: Path) -> None:
    node = await start_node(tmp_path)
    store, client = EventStore(node_uri(node.port), retry_timeout=30), AsyncEventStoreDBClient(node_uri(node.port))
    try:
        given = {"eventstore_uri": node_uri(node.port), "eventstore_retry_timeout": "30"}
        async with running("command_api", tmp_path, **given) as api, http_session(api.url) as http:

            async def send(order: str, action: str = "", body: Any = None, key: str = "") -> tuple[int, Any]:
                headers = {"Idempotency-Key": key} if key else {}
                method, path = ("POST", f"/orders/{order}/{action}") if action else ("PUT", f"/orders/{order}")
                async with http.request(method, path, json=body or {}, headers=headers) as answer:
                    told = await answer.json()
                    if answer.status < 300:
                        return answer.status, told["version"]
                    return answer.status, told.get("code") or told["type"].rpartition(":")[2]

            async def types(order: str) -> list[str]:
                return [event.type for event in await store.read_stream(f"order-{order}")]

            for order in ("a1", "c1", "d1", "x"):
                assert await send(order, body=ORDER) == (201, 0)
            back_up(tmp_path / "node", tmp_path / "backup")
            assert await send("a1", "confirm") == (200, 1)
            assert await send("c1", "confirm", key="confirm-c1") == (200, 1)
            assert await send("d1", "confirm") == (200, 1)
            assert await send("a2", body=ORDER) == (201, 0)
            assert await send("a3", body=ORDER, key="place-a3") == (201, 0)
            assert await send("a3", "confirm") == (200, 1)

            await node.kill()
            (tmp_path / "node").rename(tmp_path / "lost")
            restore(tmp_path / "backup", tmp_path / "node")
            await restart_node(node)
            other = cancelled(created("d1"))
            stands_where_the_confirmation_stood = CODEC.encode(other, EventMetadata(), event_id("d1", "c", "", 0))
            await store.append("order-d1", 0, [stands_where_the_confirmation_stood])

            assert await send("a1", "confirm") == (200, 1), "the log does not know it as confirmed"
            assert await send("c1", "confirm", key="confirm-c1") == (200, 1)
            assert await types("c1") == ["OrderCreated", "OrderConfirmed"], "it was carried out, not only said to be"
            assert await send("d1", "ship", SHIPPED) == (409, "order-not-confirmed")
            assert await send("a2", "confirm") == (404, "not-found")
            assert await send("a2", body=ORDER) == (201, 0)
            assert await send("a3", "confirm") == (404, "not-found")
            assert await send("a3", body=ORDER, key="place-a3") == (201, 0)

            await client.connect()
            await client.delete_stream("order-x", current_version=StreamState.ANY)
            assert await send("x", "cancel", {"reason": "gone"}) == (410, "deleted")
            assert await types("x") == []
            assert await send("x", body=ORDER) == (201, 1)
            assert await send("x", "confirm") == (200, 2)
    finally:
        await client.close()
        await store.close()
        await node.kill()

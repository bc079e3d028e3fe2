"""The promises that need the whole system: views after commands, old events, poison, and servers that go away."""

import asyncio
import subprocess
import sys
import uuid

import pytest

from tests.support.orders import CREATED_V1
from tests.support.services import ROOT, Within, node_uri, restart_node, until


async def test_a_client_reads_its_own_write_in_every_view(system):
    for number in range(20):
        position = await system.place(f"o-{number}")
        order = await system.seen(f"/orders/o-{number}?at_least={position}")
        customer = await system.seen(f"/customers/ada?at_least={position}")
        listed = await system.seen(f"/customers/ada/orders?at_least={position}")
        sales = await system.seen(f"/daily-sales?from=2026-03-14&to=2026-03-14&at_least={position}")
        assert (order["status"], order["total"], order["version"]) == ("pending", 140, 0)
        assert (customer["orders"], customer["spend"]) == (number + 1, {"USD": 140 * (number + 1)})
        assert listed["items"][0]["order_id"] == f"o-{number}"
        assert sales["items"] == [
            {"day": "2026-03-14", "orders": number + 1, "cancelled": 0, "revenue": {"USD": 140 * (number + 1)}}
        ]


async def test_a_cancellation_takes_its_amount_out_of_every_view(system):
    await system.place("o-1")
    await system.place("o-2")
    _, answer = await system.command("POST", "/orders/o-1/cancel", {"reason": "changed my mind"})
    position = answer["position"]
    assert (await system.seen(f"/orders/o-1?at_least={position}"))["cancel_reason"] == "changed my mind"
    customer = await system.seen(f"/customers/ada?at_least={position}")
    assert (customer["orders"], customer["cancelled"], customer["spend"]) == (2, 1, {"USD": 140})
    sales = await system.seen(f"/daily-sales?from=2026-03-14&to=2026-03-14&at_least={position}")
    assert sales["items"][0] == {"day": "2026-03-14", "orders": 2, "cancelled": 1, "revenue": {"USD": 140}}
    cancelled = await system.seen("/orders?status=cancelled")
    assert [row["order_id"] for row in cancelled["items"]] == ["o-1"]


async def test_an_event_of_an_old_version_is_read_on_all_three_paths(system):
    position = await system.append("order-o-1", -1, str(uuid.uuid4()), "OrderCreated", CREATED_V1)
    projected = await system.seen(f"/orders/o-1?at_least={position}")
    assert (projected["total"], projected["lines"][0]["unit_price"], projected["lines"][0]["discount"]) == (449, 50, 0)
    assert projected["ordered_at"] == "2024-05-01T09:30:00.000Z"

    history = await system.seen("/orders/o-1/history")
    assert history["items"][0]["schema_version"] == 1
    assert history["items"][0]["data"]["lines"][0]["unit_price"] == 50

    status, answer = await system.command("POST", "/orders/o-1/cancel", {"reason": "too late"})
    assert (status, answer["version"]) == (200, 1)
    (day,) = (await system.seen(f"/daily-sales?from=2024-05-01&to=2024-05-01&at_least={answer['position']}"))["items"]
    assert day == {"day": "2024-05-01", "orders": 1, "cancelled": 1, "revenue": {"USD": 0}}


@pytest.mark.parametrize(
    ("kind", "data", "says", "refused"),
    [
        ("OrderVanished", b"{}", "OrderVanished", (503, "urn:eventfold:problem:newer-history")),
        ("OrderConfirmed", b'{"order_id": 7}', "order_id", (500, "urn:eventfold:problem:unreadable-history")),
        ("OrderConfirmed", b"\xff\x00", "OrderConfirmed", (500, "urn:eventfold:problem:unreadable-history")),
    ],
    ids=["unknown type", "wrong shape", "no json"],
)
async def test_an_event_that_cannot_be_read_stops_its_own_order_alone(system, kind, data, says, refused):
    await system.place("bad")
    await system.append("order-bad", 0, str(uuid.uuid4()), kind, data)
    await system.append("elsewhere-1", -1, str(uuid.uuid4()), "SomebodyElses", b"not ours")
    position = await system.place("good")
    assert (await system.seen(f"/orders/good?at_least={position}"))["status"] == "pending"
    await system.reached(position)

    assert (await system.seen("/orders/bad"))["version"] == 0
    assert {view["parked"] for view in (await system.views()).values()} == {1}
    async with system.http.get(system.projector.url + "/dead-letters") as answer:
        parked = (await answer.json())["dead_letters"]
    assert {entry["stream"] for entry in parked} == {"order-bad"}
    assert all(says in entry["error"] for entry in parked)
    # Neither can a command be decided on half a history, and the trail hides nothing.
    status, problem = await system.command("POST", "/orders/bad/cancel", {"reason": "x"})
    assert (status, problem["type"]) == refused
    assert [entry["type"] for entry in (await system.seen("/orders/bad/history"))["items"]] == ["OrderCreated", kind]
    if not isinstance(system.projector, Within):  # the command looks at ports, or into a data directory of `up`
        assert await status_command(system) >= 1


async def status_command(system) -> int:
    """How often `eventfold status` says 1 where it lists what is parked."""
    environ = {
        "EVENTFOLD_EVENTSTORE_URI": node_uri(system.node_port),
        "EVENTFOLD_MONGO_URI": system.read_store.uri,
        "EVENTFOLD_COMMAND_API_PORT_NUMBER": str(system.commands.port),
        "EVENTFOLD_PROJECTOR_PORT_NUMBER": str(system.projector.port),
        "EVENTFOLD_QUERY_API_PORT_NUMBER": str(system.queries.port),
        "COLUMNS": "160",
    }
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "ops.cli", "status", "--data-dir", "nowhere", "--json"],
        env=environ,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return run.stdout.count('"parked": 1') + run.stdout.count('"parked":1')


async def test_the_read_store_goes_away_and_comes_back(system):
    await system.place("o-1")
    await system.reached(await system.place("o-2"))
    system.read_store.kill()

    status, problem = await system.query("/orders/o-1")
    assert (status, problem["type"]) == (503, "urn:eventfold:problem:unavailable")
    positions = [await system.place(f"later-{number}") for number in range(5)]
    async with system.http.get(system.queries.url + "/health/ready") as ready:
        assert ready.status == 503

    await asyncio.to_thread(system.read_store.start)
    await system.reached(positions[-1])

    async def answered() -> bool:
        status, _ = await system.query("/orders/o-1")
        return status == 200

    await until(answered, "queries are answered again")
    assert (await system.seen(f"/customers/ada?at_least={positions[-1]}"))["orders"] == 7


@pytest.mark.many_processes
async def test_the_event_store_goes_away_and_comes_back(system):
    await system.reached(await system.place("o-1"))
    await system.node.kill()
    status, problem = await system.command("POST", "/orders/o-1/confirm")
    assert (status, problem["type"]) == (503, "urn:eventfold:problem:unavailable")
    # The views that there are go on being served.
    assert (await system.seen("/orders/o-1"))["status"] == "pending"

    await restart_node(system.node)

    async def confirmed() -> bool:
        status, _ = await system.command("POST", "/orders/o-1/confirm", **{"Idempotency-Key": "k"})
        return status == 200

    await until(confirmed, "commands are taken again")
    position = await system.place("o-2")
    await system.reached(position)
    assert (await system.seen("/orders/o-1"))["status"] == "confirmed"
    assert len(await system.store.read_stream("order-o-1")) == 2

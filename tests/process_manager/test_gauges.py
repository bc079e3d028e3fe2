"""What Prometheus is shown of the instances of a process."""

from datetime import timedelta

from msgspec.structs import replace
from prometheus_client import REGISTRY

from infrastructure.clock import now_millis
from infrastructure.read_store import Write
from process_manager.instances.gauges import InstanceGauges
from process_manager.instances.index import COLLECTION, NEVER, NOW, InstanceIndex
from tests.process_manager.world import NOON, World, managing, until
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.tiny.lamp import LampInstalled
from tests.support.tiny.parcel import ParcelDelivered, ParcelSent
from tests.support.tiny.porch_light import PORCHES

HOUR = 3_600_000


def shown(name: str, process: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(f"eventfold_process_{name}", {"process": process, **labels})
    assert found is not None, name
    return found


async def put(store: MemoryReadStore, instance: str, status: str, started_at: int, attention_at: int) -> None:
    """An instance of `p` in the index."""
    fields = {
        "process": "p",
        "instance": instance,
        "status": status,
        "outcome": "done" if status == "ended" else "",
        "stuck": int(status == "stuck"),
        "open_steps": [],
        "attention_at": attention_at,
        "next_timer": "",
        "next_timer_at": attention_at,
        "failed_steps": [],
        "started_at": started_at,
        "started_position": started_at,
        "revision": 1,
    }
    await store.write(COLLECTION, [Write(f"p:{instance}", 1, fields)])


async def test_instances_by_state_age_and_what_comes_next():
    store, now = MemoryReadStore(), now_millis()
    index = InstanceIndex(store)
    await index.prepare()
    gauges = InstanceGauges([replace(PORCHES.processes[0], name="p", outcomes=("done",))], index)
    await gauges.look()
    assert shown("oldest_instance_seconds", "p", status="running") == 0
    assert shown("duration_seconds_count", "p", outcome="done") == 0
    await put(store, "a", "running", now - 2 * HOUR, NOW)
    await put(store, "b", "running", now - HOUR, now + HOUR)
    await put(store, "c", "running", now - HOUR, now - HOUR)
    await put(store, "d", "stuck", now - 3 * HOUR, NEVER)
    await put(store, "e", "ended", now - 9 * HOUR, NEVER)
    await gauges.look()
    assert (shown("running_instances", "p"), shown("stuck_instances", "p")) == (3, 1)
    for status, hours in (("running", 2), ("stuck", 3)):
        assert 0 <= shown("oldest_instance_seconds", "p", status=status) - hours * 3600 < 60
    counted = {one: shown("waiting_instances", "p", next=one) for one in ("commands", "timer", "timer_overdue")}
    assert counted == {"commands": 1, "timer": 2, "timer_overdue": 1}


async def test_an_instance_that_ends_is_counted_by_its_outcome():
    world = World(PORCHES)
    process = PORCHES.processes[0].name
    labels = {"process": process, "outcome": "delivered"}
    before = REGISTRY.get_sample_value("eventfold_process_duration_seconds_count", labels) or 0
    await world.happen("lamp-ada", LampInstalled("ada", "porch", 40, NOON))
    async with managing(world):
        await world.happen("parcel-p1", ParcelSent("p1", "ada", 300, NOON))
        await until(lambda: world.instance("p1").state is not None and world.instance("p1").state.lit)
        await world.happen("parcel-p1", ParcelDelivered("p1", NOON, NOON + timedelta(hours=1)))
        await until(lambda: bool(world.instance("p1").outcome))
        await until(lambda: world.record("p1").get("status") == "ended")
    assert shown("duration_seconds_count", process, outcome="delivered") == before + 1

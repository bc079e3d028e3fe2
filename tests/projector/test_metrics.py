"""What Prometheus is shown of views beside what it is shown of every consumer."""

import math
from collections.abc import Collection, Mapping

from prometheus_client import REGISTRY

from infrastructure.checkpoints import Target
from projector.builds.document_counts import DocumentCounts
from subscriptions.operating.catalogue import TargetsOf
from tests.projector.running import project_all
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.lamp_details import LAMP_DETAILS
from tests.support.tiny.logs import TinyLog, installed, switched_off, switched_on


def shown(name: str, view: str) -> float:
    return REGISTRY.get_sample_value(f"eventfold_projector_{name}", {"view": view}) or 0.0


class TwoBuilds:
    """A view whose live build is another collection after a switch."""

    live = "lamps_1"
    own: Collection[str] = ("lamps",)

    async def load(self, names: Collection[str] | None = None) -> Mapping[str, TargetsOf]:
        return {"lamps": TargetsOf(Target("lamps", self.live, 1, 1), Target("lamps", "lamps_9", 1, 1))}


class Sizes:
    async def estimated_count(self, collection: str) -> int:
        return {"lamps_1": 7, "lamps_2": 5}[collection]


async def test_the_documents_are_those_of_the_live_build():
    catalogue = TwoBuilds()
    counts = DocumentCounts(["lamps", "unborn"], catalogue, Sizes())
    assert math.isnan(shown("documents", "lamps"))
    assert shown("documents_written_total", "lamps") == 0
    await counts.look()
    assert shown("documents", "lamps") == 7
    catalogue.live = "lamps_2"
    await counts.look()
    assert shown("documents", "lamps") == 5
    assert math.isnan(shown("documents", "unborn"))


async def test_documents_from_memory_and_from_the_store_are_told_apart():
    def counted() -> tuple[float, float]:
        return shown("documents_cached_total", LAMP_DETAILS.name), shown("documents_loaded_total", LAMP_DETAILS.name)

    events = TinyLog(installed("a"), switched_on("a"), switched_off("a"), switched_on("a")).events
    store = MemoryReadStore()
    cached, loaded = counted()
    await project_all(ScriptedLog(events[:3], cuts=[1, 1, 1]), store, [LAMP_DETAILS])
    assert counted() == (cached + 2, loaded), "the first event of a lamp needs no document"
    await project_all(ScriptedLog(events), store, [LAMP_DETAILS])
    assert counted() == (cached + 2, loaded + 1), "another process has nothing in memory"

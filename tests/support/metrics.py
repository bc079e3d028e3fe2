"""Every metric that the services and the embedded node show, as the code defines it.

`python -m tests.support.metrics` prints the README's table of them.
"""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from prometheus_client import REGISTRY

from embedded.event_store_node.metrics import node_registry

_MEASURING = (
    *(
        "application",
        "command_api.app",
        "infrastructure.http.server",
        "infrastructure.telemetry.tracing",
        "payment_webhooks.app",
        "signing_page.app",
    ),
    *(
        "event_relay.service",
        "inbound.service",
        "process_manager.service",
        "projector.service",
        "query_api.app",
        "subscriptions.service",
    ),
)


class Metric(NamedTuple):
    """As it is exposed: a counter's name ends in _total, a histogram's stands for _bucket, _sum and _count."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names that PromQL knows it by."""
        if self.type == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def every_metric() -> list[Metric]:
    """Ours, by name; what prometheus-client shows of every process is not among them."""
    for module in _MEASURING:
        importlib.import_module(module)
    found = [_metric(one) for one in list(REGISTRY._collector_to_names) if hasattr(one, "_labelnames")]
    node: Any = SimpleNamespace(data_dir=Path(__file__).parent, last_position=0, accepts_writes=True)
    for family in node_registry(node).collect():
        found.append(Metric(family.name, family.type, (), family.documentation))
    return sorted(one for one in found if one.name.startswith("eventfold_"))


def _metric(collector: Any) -> Metric:
    suffix = "_total" if collector._type == "counter" else ""
    return Metric(collector._name + suffix, collector._type, tuple(collector._labelnames), collector._documentation)


def table() -> str:
    """The README's."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for one in every_metric():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        rows.append(f"| `{one.name}` | {one.type} | {labels + ' ' if labels else ''}| {one.meaning} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())

"""Where the chart puts what the table names: the release `eventfold` in the namespace `eventfold` (docs/kubernetes.md).
The stores and the mail server are there in a trial; where production has its own elsewhere, what is said of them here
is for nobody."""

from msgspec import Struct

from deploy.mesh.calls import PROMETHEUS, READ_STORE
from ops.locations import GATEWAY, MAIL_SINK

NAMESPACE = RELEASE = "eventfold"

# Beside the release, each with a ServiceAccount of its name: the chart's values name the same namespaces.
_NAMESPACES = {GATEWAY: "gateway", PROMETHEUS: "monitoring"}
# What the chart calls by another name, and at which port it has it there.
_COMPONENTS = {READ_STORE: "mongodb", MAIL_SINK: "mail"}
_PORTS = {MAIL_SINK: 1025}


class Place(Struct, frozen=True):
    """`component` is the label of its pods; its ServiceAccount is `account`, its Service is `host`."""

    component: str
    namespace: str
    account: str
    host: str


def place_of(name: str) -> Place:
    """Of a caller or a callee of the table."""
    component = _COMPONENTS.get(name, name)
    if name in _NAMESPACES:
        namespace = _NAMESPACES[name]
        return Place(component, namespace, name, f"{name}.{namespace}.svc.cluster.local")
    own = f"{RELEASE}-{component}"
    return Place(component, NAMESPACE, own, f"{own}.{NAMESPACE}.svc.cluster.local")


def port_of(name: str, port: int) -> int:
    """Where the chart has a callee that elsewhere answers at `port`."""
    return _PORTS.get(name, port)

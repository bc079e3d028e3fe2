"""The variables that Kubernetes gives to every container for a Service, by the rules of its kubelet (`envvars.go`)."""

from collections.abc import Sequence
from typing import NamedTuple


class Port(NamedTuple):
    """A port of a Service; only the first may have no name."""

    number: int
    name: str = ""
    protocol: str = "TCP"


def kubelet_variables(service: str, ports: Sequence[Port], address: str = "10.0.0.5") -> dict[str, str]:
    """What the kubelet writes for a Service of this name, at this cluster IP."""
    prefix = _variable_name(service)
    variables = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0].number)}
    for port in ports:
        if port.name:
            variables[f"{prefix}_SERVICE_PORT_{_variable_name(port.name)}"] = str(port.number)
    authority = f"[{address}]" if ":" in address else address
    for index, port in enumerate(ports):
        url = f"{port.protocol.lower()}://{authority}:{port.number}"
        if index == 0:
            variables[f"{prefix}_PORT"] = url
        of_port = f"{prefix}_PORT_{port.number}_{port.protocol.upper()}"
        variables |= {
            of_port: url,
            f"{of_port}_PROTO": port.protocol.lower(),
            f"{of_port}_PORT": str(port.number),
            f"{of_port}_ADDR": address,
        }
    return variables


def _variable_name(text: str) -> str:
    return text.replace("-", "_").upper()


SERVICES = (
    "eventfold",
    "eventfold-command-api",
    "eventfold-query-api",
    "eventfold-projector",
    "eventfold-consumers",
    "eventfold-mongo",
    "eventfold-eventstore",
    "eventfold-host",
)


def namespace_variables() -> dict[str, str]:
    """The variables of a namespace with a Service for each of ours, and Kubernetes' own."""
    variables = kubelet_variables("kubernetes", [Port(443, "https")], "10.0.0.1")
    for number, service in enumerate(SERVICES):
        variables |= kubelet_variables(service, [Port(8001, "http"), Port(9090, "metrics")], f"10.0.0.{number + 5}")
    return variables

"""The same services in one process: the plan for many, put together."""

from collections.abc import Sequence
from dataclasses import replace

from embedded.supervisor.service import ServiceSpec
from infrastructure.settings import PREFIX
from ops.locations import MONOLITH, NODE
from ops.stack.specs import Ports, eventfold_command, http_service

_CONSUMER_NAME = f"{PREFIX}CONSUMER_NAME"


def in_one_process(stages: Sequence[Sequence[ServiceSpec]], host: str, ports: Ports) -> list[list[ServiceSpec]]:
    """The stages of `ops.stack.specs.stages`, with the services and the event store node, where one is started, in one
    process, and the other stores and what stands for the outside as they were. `ports` are those of one process.

    Every service is listed all the same, with the address that its routes have there.
    """
    stores, services = stages
    node = [spec for spec in stores if spec.name == NODE]
    node_options = [part for spec in node for part in spec.command[len(eventfold_command()) + 1 :]]
    environment: dict[str, str] = {}
    for spec in services:
        environment |= spec.environment
    if len({spec.environment[_CONSUMER_NAME] for spec in services}) > 1:
        del environment[_CONSUMER_NAME]  # nobody has chosen one for all of them
    whole = http_service(MONOLITH, host, ports.monolith, environment)
    parts = {spec.name: f"{whole.url}/-/{spec.name}" for spec in services} | {spec.name: spec.url for spec in node}
    whole = replace(whole, command=[*whole.command, *node_options], parts=parts)
    return [[spec for spec in stores if spec.name != NODE], [whole]]

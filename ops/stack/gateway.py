"""`eventfold up --gateway`: Envoy as one more process, with a configuration made of the services that run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from application import APPLICATION
from embedded.supervisor.readiness import http_ready
from embedded.supervisor.service import ServiceSpec
from infrastructure.settings import PREFIX, load_settings
from ops.errors import CommandFailed
from ops.gateway.applications import EVERY_SERVICE, applications
from ops.gateway.envoy import HOW_TO_INSTALL, envoy_command, find_envoy
from ops.gateway.errors import InvalidGateway
from ops.gateway.files import configuration, document_text, put
from ops.gateway.merged_openapi import merged_openapi
from ops.gateway.options import Endpoint, GatewayOptions
from ops.gateway.route_table import document_of, route_table
from ops.locations import GATEWAY, QUERY_API
from ops.stack.specs import Ports

_TRUSTED = f"{PREFIX}TRUSTED_PROXIES"


def with_gateway(
    stages: Sequence[Sequence[ServiceSpec]], data_dir: Path, host: str, ports: Ports
) -> list[list[ServiceSpec]]:
    """The stages with one more, which starts when all services are ready. The services take its word for who asks. It
    must be called in a running event loop.

    Raises:
        CommandFailed: Envoy is not installed, or no configuration can be made.
    """
    binary = find_envoy()
    if binary is None:
        raise CommandFailed("--gateway needs Envoy, and there is none", HOW_TO_INSTALL)
    trusting = [[_trusting(one, host) for one in stage] for stage in stages]
    services = {one.name: one for stage in trusting for one in stage if one.name in EVERY_SERVICE}
    options = GatewayOptions(
        folder=PurePosixPath(data_dir / GATEWAY),
        listen=Endpoint(host, ports.gateway),
        services={name: (Endpoint(one.host, one.port),) for name, one in services.items()},
        settings=load_settings(services[QUERY_API].environment),
        admin_port=ports.gateway_admin,
        suffix=".json",
    )
    apps = applications(APPLICATION, services)
    try:
        routes = route_table(apps)
        files = configuration(options, routes)
    except InvalidGateway as error:
        raise CommandFailed(f"there can be no gateway: {error}") from error
    document = document_text(merged_openapi({name: document_of(app) for name, app in apps.items()}, routes))
    put(data_dir / GATEWAY, options, files, document)
    return [*trusting, [_spec(binary, options, host, ports.gateway)]]


def _trusting(spec: ServiceSpec, host: str) -> ServiceSpec:
    if spec.name not in EVERY_SERVICE or spec.environment.get(_TRUSTED):
        return spec
    return replace(spec, environment={**spec.environment, _TRUSTED: host})


def _spec(binary: str, options: GatewayOptions, host: str, port: int) -> ServiceSpec:
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return ServiceSpec(
        name=GATEWAY,
        command=envoy_command(binary, options),
        host=host,
        port=port,
        url=url,
        ready=lambda: http_ready(f"{url}/health/ready"),
    )

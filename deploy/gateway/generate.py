"""Writes Envoy's configuration: `python -m deploy.gateway.generate`, after a change of any service's routes.

Where it is mounted, and where the services and the keys are, is said here.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml
from litestar import Litestar

from application import APPLICATION
from infrastructure.settings import Settings
from ops.gateway.applications import applications
from ops.gateway.files import DOCUMENT, configuration, document_text
from ops.gateway.merged_openapi import merged_openapi
from ops.gateway.options import Certificate, Endpoint, GatewayOptions
from ops.gateway.route_table import document_of, route_table
from ops.locations import COMMAND_API, EVENT_RELAY, PAYMENT_WEBHOOKS, QUERY_API, SIGNING_PAGE

FOLDER = Path(__file__).parent
_PORT = 8000
SERVICES = (COMMAND_API, QUERY_API, EVENT_RELAY, PAYMENT_WEBHOOKS, SIGNING_PAGE)
OPERATORS = False
"""Whether operators' routes are routed as well, under /operators/<service>."""
OPTIONS = GatewayOptions(
    folder=PurePosixPath("/etc/envoy"),
    listen=Endpoint("0.0.0.0", 8443),  # noqa: S104 - a container's own address
    services={name: (Endpoint(name, _PORT),) for name in SERVICES},
    settings=Settings.of(auth_jwks_file="/etc/envoy/keys/jwks.json"),
    admin_port=9901,
    metrics=Endpoint("0.0.0.0", 9902),  # noqa: S104 - a container's own address
    certificate=Certificate("/etc/envoy/certificate/tls.crt", "/etc/envoy/certificate/tls.key"),
)
_HEAD = "# Written by `python -m deploy.gateway.generate`; see deploy/gateway/README.md.\n"


def files(services: Mapping[str, Litestar]) -> Mapping[str, str]:
    """Each file's name and content, from the applications of SERVICES."""
    routes = route_table(services, operators=OPERATORS)
    document = merged_openapi({name: document_of(app) for name, app in services.items()}, routes)
    written = {
        f"{name}{OPTIONS.suffix}": _HEAD + yaml.safe_dump(one, sort_keys=False, width=120)
        for name, one in configuration(OPTIONS, routes).items()
    }
    return {**written, DOCUMENT: document_text(document)}


async def _services() -> Mapping[str, Litestar]:
    return applications(APPLICATION, SERVICES)


def main() -> None:
    """Writes every file."""
    for name, text in files(asyncio.run(_services())).items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()

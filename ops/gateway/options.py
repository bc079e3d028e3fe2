"""What a gateway is to be: where the services are, which tokens it takes, what clients may ask, its certificate."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from msgspec import Struct

from infrastructure.settings import Settings


class Endpoint(NamedTuple):
    """Where one instance listens, or, by a name of DNS, every instance."""

    host: str
    port: int


class Certificate(Struct, frozen=True):
    """Files in PEM. They are read again when one is moved into their folder."""

    chain: str
    key: str


class GatewayOptions(Struct, frozen=True):
    """`folder` is where Envoy finds the files of its configuration, as Envoy sees it. `settings` are those of the
    services: their tokens, bounds and limits are the gateway's too. `admin_port` is on loopback alone; at `metrics`
    Prometheus reads Envoy's figures, and nothing else can be reached there. `traces` is an OTLP receiver over HTTP, to
    which the gateway sends a span of each request."""

    folder: PurePosixPath
    listen: Endpoint
    services: Mapping[str, tuple[Endpoint, ...]]
    settings: Settings
    admin_port: int
    metrics: Endpoint | None = None
    certificate: Certificate | None = None
    traces: Endpoint | None = None
    suffix: str = ".yaml"

    def file(self, name: str) -> str:
        """The path of one of the configuration's files."""
        return str(self.folder / f"{name}{self.suffix}")

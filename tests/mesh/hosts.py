"""Two hosts: on the far one the event store and a provider behind their sidecars, on the near one the callers'."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import pytest

from deploy.mesh.calls import CALLEES, EVENT_STORE, Callee
from deploy.mesh.sidecar import Inbound, Outbound, Sidecar, configuration, identity
from infrastructure.event_store import EventStore
from ops.gateway.options import Endpoint
from ops.locations import COMMAND_API, PAYMENT_PROVIDER, QUERY_API
from tests.support.authority import Authority
from tests.support.envoy import Envoy, envoy_binary
from tests.support.network import THERE, Network
from tests.support.ports import free_port
from tests.support.services import ROOT

STORE_PORT, PROVIDER_PORT = 12_113, 18_021
_NODE, _PROVIDER, _ADMIN = 2113, 8021, 9901
_LOOPBACK = "127.0.0.1"


def callee(name: str) -> Callee:
    return next(one for one in CALLEES if one.name == name)


class Hosts:
    """`authority` is whom all trust. `stores` are the ports, on this host, at which each caller reaches the event
    store; `providers` those of the payment provider."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.stores = {name: free_port() for name in (COMMAND_API, QUERY_API)}
        self.providers = {name: free_port() for name in (COMMAND_API, QUERY_API)}
        self.callers = {name: self._sidecar(self._caller(name)) for name in (COMMAND_API, QUERY_API)}
        self.far = self._sidecar(self._far(), network.inside([]))

    def _far(self) -> Sidecar:
        """One Envoy for both, with the name of the event store and of the provider in its certificate."""
        inbound = (
            Inbound(callee(EVENT_STORE), Endpoint(THERE, STORE_PORT), Endpoint(_LOOPBACK, _NODE)),
            Inbound(callee(PAYMENT_PROVIDER), Endpoint(THERE, PROVIDER_PORT), Endpoint(_LOOPBACK, _PROVIDER)),
        )
        return Sidecar(EVENT_STORE, self.certificates(EVENT_STORE), _ADMIN, inbound)

    def _caller(self, name: str) -> Sidecar:
        outbound = (
            Outbound(callee(EVENT_STORE), Endpoint(_LOOPBACK, self.stores[name]), (Endpoint(THERE, STORE_PORT),)),
            Outbound(
                callee(PAYMENT_PROVIDER), Endpoint(_LOOPBACK, self.providers[name]), (Endpoint(THERE, PROVIDER_PORT),)
            ),
        )
        return Sidecar(name, self.certificates(name), free_port(), outbound=outbound)

    def certificates(self, name: str) -> PurePosixPath:
        return PurePosixPath(self.folder / name)

    def issue(self, name: str, authority: Authority | None = None, *, expired: bool = False) -> None:
        """A new certificate for the sidecar of that name, in place of the one that it has."""
        names = [name, PAYMENT_PROVIDER] if name == EVENT_STORE else [name]
        folder = Path(self.certificates(name))
        (authority or self.authority).issue(folder, *(identity(one) for one in names), expired=expired)

    def _sidecar(self, sidecar: Sidecar, inside: list[str] | None = None) -> Envoy:
        folder = Path(sidecar.certificates)
        self.issue(sidecar.service)
        (folder / "ca.pem").write_bytes(self.authority.ca.read_bytes())
        for name, content in configuration(sidecar).items():
            (folder / f"{name}.json").write_text(json.dumps(content))
        command = [envoy_binary(), "--config-path", str(folder / "envoy.json"), "--concurrency", "1"]
        command += ["--disable-hot-restart", "--log-level", "warning", "--file-flush-interval-msec", "200"]
        return Envoy(command, sidecar.admin_port, folder / "envoy.log", inside or [])

    def store(self, caller: str, deadline: float = 5.0) -> EventStore:
        """The event store as that caller reaches it."""
        uri = f"esdb://{_LOOPBACK}:{self.stores[caller]}?Tls=false&KeepAliveInterval=500&KeepAliveTimeout=500"
        return EventStore(uri, deadline=deadline)


def _server(network: Network, folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    """A Python module on the far host."""
    with (folder / "servers.log").open("ab") as log:
        return subprocess.Popen(network.inside([sys.executable, "-m", *command]), cwd=ROOT, stdout=log, stderr=log)


@asynccontextmanager
async def running(network: Network, folder: Path) -> AsyncIterator[Hosts]:
    """Node, provider and sidecars, for the block; skips the test where there is no curl, which asks the far sidecar."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    hosts = Hosts(network, folder)
    node = ["embedded.event_store_node", "--port", str(_NODE), "--data-dir", str(folder / "node")]
    provider = ["http.server", "--bind", _LOOPBACK, "--directory", str(folder / "authority"), str(_PROVIDER)]
    servers = [_server(network, folder, *one) for one in (node, provider)]
    envoys = [hosts.far, *hosts.callers.values()]
    try:
        for one in envoys:
            await asyncio.to_thread(one.start)
        yield hosts
    finally:
        for one in envoys:
            one.stop()
        for server in servers:
            server.kill()
            server.wait()

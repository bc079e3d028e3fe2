"""Where the node listens, and what it tells clients to connect to."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest
from access_support import certificate
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, StreamState
from esdbclient.protos.Grpc import gossip_pb2_grpc, shared_pb2
from node_support import NodeProcess, connected, event

from embedded.event_store_node import EventStoreNode, listening
from embedded.event_store_node.security.security import Security, TlsFiles
from embedded.event_store_node.security.tls import is_certificate_for


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")


@pytest.fixture
def taken_on_ipv6() -> Iterator[int]:
    """A port that another program listens on, on ::1 only."""
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        yield taken.getsockname()[1]


async def advertised(host: str, port: int) -> tuple[str, int]:
    """What the node at this address tells clients to connect to."""
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        reply = await gossip_pb2_grpc.GossipStub(channel).Read(shared_pb2.Empty())
    end_point = reply.members[0].http_end_point
    return end_point.address, end_point.port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", pytest.param("[::1]", marks=needs_ipv6)])
async def test_a_node_on_loopback_is_localhost(host: str) -> None:
    async with EventStoreNode(host=host) as node:
        assert await advertised(node.host, node.port) == ("localhost", node.port)
        for name in ("localhost", "127.0.0.1", *(["[::1]"] if has_ipv6() else [])):
            async with connected(f"esdb://{name}:{node.port}?Tls=false") as client:
                await client.append_to_stream(name, current_version=StreamState.NO_STREAM, events=[event()])


async def test_a_node_on_another_loopback_address_is_not_localhost() -> None:
    async with EventStoreNode(host="127.0.0.2") as node:
        assert await advertised(node.host, node.port) == ("127.0.0.2", node.port)


@needs_ipv6
async def test_what_somebody_else_answers_at_is_not_advertised(taken_on_ipv6: int) -> None:
    async with EventStoreNode(port=taken_on_ipv6) as node:
        assert await advertised(node.host, node.port) == ("127.0.0.1", node.port)


async def test_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    obstacle = listening._obstacle
    missing = OSError(errno.EADDRNOTAVAIL, "no such address")
    monkeypatch.setattr(listening, "_obstacle", lambda host, port: missing if ":" in host else obstacle(host, port))
    async with EventStoreNode() as node:
        assert await advertised(node.host, node.port) == ("localhost", node.port)


async def test_an_advertised_host(tmp_path: Path) -> None:
    process = NodeProcess(tmp_path, "--in-memory", "--advertise-host", "store.example")
    process.start()
    assert await advertised("127.0.0.1", process.port) == ("store.example", process.port)
    assert process.terminate() == (0, "")


# TLS


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [("IP:127.0.0.1,DNS:localhost", "localhost"), ("DNS:localhost", "localhost"), ("IP:127.0.0.1", "127.0.0.1")],
)
async def test_the_certificate_holds_the_advertised_name(tmp_path: Path, hosts: str, expected: str) -> None:
    tls = TlsFiles(*certificate(tmp_path, hosts=hosts))
    async with EventStoreNode(security=Security(tls)) as node:
        assert node.advertised_host == expected
        client = AsyncEventStoreDBClient(
            f"esdb+discover://u:p@{expected}:{node.port}", root_certificates=tls.certificate.read_bytes()
        )
        await client.connect()
        await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
        await client.close()


def test_names_in_a_certificate_of_an_authority(tmp_path: Path) -> None:
    certificate(tmp_path, "ca")
    tls = TlsFiles(*certificate(tmp_path, "issued", ca="ca", hosts="DNS:localhost,DNS:node.example"))
    assert is_certificate_for("localhost", tls)
    assert is_certificate_for("node.example", tls)
    assert not is_certificate_for("other", tls)


def test_discovery_by_the_sync_client_with_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    process = NodeProcess(tmp_path, "--in-memory", "--tls-cert", str(cert), "--tls-key", str(key))
    process.start()
    node = f"localhost:{process.port}"
    for uri in (f"esdb+discover://u:p@{node}", f"esdb://u:p@{node},{node}"):
        with EventStoreDBClient(f"{uri}?TlsCaFile={cert}") as client:
            client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])
    assert process.terminate() == (0, "")

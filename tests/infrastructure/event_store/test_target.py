"""What the HTTP/2 reader takes from a connection string, and what it leaves to gRPC."""

import ssl

import pytest
from esdbclient import AsyncEventStoreDBClient

from infrastructure.event_store.connection import KEEP_ALIVE
from infrastructure.event_store.http2.target import Target, Unsupported, target_of
from tests.embedded.event_store_node.access_support import certificate

ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy", ROOTS):
        monkeypatch.delenv(name, raising=False)


async def target(uri: str, address: str | None = None) -> Target:
    client = AsyncEventStoreDBClient(uri)
    if address is None:
        await client.connect()
    else:
        client._connection = client._construct_esdb_connection(address)
    try:
        return target_of(client, client._call_metadata, KEEP_ALIVE)
    finally:
        await client._connection.close()


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("node.example:2114", "node.example", 2114), ("[::1]:1", "::1", 1), ("10.0.0.1:2113", "10.0.0.1", 2113)],
)
async def test_addresses(address, host, port):
    found = await target("esdb://a?Tls=false", address)
    assert (found.host, found.port, found.authority, found.is_secure) == (host, port, address, False)


async def test_the_address_is_the_one_that_has_been_found():
    assert (await target("esdb://one:1,two:2?Tls=false", "leader:3")).host == "leader"


@pytest.mark.parametrize("address", ["dns:///node:2113", "unix:/run/node:1", "node", ":2113"])
async def test_addresses_that_only_grpc_knows(address):
    with pytest.raises(Unsupported, match="address"):
        await target("esdb://a?Tls=false", address)


async def test_credentials_go_only_through_tls():
    secured = dict((await target("esdb://ann:a%3Ab@a?ConnectionName=me")).headers)
    assert secured["authorization"].startswith("Basic ")
    assert (secured[":scheme"], secured["connection-name"]) == ("https", "me")
    clear = dict((await target("esdb://ann:x@a?Tls=false")).headers)
    assert "authorization" not in clear
    assert clear[":scheme"] == "http"


@pytest.mark.parametrize("name", ["grpc_proxy", "https_proxy", "http_proxy"])
async def test_proxies(name, monkeypatch):
    monkeypatch.setenv(name, "http://proxy:3128")
    with pytest.raises(Unsupported, match="proxy"):
        await target("esdb://node.example:1?Tls=false")
    monkeypatch.setenv("no_proxy", "localhost, .example")
    assert (await target("esdb://node.example:1?Tls=false")).host == "node.example"
    with pytest.raises(Unsupported):
        await target("esdb://counterexample:1?Tls=false")


async def test_roots(monkeypatch, tmp_path):
    """The connection string's, else the file that gRPC would read, else the system's."""
    certificate(tmp_path, "one")
    monkeypatch.setenv(ROOTS, str(tmp_path / "no.crt"))
    with pytest.raises(OSError, match="No such file"):
        (await target("esdb://a:b@c:1")).tls()
    named = (await target(f"esdb://a:b@c:1?TlsCaFile={tmp_path / 'one.crt'}")).tls()
    monkeypatch.setenv(ROOTS, str(tmp_path / "one.crt"))
    by_environment = (await target("esdb://a:b@c:1")).tls()
    assert len(named.get_ca_certs()) == len(by_environment.get_ca_certs()) == 1
    assert (await target("esdb://c:1?Tls=false")).tls() is None


async def test_an_empty_file_of_roots_trusts_nobody(tmp_path):
    empty = tmp_path / "empty.crt"
    empty.touch()
    with pytest.raises((OSError, ValueError)):
        (await target(f"esdb://a:b@c:1?TlsCaFile={empty}")).tls()


async def test_tls_is_checked_unless_told_otherwise():
    checked = (await target("esdb://a:b@c:1")).tls()
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    unchecked = (await target("esdb://a:b@c:1?TlsVerifyCert=false")).tls()
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)

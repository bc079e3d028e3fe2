"""TLS and passwords as official clients use them, and what a node refuses to listen on."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from access_support import as_user, certificate, users_file
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, StreamState
from esdbclient.exceptions import GrpcError, ServiceUnavailable
from esdbclient.protos.Grpc import streams_pb2, streams_pb2_grpc
from node_support import NodeProcess, batch_request, event, messages, read_options

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.main import main
from embedded.event_store_node.security.binding import is_loopback, refuse_exposure
from embedded.event_store_node.security.security import Security, SecurityError, TlsFiles
from embedded.event_store_node.security.tls import server_credentials


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    certificate(directory)
    users_file(directory)
    return directory


@pytest.fixture(scope="module")
def tls(directory: Path) -> TlsFiles:
    return TlsFiles(directory / "node.crt", directory / "node.key")


@pytest.fixture
async def node(directory: Path, tls: TlsFiles) -> AsyncIterator[EventStoreNode]:
    async with EventStoreNode(security=Security(tls, directory / "users.json")) as node:
        yield node


def uri(node: EventStoreNode, credentials: str = "admin:changeit", scheme: str = "esdb") -> str:
    return f"{scheme}://{credentials}@{node.host}:{node.port}?Tls=true"


async def client_of(node: EventStoreNode, tls: TlsFiles, **how: str) -> AsyncEventStoreDBClient:
    client = AsyncEventStoreDBClient(uri(node, **how), root_certificates=tls.certificate.read_bytes())
    await client.connect()
    return client


# Clients


@pytest.mark.parametrize("scheme", ["esdb", "esdb+discover"])
async def test_the_async_client(node: EventStoreNode, tls: TlsFiles, scheme: str) -> None:
    client = await client_of(node, tls, scheme=scheme)
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
    assert len(await client.get_stream("s")) == 1
    subscription = await client.subscribe_to_all()
    assert (await anext(subscription)).stream_name == "s"
    await subscription.stop()
    await client.close()


def test_the_sync_client(directory: Path, tls: TlsFiles, tmp_path: Path) -> None:
    process = NodeProcess(
        tmp_path,
        *("--in-memory", "--tls-cert", str(tls.certificate), "--tls-key", str(tls.key)),
        *("--users", str(directory / "users.json")),
    )
    process.start()
    secured = f"esdb://admin:changeit@127.0.0.1:{process.port}?Tls=true&TlsCaFile={tls.certificate}"
    with EventStoreDBClient(secured) as client:
        client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
        client.append_to_stream("s", current_version=0, events=event())
        assert len(client.get_stream("s")) == 2
    assert process.terminate() == (0, "")


async def test_a_wrong_password(node: EventStoreNode, tls: TlsFiles) -> None:
    client = await client_of(node, tls, credentials="admin:wrong")
    with pytest.raises(GrpcError) as refusal:
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])
    assert "UNAUTHENTICATED" in str(refusal.value)
    await client.close()


async def test_a_client_without_tls_or_with_another_ca_does_not_get_in(node: EventStoreNode, tmp_path: Path) -> None:
    stranger, _ = certificate(tmp_path, "stranger")
    for client in (
        AsyncEventStoreDBClient(f"esdb://{node.host}:{node.port}?Tls=false"),
        AsyncEventStoreDBClient(uri(node), root_certificates=stranger.read_bytes()),
    ):
        await client.connect()
        with pytest.raises(ServiceUnavailable):
            await client.get_stream("s")
        await client.close()


async def test_client_certificates(directory: Path, tls: TlsFiles) -> None:
    certificate(directory, "ca")
    cert, key = certificate(directory, "client", ca="ca")
    mutual = TlsFiles(tls.certificate, tls.key, directory / "ca.crt")
    async with EventStoreNode(security=Security(mutual)) as node:
        root = tls.certificate.read_bytes()
        # Files named in the URI: the client ignores its own arguments for them.
        named = f"{uri(node)}&UserCertFile={cert}&UserKeyFile={key}"
        with_certificate = AsyncEventStoreDBClient(named, root_certificates=root)
        await with_certificate.connect()
        await with_certificate.append_to_stream("s", current_version=StreamState.ANY, events=[event()])
        await with_certificate.close()
        without = AsyncEventStoreDBClient(uri(node), root_certificates=root)
        await without.connect()
        with pytest.raises(ServiceUnavailable):
            await without.get_stream("s")
        await without.close()


async def test_tls_without_users_is_open(tls: TlsFiles) -> None:
    async with EventStoreNode(security=Security(tls)) as node:
        credentials = grpc.ssl_channel_credentials(tls.certificate.read_bytes())
        async with grpc.aio.secure_channel(f"{node.host}:{node.port}", credentials) as channel:
            stub = streams_pb2_grpc.StreamsStub(channel)
            answers = await messages(stub.BatchAppend(iter([batch_request("$s", [event()])]), metadata=as_user("ann")))
            assert answers[0].WhichOneof("result") == "success"
            assert len(await messages(stub.Read(streams_pb2.ReadReq(options=read_options())))) == 1


# Files that do not do


def test_certificates_that_are_refused(directory: Path, tls: TlsFiles, tmp_path: Path) -> None:
    other_cert, other_key = certificate(tmp_path, "other")
    text = tmp_path / "text"
    text.write_text("important notes")
    for files, said in (
        (TlsFiles(tmp_path / "no", tls.key), f"{tmp_path / 'no'} cannot be read: No such file or directory"),
        (TlsFiles(tls.certificate, tmp_path / "no"), "cannot be read"),
        (TlsFiles(tls.certificate, tls.key, tmp_path / "no"), "cannot be read"),
        (TlsFiles(tls.certificate, other_key), "key values mismatch"),
        (TlsFiles(text, tls.key), f"the certificate {text} and the key {tls.key} cannot be used"),
        (TlsFiles(other_cert, text), "cannot be used"),
        (TlsFiles(tls.certificate, tls.key, text), f"{text} holds no certificates"),
    ):
        with pytest.raises(SecurityError, match=r".") as refusal:
            server_credentials(files)
        assert said in str(refusal.value)


def test_an_encrypted_key_is_refused(directory: Path, tls: TlsFiles, tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(
        ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in", str(tls.key), "-out", str(encrypted)],
        check=True,
        capture_output=True,
    )
    with pytest.raises(SecurityError, match="encrypted"):
        server_credentials(TlsFiles(tls.certificate, encrypted))


def test_a_node_whose_certificate_is_missing_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no = str(tmp_path / "no")
    arguments = ["--port", "0", "--data-dir", str(tmp_path / "data"), "--tls-cert", no, "--tls-key", no]
    assert main(arguments) == 1
    assert capsys.readouterr().err == f"event store node: {no} cannot be read: No such file or directory\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "arguments", [["--tls-cert", "c"], ["--tls-key", "k"], ["--tls-ca", "a"]], ids=lambda words: words[0]
)
def test_options_that_go_together(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--in-memory", *arguments])
    assert end.value.code == 2
    assert "--tls-key" in capsys.readouterr().err


# Addresses


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("node.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_exposure(tls: TlsFiles) -> None:
    users = Path("users")
    refuse_exposure("127.0.0.1", Security())
    refuse_exposure("127.0.0.1", Security(tls))
    refuse_exposure("0.0.0.0", Security(tls, users))
    for security in (Security(), Security(tls)):
        with pytest.raises(SecurityError, match=r"0\.0\.0\.0 can be reached from other machines: give --tls-cert"):
            refuse_exposure("0.0.0.0", security)
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(SecurityError, match="--users needs --tls-cert and --tls-key"):
            refuse_exposure(host, Security(None, users))


def test_a_node_is_not_exposed_by_oversight(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path / "data")]) == 1
    assert "or --insecure to let everybody read and write" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_node_is_exposed_when_told_so(tmp_path: Path) -> None:
    # The last --host counts: nothing really listens on other addresses here.
    process = NodeProcess(tmp_path, "--in-memory", "--insecure", "--users", str(users_file(tmp_path)))
    assert "ready on 127.0.0.1" in process.start()
    assert process.terminate() == (0, "")

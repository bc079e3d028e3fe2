"""Documents in a bucket: over a real server where there is one, and what is said of a server that fails."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from infrastructure.document_store import (
    AlteredDocument,
    DocumentStoreUnavailable,
    EncryptedDocuments,
    NoSuchDocument,
    document_store,
)
from infrastructure.document_store.s3_blobs import Bucket, S3Blobs
from infrastructure.resilience import Delays, Policy
from infrastructure.resilience.limits import Limits
from infrastructure.settings import InvalidSettings, Settings
from tests.infrastructure.document_store.stores import s3_server
from tests.support.memory_keys import memory_keys
from tests.support.s3 import S3Server

__all__ = ["s3_server"]

pytestmark = pytest.mark.skipif(find_spec("obstore") is None, reason="needs obstore: pip install 'eventfold[s3]'")

A = "a" * 64
PATIENT = Limits(timeout=60, retries=0)


def blobs_of(bucket: Bucket, limits: Limits = PATIENT) -> S3Blobs:
    return S3Blobs(bucket, Policy("documents", limits, delays=Delays(first=0.0, cap=0.0)))


Answer = Callable[[bytes], bytes | None]


class Server:
    """Answers every request with what the test says; None: never. `asked` are the request lines."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[bytes] = []

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def bucket(self) -> Bucket:
        port = self._server.sockets[0].getsockname()[1]
        return Bucket("documents", "", f"http://127.0.0.1:{port}", "us-east-1", "key", "secret")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.partition(b"\r\n")[0])
        answer = self._answer(head)
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()


def response(status: str, code: str = "") -> bytes:
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
    return f'HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\netag: "1"\r\nconnection: close\r\n\r\n'.encode() + body


async def fails(call: Awaitable[object], why: str) -> None:
    with pytest.raises(DocumentStoreUnavailable, match=why):
        await call


async def test_a_server_that_is_away_is_asked_again_and_then_no_more() -> None:
    async with Server(lambda _head: b"") as gone:
        bucket = gone.bucket
    blobs = blobs_of(bucket, Limits(timeout=60, retries=1, failure_threshold=1, recovery_timeout=600))
    await fails(blobs.read(A), "bucket documents: ")
    await fails(blobs.write(A, b"x"), "not asked: ")


async def test_one_that_never_answers_is_given_its_time() -> None:
    async with Server(lambda _head: None) as server:
        blobs = blobs_of(server.bucket, Limits(timeout=0.3, retries=1))
        await fails(blobs.read(A), r"no answer within 0\.3 s")
        assert len(server.asked) == 2


@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch"])
async def test_one_that_refuses_is_not_asked_again(code: str) -> None:
    async with Server(lambda _head: response("403 Forbidden", code)) as server:
        blobs = blobs_of(server.bucket, Limits(timeout=60, retries=3))
        await fails(blobs.read(A), "the server refuses it")
        await fails(blobs.write(A, b"x"), "the server refuses it")
        assert len(server.asked) == 2


async def test_a_fault_of_the_moment_is_mended_by_asking_again() -> None:
    # Whether it is there, twice, and the document.
    answers = iter([response("503 Slow Down", "SlowDown"), response("404 Not Found", "NoSuchKey"), response("200 OK")])
    async with Server(lambda _head: next(answers)) as server:
        assert await blobs_of(server.bucket, Limits(timeout=60, retries=2)).write(A, b"x")


async def test_one_without_conditional_writes_is_asked_before() -> None:
    def answer(head: bytes) -> bytes:
        if b"if-none-match" in head.lower():
            return response("501 Not Implemented", "NotImplemented")
        return response("404 Not Found") if head.startswith(b"HEAD") else response("200 OK")

    async with Server(answer) as server:
        blobs = blobs_of(server.bucket)
        assert await blobs.write(A, b"x")
        assert await blobs.write(A, b"x")
        assert [line[:4] for line in server.asked] == [b"HEAD", b"PUT ", b"PUT ", b"HEAD", b"PUT "]


async def test_a_bucket_that_is_not_there(s3_server: S3Server) -> None:
    bucket = s3_server.bucket("")
    blobs = blobs_of(
        Bucket("nowhere", "", bucket.endpoint, bucket.region, bucket.access_key_id, bucket.secret_access_key)
    )
    for call in (blobs.read(A), blobs.write(A, b"x")):
        await fails(call, "there is no bucket nowhere")


async def test_an_object_that_was_altered_is_told(s3_server: S3Server) -> None:
    documents = EncryptedDocuments(blobs_of(s3_server.bucket("altered")), memory_keys())
    digest = await documents.put(b"the contract", "customer/ada")
    blob = await documents.blobs.read(digest)
    await documents.blobs.write(digest, blob[:-1] + b"!", replace=True)
    with pytest.raises(AlteredDocument):
        await documents.get(digest)


WRITER = """
import asyncio, sys
from infrastructure.document_store.s3_blobs import Bucket, S3Blobs
from infrastructure.resilience import Policy
from infrastructure.resilience.limits import Limits
bucket = Bucket("documents", "killed", sys.argv[1], "us-east-1", sys.argv[2], sys.argv[3])
asyncio.run(S3Blobs(bucket, Policy("documents", Limits(timeout=600))).write("a" * 64, b"x" * (8 << 20)))
"""


async def test_a_writer_that_is_killed_in_the_middle_leaves_nothing(s3_server: S3Server, tmp_path: Path) -> None:
    """What it sends goes through us, and stops half-way; then it is killed."""
    passed = asyncio.Event()
    host, _, port = s3_server.url.removeprefix("http://").partition(":")

    async def answer(server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while part := await server.read(65_536):
            client.write(part)
        client.close()

    async def relay(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Its question whether the document is there already passes, and the first MiB of the document."""
        server, onward = await asyncio.open_connection(host, int(port))
        async with asyncio.TaskGroup() as side_by_side:
            answering = side_by_side.create_task(answer(server, back))
            left = 1 << 20
            while left > 0 and (part := await client.read(min(left, 65_536))):
                onward.write(part)
                await onward.drain()
                left -= len(part)
            if left <= 0:
                passed.set()
                await client.read(1)  # the rest never comes through
            onward.close()
            answering.cancel()
        back.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    bucket = s3_server.bucket("killed")
    writing = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, url, bucket.access_key_id, bucket.secret_access_key, stderr=subprocess.DEVNULL
    )
    await passed.wait()
    os.kill(writing.pid, signal.SIGKILL)
    await writing.wait()
    server.close()
    blobs = blobs_of(bucket)
    with pytest.raises(NoSuchDocument):
        await blobs.read(A)
    assert await blobs.write(A, b"the document")
    assert await blobs.read(A) == b"the document"


def test_the_settings_name_it(tmp_path: Path) -> None:
    given = {"document_store": "s3:documents/shop/", "s3_access_key_id": "k", "s3_secret_access_key": "s"}
    store = document_store(Settings.of(**given))
    assert store is not None
    assert isinstance(store.blobs, S3Blobs)
    assert [policy.name for policy in store.policies] == ["documents"]
    assert store.blobs.path_of(A) == f"aa/{A}.pdf"
    assert "secret" not in repr(
        Settings.of(**{**given, "s3_secret_access_key": "secret"}).document_bucket.access_key_id
    )
    for wrong, why in (
        ({"document_store": "s3:"}, "names no bucket"),
        ({"document_store": "s3:documents", "s3_access_key_id": "k"}, "go together"),
        ({"document_store": "gs:documents"}, "begins with file: or s3:"),
    ):
        with pytest.raises(InvalidSettings, match=why):
            document_store(Settings.of(**wrong))

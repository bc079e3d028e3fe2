"""Time stamps of an authority over HTTP, and signatures that hold after their certificate has expired."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from infrastructure.outside.signing import SealFailed
from infrastructure.outside.signing.configured import sealer
from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.outside.signing.facts import signature_facts
from infrastructure.outside.signing.verification import verify_signatures
from infrastructure.resilience import DependencyUnavailable, Policy
from infrastructure.resilience.limits import Limits
from infrastructure.settings import InvalidSettings, Settings
from tests.infrastructure.outside.signing.test_pades import document
from tests.support.http_session import http_session

pytestmark = pytest.mark.skipif(
    find_spec("pyhanko") is None or find_spec("typst") is None,
    reason="needs pyHanko and typst: pip install 'eventfold[documents]'",
)

__all__ = ["document"]

LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentCa:
    """Its signer is valid for a day."""
    made = DevelopmentCa(tmp_path_factory.mktemp("ca"), signer_valid=timedelta(days=1))
    made.make()
    return made


@asynccontextmanager
async def authority(ca: DevelopmentCa) -> AsyncIterator[str]:
    """The URL of an authority for times over HTTP."""
    from infrastructure.outside.signing.time_authority import serve_times, time_authority

    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    app = time_authority(ca.time_key, ca.time_certificate)
    serving = asyncio.create_task(serve_times(app, "127.0.0.1", 0, started.set_result))
    yield await started
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def sealed(ca: DevelopmentCa, document: bytes, level: str, url: str) -> bytes:
    given = Settings.of(
        document_signing_key_file=str(ca.signing_key),
        document_signing_certificate_file=str(ca.signing_certificates),
        document_timestamp_url=url,
        document_signing_level=level,
        document_revocations_file=str(ca.revocations),
    )
    made = sealer(given)
    assert made is not None
    return (await made().seal(document, "signed by Ada")).content


@pytest.mark.parametrize(("level", "lasts"), [("b", False), ("lt", True), ("lta", True)])
async def test_after_the_certificate_has_expired(ca: DevelopmentCa, document: bytes, level: str, lasts: bool) -> None:
    async with authority(ca) as url:
        made = await sealed(ca, document, level, url)
    assert made.startswith(document)
    (now,) = await verify_signatures(made, ca.authority)
    assert (now.holds, now.timestamped, now.lasting) == (True, True, False), now
    (later,) = await verify_signatures(made, ca.authority, LATER)
    assert (later.holds, later.lasting) == (lasts, lasts), later
    (fact,) = signature_facts(made)
    assert fact.stamped_at is not None
    assert "Eventfold development time" in fact.stamped_by


async def test_of_another_authority_it_does_not_hold_later_either(
    ca: DevelopmentCa, document: bytes, tmp_path: Path
) -> None:
    other = DevelopmentCa(tmp_path / "other")
    other.make()
    async with authority(ca) as url:
        made = await sealed(ca, document, "lta", url)
    for moment in (None, LATER):
        (verdict,) = await verify_signatures(made, other.authority, moment)
        assert not verdict.holds
    at = len(document) // 2
    altered = made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :]
    assert not [one for one in await _verdicts(altered, ca) if one]


async def _verdicts(document: bytes, ca: DevelopmentCa) -> list[bool]:
    try:
        return [one.holds for one in await verify_signatures(document, ca.authority, LATER)]
    except ValueError:
        return []  # it is no PDF any more


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="needs pdfsig: apt-get install poppler-utils")
async def test_poppler_says_the_same(ca: DevelopmentCa, document: bytes, tmp_path: Path) -> None:
    async with authority(ca) as url:
        (tmp_path / "it.pdf").write_bytes(await sealed(ca, document, "lta", url))
    said = await asyncio.to_thread(
        subprocess.run, ["pdfsig", str(tmp_path / "it.pdf")], capture_output=True, text=True, check=False
    )
    assert "Signature is Valid." in said.stdout


async def test_without_what_was_revoked_nothing_is_sealed(ca: DevelopmentCa, document: bytes, tmp_path: Path) -> None:
    other = DevelopmentCa(tmp_path / "other")
    other.make()
    ca_with_wrong_lists = DevelopmentCa(ca.authority.parent)
    ca_with_wrong_lists.revocations = other.revocations
    async with authority(ca) as url:
        with pytest.raises(SealFailed, match="certificate could not be validated"):
            await sealed(ca_with_wrong_lists, document, "lt", url)
    ca_with_wrong_lists.revocations = tmp_path / "nowhere"
    with pytest.raises(SealFailed, match="can't be read"):
        await sealed(ca_with_wrong_lists, document, "lt", "http://127.0.0.1:9/")


Answer = Callable[[], bytes | None]


async def asked(ca: DevelopmentCa, document: bytes, answer: bytes | None) -> str:
    """Why nothing is sealed where an authority answers this; None: never."""
    from infrastructure.outside.signing.keys import key_in_file
    from infrastructure.outside.signing.pades import PadesSealer
    from infrastructure.outside.signing.time_stamps import HttpTimeStamps

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    limits = Limits(timeout=60 if answer is not None else 0.3, retries=0)
    times = HttpTimeStamps(url, Policy("timestamps", limits))
    with pytest.raises(DependencyUnavailable) as failed:
        await PadesSealer(key_in_file(ca.signing_key, ca.signing_certificates), times).seal(document, "signed by Ada")
    server.close()
    return failed.value.cause


def response(body: bytes, kind: str = "application/timestamp-reply", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


async def test_an_authority_that_is_wrong_is_as_one_that_is_away(ca: DevelopmentCa, document: bytes) -> None:
    assert "answers 500" in await asked(ca, document, response(b"", status="500 Oh"))
    assert "answers 302" in await asked(ca, document, response(b"", status="302 Found"))
    assert "answers text/html" in await asked(ca, document, response(b"<html>", "text/html"))
    for body in (b"", b"hello", b"0\x03\x02\x01"):
        assert "no time stamp" in await asked(ca, document, response(body))
    assert "no answer within" in await asked(ca, document, None)
    # A refusal, as the protocol has it: status 2.
    assert await asked(ca, document, response(bytes.fromhex("30053003020102")))


async def test_what_is_no_request_is_refused(ca: DevelopmentCa) -> None:

    async with authority(ca) as url, http_session() as session:
        for kind, body, status in (("text/plain", b"", 415), ("application/timestamp-query", b"hello", 400)):
            async with session.post(url, data=body, headers={"Content-Type": kind}) as answer:
                assert answer.status == status


def test_settings_that_contradict_one_another() -> None:
    pair = {"document_signing_key_file": "k", "document_signing_certificate_file": "c"}
    for given, why in (
        ({**pair, "document_signing_level": "lt"}, "needs EVENTFOLD_DOCUMENT_TIMESTAMP_URL"),
        ({**pair, "document_pkcs11_module": "m"}, "exclude each other"),
        ({"document_pkcs11_module": "m"}, "needs EVENTFOLD_DOCUMENT_PKCS11_TOKEN"),
    ):
        with pytest.raises(InvalidSettings, match=why):
            sealer(Settings.of(**given))

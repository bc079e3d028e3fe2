"""Digital signatures upon documents: verified by pyHanko's validator and by poppler's, and broken by any byte."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from infrastructure.outside.pdf import DocumentTemplate
from infrastructure.outside.pdf.typst_renderer import TypstRenderer
from infrastructure.outside.signing import SealFailed
from infrastructure.outside.signing.configured import sealer
from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.outside.signing.keys import key_in_file
from infrastructure.outside.signing.pades import PadesSealer
from infrastructure.outside.signing.verification import verify_signatures
from infrastructure.resilience import DependencyUnavailable
from infrastructure.settings import InvalidSettings, Settings
from ops.cli import main

pytestmark = pytest.mark.skipif(
    find_spec("pyhanko") is None or find_spec("typst") is None,
    reason="needs pyHanko and typst: pip install 'eventfold[documents]'",
)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentCa:
    made = DevelopmentCa(tmp_path_factory.mktemp("ca"))
    made.make()
    return made


@pytest.fixture(scope="module")
def document() -> bytes:
    template = DocumentTemplate("letter", 1, "A contract")
    return asyncio.run(TypstRenderer().render(template, {}, datetime(2026, 3, 14, tzinfo=UTC)))


def own_times(ca: DevelopmentCa) -> object:
    """An authority for times in this process, which signs as a real one does."""
    from pyhanko.keys import load_cert_from_pemder, load_private_key_from_pemder
    from pyhanko.sign.timestamps import DummyTimeStamper

    key = load_private_key_from_pemder(str(ca.time_key), passphrase=None)
    return DummyTimeStamper(load_cert_from_pemder(str(ca.time_certificate)), key)


async def sealed(ca: DevelopmentCa, document: bytes, times: object = None) -> bytes:
    made = await PadesSealer(key_in_file(ca.signing_key, ca.signing_certificates), times).seal(
        document, "signed by Ada"
    )
    assert len(made.certificate_sha256) == 64
    return made.content


async def test_the_signature_holds_and_the_document_stands_in_it_to_the_byte(
    ca: DevelopmentCa, document: bytes
) -> None:
    made = await sealed(ca, document, own_times(ca))
    assert made.startswith(document)
    (verdict,) = await verify_signatures(made, ca.authority)
    assert (verdict.holds, verdict.timestamped) == (True, True), verdict
    assert "Eventfold development signer" in verdict.signer
    (untimed,) = await verify_signatures(await sealed(ca, document), ca.authority)
    assert (untimed.holds, untimed.timestamped) == (True, False)


async def test_of_another_authority_it_does_not_hold(ca: DevelopmentCa, document: bytes, tmp_path: Path) -> None:
    other = DevelopmentCa(tmp_path / "other")
    other.make()
    (verdict,) = await verify_signatures(await sealed(ca, document), other.authority)
    assert not verdict.holds


async def test_any_byte_that_is_altered_breaks_it(ca: DevelopmentCa, document: bytes) -> None:
    made = await sealed(ca, document)
    for at in (len(document) // 3, len(document) // 2, len(document) - 200):
        altered = bytearray(made)
        altered[at] ^= 1
        try:
            verdicts = await verify_signatures(bytes(altered), ca.authority)
        except ValueError:
            continue  # it is no PDF any more
        assert [one.holds for one in verdicts] != [True], at


async def test_what_is_put_behind_the_signature_is_told(ca: DevelopmentCa, document: bytes) -> None:
    made = await sealed(ca, document)
    verdicts = await verify_signatures(made + b"\n% more", ca.authority)
    assert [one.holds for one in verdicts] == [False]


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="needs pdfsig: apt-get install poppler-utils")
async def test_poppler_says_the_same(ca: DevelopmentCa, document: bytes, tmp_path: Path) -> None:
    made = await sealed(ca, document, own_times(ca))
    good, bad = tmp_path / "good.pdf", tmp_path / "bad.pdf"
    good.write_bytes(made)
    at = len(document) // 2
    bad.write_bytes(made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :])
    said = [
        await asyncio.to_thread(subprocess.run, ["pdfsig", str(one)], capture_output=True, text=True)
        for one in (good, bad)
    ]
    assert "Signature is Valid." in said[0].stdout
    assert "Total document signed" in said[0].stdout
    assert "ETSI.CAdES.detached" in said[0].stdout
    assert "Signature is Valid." not in said[1].stdout


async def test_what_is_no_document_and_files_that_are_none(ca: DevelopmentCa, tmp_path: Path) -> None:
    with pytest.raises(SealFailed, match="the document can't be signed"):
        await sealed(ca, b"hello")
    with pytest.raises(SealFailed, match="can't be read"):
        key_in_file(tmp_path / "nowhere", ca.signing_certificates)
    with pytest.raises(ValueError, match="can't be read"):
        await verify_signatures(b"hello", ca.authority)


async def test_an_authority_for_times_that_is_away_is_waited_for(ca: DevelopmentCa, document: bytes) -> None:
    given = Settings.of(
        document_signing_key_file=str(ca.signing_key),
        document_signing_certificate_file=str(ca.signing_certificates),
        document_timestamp_url="http://127.0.0.1:9/",
    )
    made = sealer(given)
    assert made is not None
    with pytest.raises(DependencyUnavailable, match="timestamps"):
        await made().seal(document, "signed by Ada")


def test_without_a_key_nothing_is_sealed_and_half_of_it_is_refused() -> None:
    assert sealer(Settings()) is None
    with pytest.raises(InvalidSettings, match="go together"):
        sealer(Settings.of(document_signing_key_file="key.pem"))


def test_the_authority_is_made_once_and_its_key_is_nowhere(tmp_path: Path) -> None:
    made = DevelopmentCa(tmp_path / "ca")
    made.make()
    before = {one.name: one.read_bytes() for one in (tmp_path / "ca").iterdir()}
    made.make()
    assert {one.name: one.read_bytes() for one in (tmp_path / "ca").iterdir()} == before
    assert made.signing_key.stat().st_mode & 0o777 == 0o600
    assert len([one for one in before.values() if b"PRIVATE KEY" in one]) == 2


async def test_the_command_line(
    ca: DevelopmentCa, document: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contract.pdf"
    file.write_bytes(await sealed(ca, document))

    async def run(*words: str) -> int:
        return await asyncio.to_thread(main, list(words))

    assert await run("documents", "ca", str(tmp_path / "own")) == 0
    assert await run("documents", "verify", str(file), "--ca", str(ca.authority)) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("holds: Common Name: Eventfold development signer")
    assert await run("documents", "verify", str(file), "--ca", str(tmp_path / "own" / "ca.pem")) == 1
    altered = bytearray(file.read_bytes())
    altered[len(document) // 2] ^= 1
    file.write_bytes(altered)
    capsys.readouterr()
    assert await run("documents", "verify", str(file), "--ca", str(ca.authority)) == 1
    assert "DOES NOT HOLD" in capsys.readouterr().out
    file.write_bytes(document)
    assert await run("documents", "verify", str(file), "--ca", str(ca.authority)) == 1

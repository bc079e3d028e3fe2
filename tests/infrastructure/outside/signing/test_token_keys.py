"""A key that seals in a token that is reached by PKCS#11: SoftHSM's, which is software and speaks as hardware does."""

import asyncio
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from infrastructure.outside.signing import SealFailed
from infrastructure.outside.signing.configured import sealer
from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.outside.signing.verification import verify_signatures
from infrastructure.resilience import DependencyUnavailable
from infrastructure.settings import Settings
from tests.infrastructure.outside.signing.test_pades import ca, document

__all__ = ["ca", "document"]

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((one for one in MODULES if Path(one).exists()), "")
PIN = "2468"

pytestmark = [
    pytest.mark.skipif(
        not MODULE or shutil.which("softhsm2-util") is None, reason="needs SoftHSM: apt-get install softhsm2"
    ),
    pytest.mark.skipif(
        find_spec("pkcs11") is None or find_spec("pyhanko") is None or find_spec("typst") is None,
        reason="needs python-pkcs11, pyHanko and typst: pip install 'eventfold[documents,pkcs11]'",
    ),
]


@pytest.fixture(scope="module")
def token(ca: DevelopmentCa, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token `shop` with the signer's key; gives the file with its PIN. The module reads its configuration once a
    process."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    for arguments in (
        ["--init-token", "--free", "--label", "shop", "--pin", PIN, "--so-pin", "1357"],
        ["--import", str(ca.signing_key), "--token", "shop", "--label", "seal", "--id", "01", "--pin", PIN],
    ):
        subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True)
    (folder / "pin").write_text(PIN + "\n")
    return folder / "pin"


def settings(ca: DevelopmentCa, pin_file: Path | None, **changed: str) -> Settings:
    given = {
        "EVENTFOLD_DOCUMENT_PKCS11_MODULE": MODULE,
        "EVENTFOLD_DOCUMENT_PKCS11_TOKEN": "shop",
        "EVENTFOLD_DOCUMENT_PKCS11_KEY_LABEL": "seal",
        "EVENTFOLD_DOCUMENT_SIGNING_CERTIFICATE_FILE": str(ca.signing_certificates),
        **({} if pin_file is None else {"EVENTFOLD_DOCUMENT_PKCS11_PIN_FILE": str(pin_file)}),
    }
    from infrastructure.settings import load_settings

    return load_settings({**given, **{f"EVENTFOLD_DOCUMENT_PKCS11_{name.upper()}": to for name, to in changed.items()}})


async def test_what_is_wrong_is_said_and_a_wrong_pin_is_tried_once(ca: DevelopmentCa, token: Path) -> None:
    for changed, why in (
        ({"key_label": "another"}, "has no private key another"),
        ({"module": "/nowhere.so"}, "there is no module /nowhere.so"),
        ({"pin": "9999"}, "does not take the PIN"),
    ):
        made = sealer(settings(ca, None if "pin" in changed else token, **changed))
        assert made is not None
        for _ in range(12):  # more often than a token would take a wrong PIN
            with pytest.raises(SealFailed, match=why):
                made()
    made = sealer(settings(ca, token))
    assert made is not None
    assert made()


async def test_the_key_in_the_token_seals(ca: DevelopmentCa, document: bytes, token: Path, tmp_path: Path) -> None:
    chosen = settings(ca, token)
    assert PIN not in repr(chosen)
    made = sealer(chosen)
    assert made is not None
    for _ in range(2):
        sealed = await made().seal(document, "signed by Ada")
        (verdict,) = await verify_signatures(sealed.content, ca.authority)
        assert verdict.holds, verdict
    if shutil.which("pdfsig") is not None:
        (tmp_path / "it.pdf").write_bytes(sealed.content)
        said = await asyncio.to_thread(
            subprocess.run, ["pdfsig", str(tmp_path / "it.pdf")], capture_output=True, text=True, check=False
        )
        assert "Signature is Valid." in said.stdout


async def test_a_token_that_is_not_there_is_waited_for(ca: DevelopmentCa, token: Path) -> None:
    made = sealer(settings(ca, token, token="another"))
    assert made is not None
    with pytest.raises(DependencyUnavailable, match="the token another can't be used"):
        made()

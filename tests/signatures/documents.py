"""Documents to sign, and a signing provider as a process."""

from functools import cache
from pathlib import Path
from typing import Any

from embedded.sandbox.secrets import KEY_VARIABLE, SECRET_VARIABLE
from infrastructure.outside.signatures.sandbox import SandboxSignatureProvider
from infrastructure.resilience import Limits, Policy
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.services import Service

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"


@cache
def pdf(text: str = "A contract") -> bytes:
    """A real one, as our own renderer makes them."""
    import typst

    return bytes(
        typst.compile(f'#set document(date: none)\n= {text}\n#lorem(20) #link("https://a.example")[here]'.encode())
    )


def provider_process(folder: Path, webhook_url: str = "", *options: str) -> Service:
    """The sandbox provider, to be started; its authority is `provider/ca.pem` in the folder."""
    port = free_port()
    arguments = ["embedded.signature_provider", "--port", str(port), "--data-dir", str(folder / "provider")]
    arguments += ["--webhook-url", webhook_url, "--seed", "7", *options]
    secrets = {KEY_VARIABLE: KEY, SECRET_VARIABLE: SECRET}
    return Service("signature-provider", port, arguments, secrets, folder / "provider.log")


def sandbox(url: str, key: str = KEY, **limits: float) -> SandboxSignatureProvider:
    """The adapter over HTTP."""
    policy = Policy("signatures", Limits(**{"timeout": 20.0, "retries": 1, **limits}))  # type: ignore[arg-type]
    return SandboxSignatureProvider.at(url, key, policy)


async def misbehave(provider: Service, **faults: Any) -> None:
    """Tells the sandbox how to behave."""
    async with http_session() as http, http.put(f"{provider.url}/sandbox/faults", json=faults) as response:
        assert response.status == 200, await response.text()


async def play(provider: Service, reference: str, act: str, **said: str) -> int:
    """Plays the signer: view, sign, decline or expire; the status of the answer."""
    url = f"{provider.url}/sandbox/signers/{reference}/{act}"
    async with http_session() as http, http.post(url, json=said) as response:
        await response.read()
        return response.status

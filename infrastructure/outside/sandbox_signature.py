"""How the sandbox providers sign their webhooks: `Sandbox-Signature: t=<epoch seconds>,v1=<hex>`, HMAC-SHA256 over
"<t>.<body>"."""

import hashlib
import hmac
import re
from collections.abc import Mapping

HEADER = "sandbox-signature"

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class WebhookRefused(Exception):
    """A webhook that must not be taken. `unsigned`: it is not proven to come from the provider (no signature, another
    key, too old or too new); else it is signed, but can't be read."""

    def __init__(self, message: str, *, unsigned: bool) -> None:
        super().__init__(message)
        self.unsigned = unsigned


class SandboxSignature:
    """`max_age` is in seconds, and bounds how far ahead of our clock a signature may be as well."""

    def __init__(self, secret: str, max_age: float) -> None:
        if not secret:
            raise ValueError("without a secret, anybody could sign a webhook")
        self._secret = secret.encode()
        self._max_age = max_age

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Header names are in small letters, `now` is in epoch seconds. Raises WebhookRefused."""
        header = headers.get(HEADER)
        if header is None:
            raise WebhookRefused("it has no signature", unsigned=True)
        found = _SIGNATURE.fullmatch(header)
        if found is None:
            raise WebhookRefused("its signature is not t=<seconds>,v1=<64 hexadecimal digits>", unsigned=True)
        at, signature = found.groups()
        expected = hmac.new(self._secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise WebhookRefused("its signature is made with another key, or of another body", unsigned=True)
        if abs(now - int(at)) > self._max_age:
            raise WebhookRefused(
                f"it was signed at {at}, more than {self._max_age:g} s from now ({int(now)})", unsigned=True
            )


def unreadable(what: str) -> WebhookRefused:
    """What is said of a webhook that is signed and makes no sense."""
    return WebhookRefused(f"it can't be read: {what}", unsigned=False)

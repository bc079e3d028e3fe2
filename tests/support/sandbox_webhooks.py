"""Webhooks as the sandbox providers sign them."""

import hashlib
import hmac
import time


def signed_by(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook; `at` is in epoch seconds, now where it is not given."""
    seconds = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Sandbox-Signature": f"t={seconds},v1={mac}"}

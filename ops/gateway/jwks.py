"""The keys that tokens are checked with at the gateway: those of the services."""

import base64
import json
from urllib.parse import urlsplit

from infrastructure.access_settings import AuthenticationSettings
from ops.gateway.errors import InvalidGateway
from ops.gateway.options import Endpoint
from ops.gateway.typed import Config, seconds

JWKS_CLUSTER = "jwks"


def keys_of(settings: AuthenticationSettings) -> Config:
    """Where Envoy has them from: a file, a URL, or the secret itself. Raises InvalidGateway where none are known."""
    if settings.jwks_file:
        folder = settings.jwks_file.rpartition("/")[0] or "."
        return {"local_jwks": {"filename": settings.jwks_file, "watched_directory": {"path": folder}}}
    if settings.jwks_url:
        return {
            "remote_jwks": {
                "http_uri": {
                    "uri": settings.jwks_url,
                    "cluster": JWKS_CLUSTER,
                    "timeout": seconds(settings.timeout),
                },
                "cache_duration": seconds(settings.refresh),
                "async_fetch": {"failed_refetch_duration": seconds(settings.interval)},
                "retry_policy": {"num_retries": 2},
            }
        }
    if settings.secret:
        secret = base64.urlsafe_b64encode(settings.secret.encode()).rstrip(b"=").decode()
        return {"local_jwks": {"inline_string": json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": secret}]})}}
    raise InvalidGateway(
        "no keys are known that tokens could be checked with: set EVENTFOLD_AUTH_JWKS_URL or EVENTFOLD_AUTH_JWKS_FILE"
    )


def jwks_endpoint(settings: AuthenticationSettings) -> tuple[Endpoint, bool] | None:
    """The server of the keys and whether it speaks TLS; None where they come from no server."""
    if settings.jwks_file or not settings.jwks_url:
        return None
    url = urlsplit(settings.jwks_url)
    if not url.hostname or url.scheme not in ("http", "https"):
        raise InvalidGateway(f"EVENTFOLD_AUTH_JWKS_URL is no http or https URL: {settings.jwks_url[:100]}")
    is_tls = url.scheme == "https"
    return Endpoint(url.hostname, url.port or (443 if is_tls else 80)), is_tls

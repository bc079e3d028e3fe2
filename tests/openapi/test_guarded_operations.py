"""What the OpenAPI documents say of tokens: all that needs one says so, and what it responds without."""

from pathlib import Path
from typing import Any

import pytest

from command_api.app import command_api
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.settings import Settings
from payment_webhooks.app import payment_webhooks
from query_api.app import query_api
from signing_page.app import signing_page
from tests.infrastructure.http.asgi import ask
from tests.security.services import LINK_KEYS
from tests.support.bundled import APPLICATION

OPEN = {"/health/live", "/health/ready", "/payment-webhooks", "/sign", "/sign/document"}
SERVICES = {
    "command API": lambda settings: command_api(APPLICATION, settings),
    "query API": lambda settings: query_api(APPLICATION, settings),
    "payment webhooks": payment_webhooks,
    "signing page": signing_page,
}


@pytest.mark.parametrize("name", SERVICES)
async def test_what_needs_a_token_says_so(tmp_path: Path, name: str) -> None:
    keys = DevelopmentKeys(tmp_path)
    keys.make()
    settings = Settings.of(
        auth_jwks_file=str(keys.jwks),
        service_key_file=str(keys.signing_key),
        payments_webhook_secret="secret",
        document_link_key_file=str(LINK_KEYS),
    )
    app = SERVICES[name](settings)
    async with app.lifespan():
        document = (await ask(app, "/schema/openapi.json")).json
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                documented(path, operation)
                answered = (await ask(app, path, method.upper())).status
                assert (answered == 401) is (path not in OPEN | {"/metrics"}) or path == "/payment-webhooks", path


def documented(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if path in OPEN:
        assert not operation.get("security")
        return
    ((scheme, scopes),) = operation["security"][0].items()
    assert (scheme, len(scopes), len(operation["security"])) == ("bearer", 1, 1), path
    assert {"401", "403", "429"} <= responses.keys(), path
    assert "WWW-Authenticate" in responses["401"]["headers"]
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= responses["429"]["headers"].keys()

"""Both APIs against their own OpenAPI documents: whatever is sent, no server error, and only documented answers."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import status_code_conformance

# A position far off is waited for, so not for long.
SETTINGS = {"at_least_timeout": "0.05"}

FEW = settings(
    max_examples=15,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("service", ["commands", "queries"])
async def test_no_request_makes_a_server_error(system, service):
    await system.reached(await system.place("o-1"))
    await asyncio.to_thread(_probe, getattr(system, service).url)


def _probe(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    for result in schema.get_all_operations():
        operation: Any = result.ok()
        if operation.path.startswith("/health") or operation.path == "/metrics":
            continue

        @FEW
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            answer = case.call_and_validate(checks=[status_code_conformance])
            # 503 is an honest answer to a position that is far off; a 500 never is.
            assert answer.status_code != 500, answer.text

        send()

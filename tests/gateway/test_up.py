"""`eventfold up --gateway`: every real service behind the one door."""

import json
import sys
from pathlib import Path

import pytest

from embedded.supervisor.run_directory import RunDirectory
from ops.errors import CommandFailed
from ops.stack import gateway as stack_gateway
from ops.stack.specs import Ports, stages
from tests.ops.test_up import eventfold, running_stack
from tests.support.envoy import envoy_binary
from tests.support.http_session import http_session

ORDER = {
    "customer_id": "ada",
    "currency": "USD",
    "ordered_at": "2026-03-14T12:00:00Z",
    "lines": [{"sku": "tea", "quantity": 2, "unit_price": 450}],
}


@pytest.mark.slow
async def test_an_order_goes_in_and_comes_out_at_the_one_door(tmp_path: Path) -> None:
    envoy_binary()
    async with running_stack(tmp_path, arguments=["--gateway"]), http_session() as http:
        url = RunDirectory(tmp_path).read_services()["gateway"].url
        _, token = await eventfold("token", "--as", "grace", "--role", "staff", "--data-dir", str(tmp_path))
        headers = {"Authorization": f"Bearer {token.strip()}", "Content-Type": "application/json"}
        async with http.get(f"{url}/orders") as response:
            assert response.status == 401
        async with http.get(f"{url}/views", headers=headers) as response:
            assert response.status == 404, "operators' routes are not for clients"
        async with http.get(f"{url}/schema/openapi.json") as response:
            document = await response.json(content_type=None)
        assert {"get", "put"} <= set(document["paths"]["/orders/{order_id}"])
        async with http.get(f"{url}/events?types=ordering.*&from=start", headers=headers) as events:
            assert events.status == 200
            sent = {**headers, "Idempotency-Key": "the-first"}
            async with http.put(f"{url}/orders/o-1", data=json.dumps(ORDER), headers=sent) as response:
                assert response.status == 201, await response.text()
                position = response.headers["Eventfold-Position"]
            async with http.get(f"{url}/orders/o-1?at_least={position}", headers=headers) as response:
                assert response.status == 200, await response.text()
                assert (await response.json())["order_id"] == "o-1"
            while b"ordering.order-placed.v1" not in await events.content.readuntil(b"\n\n"):
                assert not events.content.at_eof(), "the stream ended without the order"


async def test_without_envoy_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_gateway, "find_envoy", lambda: None)
    ports = Ports.from_base(9000)
    with pytest.raises(CommandFailed, match="there is none") as told:
        stack_gateway.with_gateway(stages(tmp_path, "127.0.0.1", ports, {}), tmp_path, "127.0.0.1", ports)
    assert "eventfold[gateway]" in told.value.hint


async def test_services_are_told_to_trust_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_gateway, "find_envoy", lambda: sys.executable)
    ports = Ports.from_base(9000)
    specs = stages(tmp_path, "127.0.0.1", ports, {})
    *others, (gateway,) = stack_gateway.with_gateway(specs, tmp_path, "127.0.0.1", ports)
    services = {one.name: one for stage in others for one in stage}
    assert gateway.url == f"http://127.0.0.1:{ports.gateway}"
    assert services["command-api"].environment["EVENTFOLD_TRUSTED_PROXIES"] == "127.0.0.1"
    written = json.loads((tmp_path / "gateway" / "clusters.json").read_text())["resources"]
    assert {one["name"] for one in written} <= set(services)

"""The route table, and that the committed configuration is what the generator writes and Envoy takes."""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from litestar import Litestar

from application import APPLICATION
from command_api.app import command_api
from deploy.gateway.generate import FOLDER, SERVICES, files
from domain.model.access import PUBLIC, Access
from infrastructure.http.rules import rules_of
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.roles import ROLES
from infrastructure.settings import Settings
from ops.gateway.applications import EVERY_SERVICE, applications
from ops.gateway.errors import InvalidGateway
from ops.gateway.files import in_one
from ops.gateway.filters import rate_policy
from ops.gateway.jwks import jwks_endpoint, keys_of
from ops.gateway.merged_openapi import merged_openapi
from ops.gateway.options import Endpoint
from ops.gateway.route_table import INTERNAL_ROLES, PublicRoute, is_for_clients, route_table
from ops.gateway.typed import token_bucket
from tests.support.envoy import envoy_binary
from tests.support.in_process import open_settings
from tests.support.tiny import TINY


@cache
def every_service() -> Mapping[str, Litestar]:
    async def made() -> Mapping[str, Litestar]:
        return applications(APPLICATION)

    return asyncio.run(made())


@cache
def table(*, operators: bool = False) -> list[PublicRoute]:
    return route_table(every_service(), operators=operators)


def test_every_route_of_a_client_is_routed_and_no_other() -> None:
    services = every_service()
    assert set(services) == set(EVERY_SERVICE)
    routed = {(one.service, one.method, one.path) for one in table()}
    internal = {scope for role in INTERNAL_ROLES for scope in ROLES[role]}
    clients = {scope for role, scopes in ROLES.items() if role not in INTERNAL_ROLES for scope in scopes}
    everywhere = ("/health/live", "/health/ready", "/metrics", "/log-level", "/")
    expected = {
        (name, rule.method, rule.path)
        for name, app in services.items()
        for rule in rules_of(app)
        if rule.method not in ("OPTIONS", "HEAD")
        and rule.path not in everywhere
        and not rule.path.startswith("/schema")
        and (rule.access.is_public or rule.access.scope in clients or rule.access.scope not in internal)
    }
    assert routed == expected
    assert {service for service, _, _ in routed} == set(SERVICES)


def test_what_is_safe_to_send_again_follows_from_the_declarations() -> None:
    routes = {(one.method, one.path): one for one in table()}
    assert {one.repeatable for one in routes.values() if one.method == "GET"} == {"always"}
    assert routes["PUT", "/orders/{order_id}"].repeatable == "with-key"
    assert routes["POST", "/payment-webhooks"].repeatable == "never"
    assert [one.path for one in routes.values() if one.streams] == ["/events"]
    assert not routes["POST", "/payment-webhooks"].needs_token
    assert routes["GET", "/orders"].compressible
    assert not routes["GET", "/orders/{order_id}"].compressible, "its ETag is what If-Match takes"


def test_operators_routes_are_there_only_when_declared() -> None:
    paths = {one.public_path for one in table(operators=True)} - {one.public_path for one in table()}
    assert "/operators/projector/views" in paths
    assert all(path.startswith("/operators/") or path == "/customers/{customer_id}/forget" for path in paths)


@pytest.mark.parametrize(
    ("access", "routed"),
    [
        (PUBLIC, True),
        (Access("orders:read", owner="customer_id"), True),
        (Access("lamps:read"), True),
        (Access("views:operate", shared=True), False),
        (Access("payments:record-charge"), False),
    ],
)
def test_who_is_a_client(access: Access, *, routed: bool) -> None:
    assert is_for_clients(access) == routed


async def test_two_services_of_one_path_make_no_gateway() -> None:
    both = {"one": command_api(TINY, open_settings()), "other": command_api(TINY, open_settings())}
    with pytest.raises(InvalidGateway, match=r"is served by one and by other"):
        route_table(both)


def test_schemas_of_one_name_and_two_meanings_are_both_there() -> None:
    def document(kind: str) -> dict[str, Any]:
        reference = {"$ref": "#/components/schemas/Thing"}
        operation = {
            "operationId": "Get",
            "responses": {"200": {"content": {"application/json": {"schema": reference}}}},
        }
        return {"paths": {f"/{kind}": {"get": operation}}, "components": {"schemas": {"Thing": {"type": kind}}}}

    routes = [PublicRoute(name, "GET", f"/{name}", True, "always", False, True) for name in ("string", "number")]
    merged = merged_openapi({name: document(name) for name in ("string", "number")}, routes)
    assert merged["components"]["schemas"] == {"NumberThing": {"type": "number"}, "Thing": {"type": "string"}}
    operation = merged["paths"]["/number"]["get"]
    assert operation["operationId"] == "NumberGet"
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/NumberThing"}


@pytest.mark.parametrize(
    ("rate", "bucket"),
    [
        (200.0, {"max_tokens": 7, "tokens_per_fill": 10, "fill_interval": "0.050000s"}),
        (1.5, {"max_tokens": 7, "tokens_per_fill": 1, "fill_interval": "0.666667s"}),
        (0.1, {"max_tokens": 7, "tokens_per_fill": 1, "fill_interval": "10.000000s"}),
    ],
)
def test_limits_in_tokens(rate: float, bucket: dict[str, Any]) -> None:
    assert token_bucket(rate, 7) == bucket


def test_where_keys_come_from() -> None:
    def given(**settings: Any) -> Any:
        return Settings.of(**settings).authentication

    assert keys_of(given(auth_jwks_file="/k/j.json"))["local_jwks"]["watched_directory"] == {"path": "/k"}
    url = given(auth_jwks_url="https://login.example/keys")
    assert keys_of(url)["remote_jwks"]["http_uri"]["uri"] == "https://login.example/keys"
    assert jwks_endpoint(url) == (Endpoint("login.example", 443), True)
    assert "HS256" in keys_of(given(auth_secret="x" * 40))["local_jwks"]["inline_string"]
    with pytest.raises(InvalidGateway, match="EVENTFOLD_AUTH_JWKS_URL"):
        keys_of(given())
    assert rate_policy(Settings()) == '"client";q=1000;w=5'
    assert rate_policy(Settings.of(rate_limit=0.0)) == ""


def test_the_committed_files_are_up_to_date() -> None:
    for name, text in files({name: every_service()[name] for name in SERVICES}).items():
        assert (FOLDER / name).read_text() == text, f"{name}: run `python -m deploy.gateway.generate`"


def test_envoy_takes_the_committed_files(tmp_path: Path) -> None:
    binary = envoy_binary()
    keys = DevelopmentKeys(tmp_path)
    keys.make()
    written = {file.stem: yaml.safe_load(file.read_text()) for file in FOLDER.glob("*.yaml")}
    whole = json.dumps(in_one(written))
    # What is mounted into the container is elsewhere here.
    for there, here in {
        "/etc/envoy/openapi.json": FOLDER / "openapi.json",
        "/etc/envoy/keys": keys.directory,
        "/etc/envoy": tmp_path,
    }.items():
        whole = whole.replace(there, str(here))
    (tmp_path / "certificate.yaml").write_text('{"resources": []}')
    (tmp_path / "whole.json").write_text(whole)
    ran = subprocess.run(
        [binary, "--mode", "validate", "-c", str(tmp_path / "whole.json")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "deprecated" not in ran.stderr.lower()

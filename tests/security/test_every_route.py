"""Every route of every service has a rule, is held against it, and can be used by the roles that need it alone."""

from typing import Any

import pytest
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler

from infrastructure.http.authorisation import authorise
from infrastructure.http.problems import Problem
from infrastructure.http.rules import ACCESS, MissingRule, rules_of
from infrastructure.http.service import create_app
from infrastructure.security.identity import ANYBODY, Identity
from infrastructure.security.policy import ACT_FOR_OTHERS, ALL_OWNERS
from infrastructure.security.roles import ROLES
from infrastructure.security.scopes import UNLIMITED
from tests.security.endpoints import BEGIN, END, table
from tests.security.services import CREATE, every_service
from tests.support.identities import ADA, NOBODY, OPERATOR, SERVICE, STAFF, STRANGER
from tests.support.in_process import ask, open_settings
from tests.support.services import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

REALM = 'Bearer realm="eventfold"'


def http_handlers(app: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    """Method, path and handler of every route."""
    return [
        (str(method), route.path_format, handler)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods
    ]


async def reached(handler: HTTPRouteHandler, identity: Identity) -> tuple[int, str]:
    """200 when the middleware lets the request through to the handler, else the refusal's status and its challenge."""
    seen = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    scope: Any = {"type": "http", "route_handler": handler, "state": {"identity": identity}}
    try:
        await authorise(app)(scope, None, None)  # type: ignore[arg-type]
    except Problem as problem:
        refused = problem
    else:
        assert len(seen) == 1
        return 200, ""
    assert not seen
    return refused.details.status, refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", CREATE)
async def test_every_route_has_a_rule(name: str) -> None:
    app = every_service()[name]
    rules = list(rules_of(app))
    walked = {(method, path) for method, path, _ in http_handlers(app)}
    assert walked == {(rule.method, rule.path) for rule in rules}
    assert len(walked) > 15


@pytest.mark.parametrize("name", CREATE)
async def test_every_route_is_tried_by_nobody_and_by_everybody(name: str) -> None:
    """Against its rule, and against what each role comes with."""
    for method, path, handler in http_handlers(every_service()[name]):
        access, where = handler.opt[ACCESS], f"{method} {path}"
        assert await reached(handler, ANYBODY) == (200, ""), where
        if access.is_public:
            assert await reached(handler, NOBODY) == (200, ""), where
            continue
        assert await reached(handler, NOBODY) == (401, REALM), where
        challenge = f'{REALM}, error="insufficient_scope", scope="{access.scope}"'
        assert await reached(handler, STRANGER) == (403, challenge), where
        for identity in (ADA, STAFF, OPERATOR, SERVICE):
            scoped, everybodys = access.scope in identity.scopes, ALL_OWNERS in identity.scopes
            status, challenge = await reached(handler, identity)
            may = scoped and (everybodys or access.shared or bool(access.owner))
            assert status == (200 if may else 403), (where, identity.subject)
            if not may:
                assert (ALL_OWNERS if scoped else access.scope) in challenge
        alone = Identity("somebody", frozenset({access.scope, ALL_OWNERS}))
        assert await reached(handler, alone) == (200, ""), f"{where} takes its scope and no other"


@pytest.mark.parametrize("name", CREATE)
async def test_the_service_asks_before_it_does_anything(name: str) -> None:
    """Through the application itself, whose stores are away: a refusal comes all the same, and no body is read."""
    app = every_service()[name]
    for method, path, handler in http_handlers(app):
        if handler.opt[ACCESS].is_public:
            continue
        target = path.replace("{", "").replace("}", "").replace("position", "1")
        for identity, status, kind in ((NOBODY, 401, "unauthorized"), (STRANGER, 403, "forbidden")):
            reply = await ask(app, identity, method, target, {"not": "what it takes"})
            assert reply.status == status, (method, path, reply)
            assert reply.json["type"] == f"urn:eventfold:problem:{kind}"
            assert handler.opt[ACCESS].scope in reply.json["detail"]
            assert reply.headers["www-authenticate"].startswith(REALM)


async def test_a_route_without_a_rule_is_not_served() -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "everybody's"

    with pytest.raises(MissingRule, match="GET /forgotten has no rule that says who may use it"):
        create_app("x", [forgotten], {}, open_settings())


async def test_what_roles_name_is_what_routes_ask_for() -> None:
    asked = {rule.access.scope for app in every_service().values() for rule in rules_of(app)} - {""}
    given = frozenset[str]().union(*ROLES.values()) - {ALL_OWNERS, ACT_FOR_OTHERS, UNLIMITED}
    assert given == asked


# By hand, not from the code: what each role must never come to, whatever is declared.
NEVER = {
    "customer": (
        *("orders:confirm", "orders:ship", "stock:receive", "stock:reserve", "daily-sales:read", "payments:void"),
        *("views:operate", "dead-letters:read", "processes:operate", "metrics:read", ALL_OWNERS, ACT_FOR_OTHERS),
    ),
    "staff": (
        *("payments:record-charge", "provider-results:keep", "notifications:record-sent", "views:operate"),
        *("dead-letters:read", "processes:operate", "metrics:read", ACT_FOR_OTHERS),
    ),
    "operator": (
        *("orders:place", "orders:cancel", "orders:read", "payments:read", "customers:read", "payments:void"),
        *("provider-results:keep", ALL_OWNERS, ACT_FOR_OTHERS),
    ),
    "service": (
        *("orders:place", "orders:ship", "orders:deliver", "stock:receive", "orders:read", "customers:read"),
        *("views:operate", "dead-letters:operate", "processes:operate"),
    ),
    "inbound": (
        *("orders:place", "orders:read", "customers:read", "customers:forget", "stock:reserve", "payments:void"),
        *("views:operate", "dead-letters:operate", "processes:operate", "metrics:read"),
    ),
}


@pytest.mark.parametrize("role", NEVER)
def test_what_no_role_ever_comes_to(role: str) -> None:
    assert not ROLES[role] & set(NEVER[role])
    assert ROLES.keys() == NEVER.keys()


@pytest.mark.parametrize("name", CREATE)
async def test_openapi_says_which_scope_each_operation_takes(name: str) -> None:
    app = every_service()[name]
    document = app.openapi_schema.to_schema()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    rules = {(rule.method.lower(), rule.path): rule.access for rule in rules_of(app)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            access, responses = rules[method, path], operation["responses"]
            if access.is_public:
                assert "security" not in operation, path
                # One that has another proof, such as a link, may refuse that.
                assert "scope" not in responses.get("403", {}).get("description", "")
            else:
                assert operation["security"] == [{"bearer": [access.scope]}], path
                assert access.scope in responses["403"]["description"]
                assert "401" in responses


async def test_the_table_of_the_endpoints_is_what_the_code_says() -> None:
    page = (ROOT / "docs/authorisation.md").read_text()
    written = page.split(BEGIN)[1].split(END)[0].strip()
    assert written == table().strip(), "python -m tests.security.endpoints prints the table as it must be"
    assert "docs/authorisation.md" in (ROOT / "README.md").read_text()

"""What stands before every route: who gets in, what those who don't are told, and what every response says."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from litestar import Litestar, Request, get
from structlog.testing import capture_logs

from domain.model.access import PUBLIC
from infrastructure.http.cross_origin import allowed_origins
from infrastructure.http.rules import ACCESS
from infrastructure.http.service import create_app
from infrastructure.security import verifier
from infrastructure.security.identity import ANYBODY, identity_of
from infrastructure.security.scopes import UNLIMITED
from infrastructure.settings import InvalidSettings, Settings
from tests.infrastructure.http.asgi import Answer, ask
from tests.support.raw_tcp import answering, raw_server, response
from tests.support.tokens import IssuerKey, jwks, right_claims

KEY, STRANGER = IssuerKey("EdDSA", "key"), IssuerKey("EdDSA", "key")
SECRET = "0123456789abcdef0123456789abcdef"
LASTS = {"iat": None, "exp": 4_000_000_000}
CHALLENGE = re.compile(r'Bearer realm="eventfold"(, error="invalid_token", error_description="[ !#-\[\]-~]+")?')
SHOP = "https://shop.example"


@get("/who", opt={ACCESS: PUBLIC}, sync_to_thread=False)
def who(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Who asks, as the application sees it."""
    identity = identity_of(request.scope)
    return {"subject": identity.subject, "scopes": sorted(identity.scopes)}


@get("/open", opt={ACCESS: PUBLIC}, sync_to_thread=False)
def open_to_all() -> str:
    return "open"


@get("/kept", opt={ACCESS: PUBLIC}, response_headers={"Cache-Control": "private, no-cache"}, sync_to_thread=False)
def kept() -> str:
    return "kept"


def application(tmp_path: Path, **settings: Any) -> Litestar:
    """A service whose tokens are KEY's."""
    given = dict(settings)
    if not {"auth", "auth_jwks_url", "auth_jwks_file", "auth_secret"} & given.keys():
        file = tmp_path / "jwks.json"
        file.write_bytes(jwks(KEY))
        given["auth_jwks_file"] = str(file)
    return create_app("Test", [who, open_to_all, kept], {}, Settings.of(**given), open_paths=["/open"])


def bearer(token: str | None = None, **claims: Any) -> dict[str, str]:
    made = KEY.token(right_claims(**{**LASTS, **claims})) if token is None else token
    return {"Authorization": f"Bearer {made}"}


def refused(answer: Answer, said: str) -> None:
    """A 401 with a challenge, that says what was wrong."""
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert CHALLENGE.fullmatch(answer.headers["www-authenticate"])
    assert answer.json["type"] == "urn:eventfold:problem:unauthorized"
    assert said in answer.json["detail"]
    if "error=" in answer.headers["www-authenticate"]:
        assert said in answer.headers["www-authenticate"]


async def test_the_line_of_a_request_says_who_sent_it(tmp_path: Path) -> None:
    with capture_logs() as lines:
        await ask(application(tmp_path), "/who", headers=bearer(sub="ada"))
        await ask(application(tmp_path), "/who")
    told = [(line["status"], line["subject"]) for line in lines if line["event"] == "request"]
    assert told == [(200, "ada"), (401, None)]


async def test_who_asks_is_known_to_the_application(tmp_path: Path) -> None:
    app = application(tmp_path)
    for _ in range(2):  # verified, then remembered
        answer = await ask(app, "/who", headers=bearer(scope="b a"))
        assert (answer.status, answer.json) == (200, {"subject": "ada", "scopes": ["a", "b"]})
    lower = {"authorization": bearer()["Authorization"].replace("Bearer", "bEARER")}
    assert (await ask(app, "/who", headers=lower)).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/who", "/nothing", "/health", "/health/live/", "/open/", "//open", "/schemas", "/metrics/"]
)
async def test_nothing_else_is_open_to_nobody(tmp_path: Path, method: str, path: str) -> None:
    answer = await ask(application(tmp_path), path, method)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="eventfold"'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/metrics", 200),
        ("/", 302),
        ("/schema", 200),
        ("/schema/openapi.json", 200),
        ("/open", 200),
    ],
)
async def test_what_is_open_to_all(tmp_path: Path, path: str, status: int) -> None:
    app = application(tmp_path)
    assert (await ask(app, path)).status == status
    assert (await ask(app, path, headers=bearer("no token at all"))).status == status


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "no `Authorization: Bearer`"),
        ({"Authorization": "Basic YTpi"}, "no `Authorization: Bearer`"),
        ({"Authorization": "Bearer"}, "no `Authorization: Bearer`"),
        (bearer(""), "no JWT"),
        (bearer("a b"), "no JWT"),
        (bearer('a"b\\'), "no JWT"),
        (bearer("x" * 9_000), "over 8192 bytes"),
        (bearer(exp=1_000), "expired at 1970-01-01T00:16:40Z"),
        (bearer(aud="others"), "another audience"),
        (bearer(STRANGER.token(right_claims(**LASTS))), "signature"),
    ],
)
async def test_who_has_no_valid_token_is_told_why(tmp_path: Path, headers: dict[str, str], said: str) -> None:
    answer = await ask(application(tmp_path), "/who", headers=headers)
    refused(answer, said)
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    assert len(token) < 10 or token not in answer.body.decode() + str(answer.headers)


async def test_two_tokens_are_none(tmp_path: Path) -> None:
    two = (("Authorization", bearer()["Authorization"]),) * 2
    answer = await ask(application(tmp_path), "/who", repeated=two)
    assert answer.status == 401
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("settings", "role", "status"),
    [
        ({}, None, 200),
        ({"host": "0.0.0.0"}, None, 401),
        ({"host": "0.0.0.0"}, "customer", 403),
        ({"host": "0.0.0.0"}, "operator", 200),
        ({"host": "0.0.0.0", "auth_metrics": "open"}, None, 200),
        ({"auth_metrics": "token"}, None, 401),
        ({"auth_metrics": "token"}, "operator", 200),
    ],
)
async def test_who_may_read_the_metrics(
    tmp_path: Path, settings: dict[str, str], role: str | None, status: int
) -> None:
    headers = bearer(roles=[role]) if role else {}
    answer = await ask(application(tmp_path, **settings), "/metrics", headers=headers)
    assert answer.status == status
    if status == 403:
        assert 'error="insufficient_scope", scope="metrics:read"' in answer.headers["www-authenticate"]


async def test_without_authentication_everybody_may_do_everything(tmp_path: Path) -> None:
    answer = await ask(application(tmp_path, auth="off"), "/who", headers=bearer("rubbish"))
    assert (answer.status, answer.json["subject"]) == (200, ANYBODY.subject)
    assert answer.json["scopes"] == ["*"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"auth": "on"}, "set EVENTFOLD_AUTH_JWKS_URL or EVENTFOLD_AUTH_JWKS_FILE"),
        ({"auth": "off", "host": "0.0.0.0"}, "EVENTFOLD_AUTH=off is for a loopback address alone"),
        ({"auth": "off", "host": "box.example"}, "EVENTFOLD_AUTH=off is for a loopback address alone"),
        ({"auth_secret": SECRET, "host": "::"}, "EVENTFOLD_AUTH_SECRET: .*a loopback address alone"),
        ({"auth_secret": "short"}, "EVENTFOLD_AUTH_SECRET: a secret has at least 32 bytes"),
        (
            {"auth_secret": SECRET, "auth_jwks_url": "https://a"},
            "EVENTFOLD_AUTH_JWKS_URL and EVENTFOLD_AUTH_SECRET are",
        ),
        ({"auth_jwks_url": "http://issuer.example/keys"}, "EVENTFOLD_AUTH_JWKS_URL: keys come over https"),
        ({"auth_jwks_file": "/nowhere/jwks.json"}, "EVENTFOLD_AUTH_JWKS_FILE: /nowhere/jwks.json can't be read"),
        ({"auth": "off", "cors_origins": "*"}, "EVENTFOLD_CORS_ORIGINS: '\\*' is no origin"),
    ],
)
def test_settings_that_leave_a_door_open_are_refused(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said) as refusal:
        application(tmp_path, **settings)
    assert SECRET not in str(refusal.value)


async def test_a_secret_is_enough_for_development(tmp_path: Path) -> None:
    token = jwt.encode(right_claims(**LASTS), SECRET, "HS256")
    app = application(tmp_path, auth_secret=SECRET)
    assert (await ask(app, "/who", headers=bearer(token))).status == 200
    refused(await ask(app, "/who", headers=bearer()), "algorithm")


@asynccontextmanager
async def issuer(*responses: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A JWKS endpoint, and how often it was asked."""
    asked: list[int] = []
    handle = answering(*responses)

    async def counted(*streams: Any) -> None:
        asked.append(1)
        await handle(*streams)

    async with raw_server(counted) as server:
        yield f"http://127.0.0.1:{server.port}/jwks", asked


async def test_a_flood_of_made_up_keys_fetches_once(tmp_path: Path) -> None:
    async with issuer(response("200 OK", jwks(KEY))) as (url, asked):
        app = application(tmp_path, auth_jwks_url=url)
        async with app.lifespan():
            for number in range(300):
                token = STRANGER.token(right_claims(**LASTS), kid=f"made-up-{number}", jku=url, x5u=url)
                refused(await ask(app, "/who", headers=bearer(token), client=f"10.0.0.{number % 250}"), "names no key")
            assert (await ask(app, "/who", headers=bearer())).status == 200
        assert len(asked) == 1


async def test_while_there_are_no_keys_who_asks_is_told_to_come_back(tmp_path: Path) -> None:
    app = application(tmp_path, auth_jwks_url="http://127.0.0.1:9/jwks")
    async with app.lifespan():
        answer = await ask(app, "/who", headers=bearer())
    assert (answer.status, answer.json["type"]) == (503, "urn:eventfold:problem:unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_client_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    app = application(tmp_path, rate_limit=0.5, rate_limit_burst=3)
    answers = [await ask(app, "/who", headers=bearer(), client=f"10.0.0.{number}") for number in range(4)]
    assert [one.status for one in answers] == [200, 200, 200, 429], "by the subject, from wherever it asks"
    assert [one.headers["ratelimit"] for one in answers[:2]] == ['"client";r=2;t=2', '"client";r=1;t=4']
    assert answers[0].headers["ratelimit-policy"] == '"client";q=3;w=6'
    told = answers[3]
    assert 1 <= int(told.headers["retry-after"]) <= 2
    assert told.headers["ratelimit"].startswith('"client";r=0;t=')
    assert told.json["type"] == "urn:eventfold:problem:too-many-requests"
    assert (await ask(app, "/who", headers=bearer(sub="bob"))).status == 200, "others have their own"
    for path in ("/health/live", "/health/ready"):
        assert (await ask(app, path, headers=bearer())).status == 200


@pytest.mark.parametrize("claims", [{"roles": ["service"]}, {"roles": ["operator"]}, {"scope": UNLIMITED}])
async def test_our_own_are_not_limited(tmp_path: Path, claims: dict[str, Any]) -> None:
    app = application(tmp_path, rate_limit=0.1, rate_limit_burst=1)
    answers = [await ask(app, "/who", headers=bearer(**claims)) for _ in range(5)]
    assert {one.status for one in answers} == {200}
    assert "ratelimit" not in answers[0].headers


async def test_nobody_is_limited_by_the_address(tmp_path: Path) -> None:
    app = application(tmp_path, rate_limit=0.1, rate_limit_burst=2)
    assert [(await ask(app, "/open")).status for _ in range(3)] == [200, 200, 429]
    assert (await ask(app, "/open", client="10.0.0.2")).status == 200


async def test_who_guesses_tokens_gets_no_more_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[bytes] = []
    verify = verifier.TokenVerifier.verify

    async def counted(self: Any, token: bytes) -> Any:
        verified.append(token)
        return await verify(self, token)

    monkeypatch.setattr(verifier.TokenVerifier, "verify", counted)
    app = application(tmp_path, rate_limit=0.1, rate_limit_burst=10)
    guess = bearer(STRANGER.token(right_claims(**LASTS)))
    statuses = [(await ask(app, "/who", headers=guess)).status for _ in range(50)]
    assert statuses == [401] * 10 + [429] * 40
    assert len(verified) == 10
    assert (await ask(app, "/who", headers=bearer(), client="10.0.0.2")).status == 200


async def test_without_limits_everybody_is_answered(tmp_path: Path) -> None:
    app = application(tmp_path, rate_limit=0.0, rate_limit_burst=1)
    for headers, status in (({}, 401), (bearer("rubbish"), 401), (bearer(), 200)):
        answers = [await ask(app, "/who", headers=headers) for _ in range(5)]
        assert {one.status for one in answers} == {status}
        assert "ratelimit" not in answers[0].headers


@pytest.mark.parametrize("path", ["/who", "/nothing", "/health/live", "/metrics", "/open"])
async def test_every_response_says_that_it_is_nothing_to_run_guess_or_keep(tmp_path: Path, path: str) -> None:
    for headers in ({}, bearer()):
        told = (await ask(application(tmp_path), path, headers=headers)).headers
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        assert told["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert told["cache-control"] == "no-store"


async def test_what_has_a_policy_of_its_own_keeps_it(tmp_path: Path) -> None:
    app = application(tmp_path)
    page = (await ask(app, "/schema")).headers
    assert "script-src 'self'" in page["content-security-policy"]
    assert "frame-ancestors 'none'" in page["content-security-policy"]
    assert (await ask(app, "/kept", headers=bearer())).headers["cache-control"] == "private, no-cache"


async def test_no_page_of_others_is_let_in_unless_it_is_named(tmp_path: Path) -> None:
    app = application(tmp_path)
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "GET"}
    for headers in (bearer() | {"Origin": SHOP}, asks):
        told = await ask(app, "/who", "OPTIONS" if headers is asks else "GET", headers=headers)
        assert not any(name.startswith("access-control-") for name in told.headers)


async def test_pages_of_a_named_origin_may_ask_with_a_token_and_no_cookie(tmp_path: Path) -> None:
    app = application(tmp_path, cors_origins=f"{SHOP}, http://localhost:3000")
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = await ask(app, "/who", "OPTIONS", {"Origin": SHOP, **preflight})
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, SHOP)
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert "POST" in allowed.headers["access-control-allow-methods"]
    answer = await ask(app, "/who", headers=bearer() | {"Origin": SHOP})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    without = await ask(app, "/who", headers={"Origin": SHOP})
    assert (without.status, without.headers["access-control-allow-origin"]) == (401, SHOP), "the page sees why"
    for origin in ("https://evil.example", f"{SHOP}.evil.example", "null"):
        for method, headers in (("OPTIONS", preflight), ("GET", bearer())):
            told = (await ask(app, "/who", method, {**headers, "Origin": origin})).headers
            assert "access-control-allow-origin" not in told
            assert told["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers | allowed.headers


@pytest.mark.parametrize("origin", ["*", "null", "shop.example", "https://shop.example/", "https://", "ftp://a"])
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="no origin"):
        allowed_origins(origin)

"""Who may ask, and how much: authentication, the tokens of our own, limits of clients, other origins.

Each is `EVENTFOLD_<NAME>`. Times are in seconds.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from infrastructure.dependency_settings import Seconds
from infrastructure.secrets import Secret, WithSecrets


class AuthenticationSettings(WithSecrets, frozen=True):
    """Which tokens are taken."""

    mode: Annotated[
        Literal["on", "off"],
        Meta(description="whether requests need a bearer token; off on a loopback address alone"),
    ] = field(default="on", name="auth")
    jwks_url: Annotated[
        str, Meta(description="where the keys that tokens are checked with are fetched: https, or http on loopback")
    ] = field(default="", name="auth_jwks_url")
    jwks_file: Annotated[
        str, Meta(description="JWKS file with those keys, instead of a URL; read again when it changes")
    ] = field(default="", name="auth_jwks_file")
    secret: Annotated[
        Secret,
        Meta(description="secret that HS256 tokens are signed with, for development on loopback; at least 32 bytes"),
    ] = field(default="", name="auth_secret")
    issuer: Annotated[str, Meta(description="what a token's `iss` must be", min_length=1)] = field(
        default="eventfold", name="auth_issuer"
    )
    audience: Annotated[str, Meta(description="what must be among a token's `aud`", min_length=1)] = field(
        default="eventfold", name="auth_audience"
    )
    leeway: Annotated[
        float, Meta(description="how far clocks may differ when `exp`, `nbf` and `iat` are checked", ge=0, le=300)
    ] = field(default=30.0, name="auth_leeway")
    max_token_bytes: Annotated[int, Meta(description="longest token taken", ge=256, le=65_536)] = field(
        default=8_192, name="auth_max_token_bytes"
    )
    cache_size: Annotated[
        int, Meta(description="tokens that are remembered as verified, so that each is verified once", ge=0)
    ] = field(default=10_000, name="auth_cache_size")
    refresh: Annotated[
        Seconds,
        Meta(description="after how long keys are fetched again, and the longest that a token counts as verified"),
    ] = field(default=300.0, name="auth_jwks_refresh")
    interval: Annotated[
        Seconds, Meta(description="shortest time between two fetches of the keys, whatever tokens come")
    ] = field(default=10.0, name="auth_jwks_interval")
    timeout: Annotated[Seconds, Meta(description="how long one fetch of the keys may take")] = field(
        default=5.0, name="auth_jwks_timeout"
    )
    metrics: Annotated[
        Literal["auto", "open", "token"],
        Meta(
            description="who may read /metrics: open (anybody), token (with the scope metrics:read), or auto (anybody "
            "where the service listens on loopback, otherwise with a token)"
        ),
    ] = field(default="auto", name="auth_metrics")


class OwnTokenSettings(WithSecrets, frozen=True):
    """The token that a process of ours sends with its own requests."""

    key_file: Annotated[
        str, Meta(description="private key (JWK) with which a service makes its own short-lived tokens")
    ] = field(default="", name="service_key_file")
    ttl: Annotated[Seconds, Meta(description="how long such a token is valid; it is renewed at half of that")] = field(
        default=300.0, name="service_token_ttl"
    )
    token_file: Annotated[
        str, Meta(description="file with the token that a service or a command sends; read again when it changes")
    ] = field(default="", name="token_file")
    token: Annotated[Secret, Meta(description="the token that a service or a command sends")] = field(
        default="", name="token"
    )


class ClientLimitSettings(Struct, frozen=True):
    """How much one client may ask."""

    rate: Annotated[
        float,
        Meta(
            description="requests a second of one client (a token's subject, else an address), before a 429; 0: any",
            ge=0,
            le=1_000_000,
        ),
    ] = field(default=200.0, name="rate_limit")
    burst: Annotated[int, Meta(description="how many of them may come at once", ge=1, le=1_000_000)] = field(
        default=1_000, name="rate_limit_burst"
    )
    clients: Annotated[int, Meta(description="clients that are told apart at a time", ge=16, le=10_000_000)] = field(
        default=50_000, name="rate_limit_clients"
    )


class ProxySettings(Struct, frozen=True):
    """Who stands in front of the services."""

    trusted: Annotated[
        str,
        Meta(
            description="addresses and networks of gateways, with commas between, whose `X-Forwarded-For` says who "
            "asks; none by default"
        ),
    ] = field(default="", name="trusted_proxies")


class CrossOriginSettings(Struct, frozen=True):
    """Which web pages of others may call the services from a browser."""

    origins: Annotated[
        str, Meta(description="origins of web pages that may call the services, with commas between; none by default")
    ] = field(default="", name="cors_origins")

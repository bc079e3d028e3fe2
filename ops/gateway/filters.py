"""What a request passes at the gateway, in order: CORS, health, the limit by address, the token, the limit by client,
gzip, the bound of its body."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from infrastructure.http.cross_origin import EXPOSED, HEADERS, KEPT_SECONDS, METHODS
from infrastructure.settings import Settings
from ops.gateway.jwks import keys_of
from ops.gateway.typed import HTTP_FILTERS, Config, extension, token_bucket
from ops.locations import COMMAND_API, QUERY_API

JWT = "envoy.filters.http.jwt_authn"
COMPRESSOR = "envoy.filters.http.compressor"
NEEDS_TOKEN = "token"  # noqa: S105 - the requirement's name
LIVE, READY = "/health/live", "/health/ready"

ADDRESSES_SHARE = 5
"""How many clients' worth may come from one address, behind which there may be many."""
_TOKEN = "token"  # noqa: S105 - where the token's claims are kept for the filters that follow
_COMPRESSIBLE = [
    "application/json",
    "application/problem+json",
    "application/vnd.oai.openapi+json",
    "application/vnd.oai.openapi",
    "text/css",
    "text/html",
    "text/javascript",
]


def http_filters(settings: Settings) -> list[Config]:
    """Raises InvalidGateway where tokens are to be checked and no keys are known."""
    limits, needs_token = settings.client_limits, settings.authentication.mode == "on"
    return [
        *([_cross_origin()] if settings.cross_origin.origins else []),
        _health("health_live", LIVE),
        _health("health_ready", READY, {COMMAND_API: {"value": 1}, QUERY_API: {"value": 1}}),
        *([_limit_by_address(settings)] if limits.rate else []),
        *([_tokens(settings)] if needs_token else []),
        *([_limit_by_client(settings)] if limits.rate else []),
        _gzip(),
        extension("envoy.filters.http.buffer", f"{HTTP_FILTERS}.buffer.v3.Buffer", max_request_bytes=_body(settings)),
        extension("envoy.filters.http.router", f"{HTTP_FILTERS}.router.v3.Router"),
    ]


def _body(settings: Settings) -> int:
    return settings.http.max_body_bytes


def _health(name: str, path: str, needed: Config | None = None) -> Config:
    """Answered by Envoy itself: ready while an instance of each service `needed` is."""
    return extension(
        f"envoy.filters.http.{name}",
        f"{HTTP_FILTERS}.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": path}}],
        **({"cluster_min_healthy_percentages": needed} if needed else {}),
    )


def _tokens(settings: Settings) -> Config:
    given = settings.authentication
    provider: Config = {
        "issuer": given.issuer,
        "audiences": [given.audience],
        "clock_skew_seconds": math.ceil(given.leeway),
        "require_expiration": True,
        "forward": True,
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": _TOKEN,
        "jwt_cache_config": {"jwt_cache_size": 1_000, "jwt_max_token_size": given.max_token_bytes},
        **keys_of(given),
    }
    return extension(
        JWT,
        f"{HTTP_FILTERS}.jwt_authn.v3.JwtAuthentication",
        providers={"eventfold": provider},
        requirement_map={NEEDS_TOKEN: {"provider_name": "eventfold"}},
    )


def rate_policy(settings: Settings) -> str:
    """As the services say it in `RateLimit-Policy`; empty without a limit."""
    limits = settings.client_limits
    return f'"client";q={limits.burst};w={max(1, math.ceil(limits.burst / limits.rate))}' if limits.rate else ""


_ADDRESS: Config = {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
_SUBJECT: Config = {
    "metadata": {
        "descriptor_key": "subject",
        "metadata_key": {"key": JWT, "path": [{"key": _TOKEN}, {"key": "sub"}]},
        "source": "DYNAMIC",
    }
}
_NO_TOKEN: Config = {
    "header_value_match": {
        "descriptor_key": "token",
        "descriptor_value": "none",
        "expect_match": False,
        "headers": [{"name": "authorization", "present_match": True}],
    }
}


def _limit_by_address(settings: Settings) -> Config:
    """Before tokens are checked, so that nobody keeps Envoy busy with signatures."""
    bucket = {_any("masked_remote_address"): ADDRESSES_SHARE}
    return _limit("by_address", settings, [[_ADDRESS]], bucket)


def _limit_by_client(settings: Settings) -> Config:
    """By the token's subject, or by the address where there is no token."""
    buckets = {_any("subject"): 1, (("token", "none"), ("masked_remote_address", "")): 1}
    return _limit("by_client", settings, [[_SUBJECT], [_NO_TOKEN, _ADDRESS]], buckets)


def _any(key: str) -> tuple[tuple[str, str], ...]:
    return ((key, ""),)


def _limit(
    name: str,
    settings: Settings,
    actions: Sequence[list[Config]],
    buckets: Mapping[tuple[tuple[str, str], ...], int],
) -> Config:
    """`buckets` are how many clients' worth each descriptor holds; an empty value is any, each with its own bucket.
    Each Envoy counts by itself, and tells the clients that asked last apart."""
    limits = settings.client_limits
    descriptors = [
        {
            "entries": [{"key": key, **({"value": value} if value else {})} for key, value in entries],
            "token_bucket": token_bucket(limits.rate * share, limits.burst * share),
        }
        for entries, share in buckets.items()
    ]
    return extension(
        f"envoy.filters.http.local_ratelimit.{name}",
        f"{HTTP_FILTERS}.local_ratelimit.v3.LocalRateLimit",
        stat_prefix=f"clients_{name}",
        rate_limits=[{"actions": one} for one in actions],
        descriptors=descriptors,
        max_dynamic_descriptors=limits.clients,
        always_consume_default_token_bucket=False,
        filter_enabled=_always("enabled"),
        filter_enforced=_always("enforced"),
    )


def _always(what: str) -> Config:
    return {"runtime_key": f"gateway.limits.{what}", "default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def _gzip() -> Config:
    kinds = "|".join(re.escape(one) for one in _COMPRESSIBLE)
    common = {"min_content_length": 512, "content_type_matcher": {"safe_regex": {"regex": f"({kinds})(;.*)?"}}}
    library = {
        "name": "gzip",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip",
            "compression_level": "COMPRESSION_LEVEL_4",
            "window_bits": 15,
        },
    }
    return extension(
        COMPRESSOR,
        f"{HTTP_FILTERS}.compressor.v3.Compressor",
        response_direction_config={"common_config": common},
        compressor_library=library,
    )


def _cross_origin() -> Config:
    return extension("envoy.filters.http.cors", f"{HTTP_FILTERS}.cors.v3.Cors")


def cross_origin_policy(origins: str) -> dict[str, Any]:
    """The services' own rule, so that a page of these origins can read what the gateway itself refuses."""
    return {
        "@type": f"type.googleapis.com/{HTTP_FILTERS}.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": one.strip()} for one in origins.split(",") if one.strip()],
        "allow_methods": METHODS.decode(),
        "allow_headers": HEADERS.decode(),
        "expose_headers": EXPOSED.decode(),
        "max_age": KEPT_SECONDS.decode(),
    }

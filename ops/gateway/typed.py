"""Envoy's words that every part of its configuration uses."""

import math
from typing import Any

Config = dict[str, Any]

_TYPES = "type.googleapis.com/"
HTTP_FILTERS = "envoy.extensions.filters.http"


def typed(kind: str, **fields: Any) -> Config:
    """A message of Envoy's API with its type."""
    return {"@type": f"{_TYPES}{kind}", **fields}


def extension(name: str, kind: str, **fields: Any) -> Config:
    """A named extension with its configuration."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def seconds(value: float) -> str:
    """A duration."""
    return f"{value:g}s"


def socket_address(host: str, port: int) -> Config:
    return {"socket_address": {"address": host, "port_value": port}}


def token_bucket(rate: float, burst: int) -> Config:
    """So many at once, and so many a second. Envoy fills in whole tokens, and at most every 50 ms."""
    tokens = max(1, math.ceil(rate / 20))
    return {"max_tokens": burst, "tokens_per_fill": tokens, "fill_interval": f"{tokens / rate:.6f}s"}

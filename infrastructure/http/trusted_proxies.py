"""Who asks, where a gateway stands in front: the address that the gateways we trust have written down."""

import ipaddress
from collections.abc import Callable
from typing import Any

from litestar.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from infrastructure.settings import InvalidSettings


def trusting_proxies(trusted: str) -> Callable[[ASGIApp], ASGIApp]:
    """Puts in the place of a trusted gateway's address the last one of `X-Forwarded-For` that is no such gateway's.
    `trusted` are addresses and networks with commas between; from anybody else the header counts for nothing.

    Raises InvalidSettings.
    """
    networks = [_network(one.strip()) for one in trusted.split(",") if one.strip()]
    if not networks:
        return lambda app: app

    def guard(app: ASGIApp) -> ASGIApp:
        asgi: Any = app
        guarded: Any = ProxyHeadersMiddleware(asgi, trusted_hosts=networks)
        return guarded  # type: ignore[no-any-return]

    return guard


def _network(given: str) -> str:
    try:
        return str(ipaddress.ip_network(given))
    except ValueError as error:
        raise InvalidSettings(
            f"EVENTFOLD_TRUSTED_PROXIES: {given[:100]!r} is no address and no network: {error}"
        ) from None

"""A client's connections for tests."""

from typing import Any

import aiohttp

KEPT = 2.0
"""Seconds that an idle connection is kept: fewer than the services keep theirs (`http_idle_timeout`), so that no
request goes out on one that is just being closed. aiohttp repeats such a request only where its method is safe."""


def http_session(base_url: str | None = None, **options: Any) -> aiohttp.ClientSession:
    """A session that may live as long as the test; `options` are aiohttp's."""
    return aiohttp.ClientSession(base_url, connector=aiohttp.TCPConnector(keepalive_timeout=KEPT), **options)

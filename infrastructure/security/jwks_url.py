"""A JWKS by its URL: fetched under a policy, without redirects, up to a bound."""

from urllib.parse import urlsplit

from infrastructure.access_settings import AuthenticationSettings
from infrastructure.outside.http_client import HttpClient
from infrastructure.resilience import Policy
from infrastructure.resilience.limits import Limits
from infrastructure.security.key_sources import FetchedKeys
from infrastructure.security.loopback import is_loopback
from infrastructure.security.verification_keys import InvalidKeys, KeySet, keys_of

_MAX_BODY = 262_144


class JwksUrl:
    """The keys at the URL. Raises InvalidKeys for one where anybody on the way could put keys of their own."""

    def __init__(self, settings: AuthenticationSettings) -> None:
        url = urlsplit(settings.jwks_url)
        if url.scheme not in ("https", "http") or not url.hostname or url.username is not None or url.fragment:
            raise InvalidKeys("it is an https URL, with neither a user nor a fragment")
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise InvalidKeys("keys come over https alone, but for those of this machine")
        limits = Limits(timeout=settings.timeout, concurrency=1, queue=1, retries=1, recovery_timeout=settings.interval)
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._http = HttpClient(f"{url.scheme}://{url.netloc}", Policy("jwks", limits), max_body=_MAX_BODY)
        self.keys = FetchedKeys(self._fetch, refresh=settings.refresh, interval=settings.interval)

    async def close(self) -> None:
        """Closes the connections."""
        await self.keys.close()
        await self._http.close()

    async def _fetch(self) -> KeySet:
        response = await self._http.request("GET", self._path)
        if response.status != 200:
            raise InvalidKeys(f"status {response.status}")
        return keys_of(response.body)

"""Where keys come from: a file, a URL, or a secret. Tokens that name unknown keys can't make any of them work hard."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

import structlog
from prometheus_client import Counter

from infrastructure.security.invalid_token import KeysUnavailable
from infrastructure.security.verification_keys import InvalidKeys, KeySet, VerificationKey, parse_jwks

log = structlog.get_logger(__name__)

_FETCHES = Counter(
    "eventfold_auth_key_fetches",
    "Fetches of the keys that tokens are checked with, by how they ended: fetched, failed",
    ["outcome"],
)
for _outcome in ("fetched", "failed"):
    _FETCHES.labels(_outcome)

_LOOK_EVERY = 1.0
_MAX_FILE_BYTES = 1_048_576

Fetch = Callable[[], Awaitable[KeySet]]
"""Fetches the keys. Raises an Exception, whose text says why, where it can't."""


class FixedKeys:
    """Keys that never change."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def find(self, kid: str | None) -> VerificationKey | None:
        """As Keys says."""
        return self._keys.find(kid)


class FileKeys:
    """The keys of a JWKS file, read again when the file changes; a file that can't be read any more changes nothing.

    Raises InvalidKeys where it can't be read at the start. `clock` is in seconds and never goes back.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._stamp = _stamp(path)
        self._keys = _read(path)

    async def find(self, kid: str | None) -> VerificationKey | None:
        """As Keys says."""
        if self._clock() - self._looked_at >= _LOOK_EVERY:
            self._look()
        return self._keys.find(kid)

    def _look(self) -> None:
        self._looked_at = self._clock()
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _read(self._path)
        except InvalidKeys as error:
            log.error(
                "the keys for tokens can't be read again; those of before stay", file=str(self._path), error=str(error)
            )
        else:
            log.info("the keys for tokens were read again", file=str(self._path), keys=self._keys.number)


class FetchedKeys:
    """Keys that are fetched when they are needed, and again after `refresh` seconds; the last good ones stay when that
    fails.

    A name that is not known makes it fetch as well, for that is how a new key is found. But two fetches begin at least
    `interval` seconds apart, whatever comes, and whoever needs one that is under way waits for that one.
    """

    def __init__(
        self, fetch: Fetch, *, refresh: float, interval: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._fetch = fetch
        self._refresh = refresh
        self._interval = interval
        self._clock = clock
        self._keys: KeySet | None = None
        self._began_at = -interval
        self._fetched_at = 0.0
        self._under_way: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> VerificationKey | None:
        """As Keys says."""
        found = self._keys.find(kid) if self._keys is not None else None
        if found is not None:
            if self._clock() - self._fetched_at >= self._refresh:
                self._begin()  # what there is will do until then
            return found
        if kid is None and self._keys is not None:
            return None  # another fetch would not name its key either
        if (fetching := self._begin()) is not None:
            # Shielded: whoever gives up takes nobody else's keys away.
            await asyncio.shield(fetching)
        if self._keys is None:
            seconds = max(1.0, self._began_at + self._interval - self._clock())
            raise KeysUnavailable("the keys that tokens are checked with can't be fetched", seconds)
        return self._keys.find(kid)

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)

    def _begin(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, begun now if there is none and the last one was long enough ago."""
        if self._under_way is None and self._clock() - self._began_at >= self._interval:
            self._began_at = self._clock()
            self._under_way = asyncio.create_task(self._fetch_once())
        return self._under_way

    async def _fetch_once(self) -> None:
        try:
            self._keys = await self._fetch()
        except Exception as error:
            _FETCHES.labels("failed").inc()
            log.warning(
                "the keys for tokens can't be fetched",
                error=str(error)[:500],
                keys=self._keys.number if self._keys else 0,
            )
        else:
            self._fetched_at = self._clock()
            _FETCHES.labels("fetched").inc()
            log.info("the keys for tokens were fetched", keys=self._keys.number)
        finally:
            self._under_way = None


def _read(path: Path) -> KeySet:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidKeys(f"{path} can't be read ({error.strerror})") from None
    if len(content) > _MAX_FILE_BYTES:
        raise InvalidKeys(f"{path} has over {_MAX_FILE_BYTES} bytes")
    try:
        return parse_jwks(content)
    except InvalidKeys as error:
        raise InvalidKeys(f"{path}: {error}") from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does; projected files change their inode."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

"""The token that a process of ours sends with its own requests: made by itself, from a file, or none."""

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

import structlog

from infrastructure.secrets import UnreadableSecret, read_secret
from infrastructure.security.signing_key import SigningKey, read_signing_key
from infrastructure.security.verification_keys import InvalidKeys
from infrastructure.settings import InvalidSettings, Settings

log = structlog.get_logger(__name__)

SERVICE = "service"
"""The role of our own services."""

KEY_FILE = "EVENTFOLD_SERVICE_KEY_FILE"
TOKEN = "EVENTFOLD_TOKEN"  # noqa: S105 - the variable's name
TOKEN_FILE = "EVENTFOLD_TOKEN_FILE"  # noqa: S105 - the variable's name
_LOOK_EVERY = 1.0


class TokenSource(Protocol):
    """Where the token for the next request comes from."""

    def token(self) -> str | None:
        """The token; None to send none."""


class NoToken:
    """For services that ask for none."""

    def token(self) -> str | None:
        """As TokenSource says."""
        return None


class GivenToken:
    """One that never changes."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str | None:
        """As TokenSource says."""
        return self._token


class TokenFromFile:
    """The token in a file, read again when the file changes, as Kubernetes renews the ones that it projects. While it
    can't be read, the last one is sent.

    Raises UnreadableSecret where it can't be read at the start. `clock` is in epoch seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._stamp = self._now()
        self._token = read_secret(path, TOKEN_FILE).strip()

    def token(self) -> str | None:
        """As TokenSource says."""
        if self._clock() - self._looked_at >= _LOOK_EVERY:
            self._looked_at = self._clock()
            if (stamp := self._now()) != self._stamp:
                self._read(stamp)
        return self._token

    def _read(self, stamp: tuple[int, int] | None) -> None:
        try:
            self._token = read_secret(self._path, TOKEN_FILE).strip()
        except UnreadableSecret as error:
            log.warning("the token can't be read again; the last one is sent", error=str(error))
        else:
            self._stamp = stamp

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


class OwnMadeToken:
    """A short-lived token that the process makes itself, renewed at half of its life. `ttl` is in seconds, `clock` in
    epoch seconds."""

    def __init__(
        self,
        key: SigningKey,
        subject: str,
        roles: Collection[str],
        ttl: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._subject = subject
        self._roles = tuple(roles)
        self._ttl = ttl
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0

    def token(self) -> str | None:
        """As TokenSource says."""
        now = self._clock()
        # A clock that was set back gives a token that is valid now as well.
        if not self._renew_at - self._ttl <= now < self._renew_at:
            self._token = self._key.token(self._subject, roles=self._roles, ttl=self._ttl, now=now)
            self._renew_at = now + self._ttl / 2
        return self._token


def service_tokens(settings: Settings, subject: str, role: str = SERVICE) -> TokenSource:
    """What a service called `subject` sends to others. Raises InvalidSettings when it has none, and they ask for it."""
    found = own_tokens(settings, subject, (role,))
    if isinstance(found, NoToken) and settings.authentication.mode == "on":
        raise InvalidSettings(
            f"authentication is on, and {subject} has no token to send: set {TOKEN_FILE}, or {KEY_FILE}, a key that it "
            "makes its own tokens with"
        )
    return found


def own_tokens(settings: Settings, subject: str, roles: Collection[str]) -> TokenSource:
    """What the settings say for a process that calls itself `subject`; without a word on it, tokens are made with the
    secret for development, if there is one. Raises InvalidSettings."""
    given = settings.own_token
    named = {KEY_FILE: given.key_file, TOKEN_FILE: given.token_file, TOKEN: given.token}
    variables = [name for name, value in named.items() if value]
    if len(variables) > 1:
        raise InvalidSettings(f"{' and '.join(variables)} are set; only one can be")
    try:
        if given.key_file:
            key = read_signing_key(Path(given.key_file), KEY_FILE, settings.authentication)
            return OwnMadeToken(key, subject, roles, given.ttl)
        if given.token_file:
            return TokenFromFile(Path(given.token_file))
        if not given.token and settings.authentication.secret:
            key = SigningKey.from_secret(settings.authentication)
            return OwnMadeToken(key, subject, roles, given.ttl)
    except (InvalidKeys, UnreadableSecret) as error:
        raise InvalidSettings(str(error)) from None
    return GivenToken(given.token) if given.token else NoToken()

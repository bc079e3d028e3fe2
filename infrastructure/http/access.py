"""What stands before every route of every service: who asks through a gateway, security headers, CORS, authentication,
limits; in that order."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from infrastructure.http.authentication import Authentication
from infrastructure.http.client_limits import ClientLimits
from infrastructure.http.cross_origin import allowed_origins, with_cross_origin
from infrastructure.http.limiting import with_client_limits
from infrastructure.http.open_paths import OpenPaths
from infrastructure.http.security_headers import with_security_headers
from infrastructure.http.trusted_proxies import trusting_proxies
from infrastructure.security.identity import ANYBODY, identify
from infrastructure.security.jwks_url import JwksUrl
from infrastructure.security.key_sources import FileKeys, FixedKeys
from infrastructure.security.loopback import is_loopback
from infrastructure.security.verification_keys import InvalidKeys, secret_key
from infrastructure.security.verified_tokens import VerifiedTokens
from infrastructure.security.verifier import Keys, TokenVerifier
from infrastructure.settings import InvalidSettings, Settings

_HOW = (
    "authentication is on, and no keys are known that tokens could be checked with: set EVENTFOLD_AUTH_JWKS_URL or "
    "EVENTFOLD_AUTH_JWKS_FILE; for development on this machine, EVENTFOLD_AUTH_SECRET, or EVENTFOLD_AUTH=off"
)


class Access(Struct, frozen=True):
    """`guard` puts everything before an application; `close` is called when it has ended."""

    guard: Callable[[ASGIApp], ASGIApp]
    close: Callable[[], Awaitable[None]]


def access(settings: Settings, *open_paths: str) -> Access:
    """What the settings say; `open_paths` are open to all, besides those of every service.

    Raises InvalidSettings when the settings would leave a door open, or shut all of them.
    """
    try:
        origins = allowed_origins(settings.cross_origin.origins)
    except ValueError as error:
        raise InvalidSettings(f"EVENTFOLD_CORS_ORIGINS: {error}") from None
    limits = ClientLimits(settings.client_limits)
    through_proxies = trusting_proxies(settings.proxies.trusted)
    authenticate, close = _authentication(settings, limits, OpenPaths(*open_paths))

    def guard(app: ASGIApp) -> ASGIApp:
        guarded = with_security_headers(with_cross_origin(authenticate(with_client_limits(app, limits)), origins))
        return through_proxies(guarded)

    return Access(guard, close)


def _authentication(
    settings: Settings, limits: ClientLimits, open_paths: OpenPaths
) -> tuple[Callable[[ASGIApp], ASGIApp], Callable[[], Awaitable[None]]]:
    given, on_loopback = settings.authentication, is_loopback(settings.http.host)
    if given.mode == "off":
        if not on_loopback:
            raise InvalidSettings(
                f"EVENTFOLD_AUTH=off is for a loopback address alone, and EVENTFOLD_HOST is {settings.http.host}"
            )
        return _anybody, _nothing
    keys, close = _keys(settings)
    verifier, verified = TokenVerifier(keys, given), VerifiedTokens(given.cache_size, given.refresh)
    metrics_are_open = given.metrics == "open" or (given.metrics == "auto" and on_loopback)

    def authenticate(app: ASGIApp) -> ASGIApp:
        return Authentication(app, verifier, verified, limits, open_paths, metrics_are_open=metrics_are_open)

    return authenticate, close


def _keys(settings: Settings) -> tuple[Keys, Callable[[], Awaitable[None]]]:
    given = settings.authentication
    named = {
        "EVENTFOLD_AUTH_JWKS_URL": given.jwks_url,
        "EVENTFOLD_AUTH_JWKS_FILE": given.jwks_file,
        "EVENTFOLD_AUTH_SECRET": given.secret,
    }
    variables = [name for name, value in named.items() if value]
    if len(variables) != 1:
        raise InvalidSettings(f"{' and '.join(variables)} are set; only one can be" if variables else _HOW)
    try:
        if given.jwks_url:
            fetched = JwksUrl(given)
            return fetched.keys, fetched.close
        if given.jwks_file:
            return FileKeys(Path(given.jwks_file)), _nothing
        if not is_loopback(settings.http.host):
            raise InvalidKeys(
                "whoever has the secret can make tokens, so it is for a loopback address alone, and EVENTFOLD_HOST is "
                f"{settings.http.host}"
            )
        return FixedKeys(secret_key(given.secret)), _nothing
    except InvalidKeys as error:
        raise InvalidSettings(f"{variables[0]}: {error}") from None


def _anybody(app: ASGIApp) -> ASGIApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            identify(scope, ANYBODY)
        await app(scope, receive, send)

    return respond


async def _nothing() -> None:
    """There is nothing to close."""

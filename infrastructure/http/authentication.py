"""Who sends a request: the middleware that takes bearer tokens (RFC 6750), and refuses what has no valid one."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import Counter

from infrastructure.http.client_limits import ClientLimits, client_address
from infrastructure.http.limiting import too_many
from infrastructure.http.open_paths import METRICS, OpenPaths
from infrastructure.http.problems import Problem, unavailable
from infrastructure.http.sending import send_problem
from infrastructure.security.identity import NOBODY, Identity, identify
from infrastructure.security.invalid_token import InvalidToken, KeysUnavailable
from infrastructure.security.scopes import METRICS as METRICS_SCOPE
from infrastructure.security.verified_tokens import VerifiedTokens
from infrastructure.security.verifier import TokenVerifier

_REFUSED = Counter(
    "eventfold_auth_refused",
    "Requests that were not let in, by why: without a token (absent), with one that is not valid (invalid), or while "
    "there were no keys (no-keys)",
    ["reason"],
)
_ABSENT, _INVALID, _NO_KEYS = (_REFUSED.labels(reason) for reason in ("absent", "invalid", "no-keys"))

# Whoever reads the metrics where they are open.
_READER = Identity(NOBODY.subject, frozenset({METRICS_SCOPE}))
_SCHEME = b"bearer "
_REALM = 'Bearer realm="eventfold"'


class Authentication:
    """Sets the request's identity before `app` sees it. A token that was verified before costs a look-up.

    Each invalid token counts against its sender's address in `limits`; an address that has used them up gets no further
    token verified, so that nobody keeps the service busy with signatures.
    """

    def __init__(
        self,
        app: ASGIApp,
        verifier: TokenVerifier,
        verified: VerifiedTokens,
        limits: ClientLimits,
        open_paths: OpenPaths,
        *,
        metrics_are_open: bool,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._verified = verified
        self._limits = limits
        self._open = open_paths
        self._metrics_are_open = metrics_are_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            try:
                identify(scope, await self._identity(scope))
            except Problem as problem:
                await send_problem(send, problem)
                return
        await self._app(scope, receive, send)

    async def _identity(self, scope: Scope) -> Identity:
        """Raises Problem."""
        path = scope["path"]
        if path in self._open:
            return NOBODY
        if path == METRICS and self._metrics_are_open:
            return _READER
        return await self._of_token(scope)

    async def _of_token(self, scope: Scope) -> Identity:
        token = _token(scope)
        if token is not None and (known := self._verified.find(token)) is not None:
            return known
        address = client_address(scope)
        if (told := self._limits.exceeded(address)) is not None:
            raise too_many(self._limits, told)
        if token is None:
            _ABSENT.inc()
            self._limits.take(address)
            raise _unauthorized("A bearer token is needed", "the request has no `Authorization: Bearer`")
        try:
            found = await self._verifier.verify(token)
        except InvalidToken as error:
            _INVALID.inc()
            self._limits.take(address)
            raise _unauthorized("The token is not valid", str(error), error="invalid_token") from None
        except KeysUnavailable as error:
            _NO_KEYS.inc()
            raise unavailable("issuer of the keys", error) from None
        self._verified.keep(token, found)
        return found.identity


def _token(scope: Scope) -> bytes | None:
    """The bearer token; None where the request has none, or has something else. Raises Problem for two."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(found) > 1:
        raise _unauthorized("A bearer token is needed", "there are two Authorization headers", error="invalid_request")
    if not found or found[0][: len(_SCHEME)].lower() != _SCHEME:
        return None
    return found[0][len(_SCHEME) :].strip(b" ")


def _unauthorized(title: str, detail: str, *, error: str = "") -> Problem:
    challenge = _REALM
    if error:
        described = detail.replace("\\", "").replace('"', "'")
        challenge = f'{_REALM}, error="{error}", error_description="{described}"'
    return Problem(401, "unauthorized", title, detail, headers={"WWW-Authenticate": challenge})

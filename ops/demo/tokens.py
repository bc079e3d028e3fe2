"""The tokens that the demo sends, made with the key of its own stack."""

from collections.abc import Sequence
from pathlib import Path

from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.own_tokens import NoToken, OwnMadeToken, TokenSource
from infrastructure.security.signing_key import read_signing_key
from infrastructure.settings import Settings
from ops.credentials import ROLES
from ops.locations import COMMAND_API, EVENT_RELAY, PROJECTOR, QUERY_API

_OURS = (COMMAND_API, QUERY_API, PROJECTOR, EVENT_RELAY)


def service_tokens(service: str, data_dir: Path) -> TokenSource:
    """What our services are told of who asks; the stand-ins for the outside must not see it."""
    return _made(data_dir, "demo", ROLES) if service in _OURS else NoToken()


def customer_tokens(customer_id: str, data_dir: Path) -> TokenSource:
    """Of a customer, who may see and sign what is his own."""
    return _made(data_dir, customer_id, ["customer"])


def _made(data_dir: Path, subject: str, roles: Sequence[str]) -> TokenSource:
    keys = DevelopmentKeys(data_dir)
    if not keys.exist:
        return NoToken()
    key = read_signing_key(keys.signing_key, "the stack's key", Settings().authentication)
    return OwnMadeToken(key, subject, roles, Settings().own_token.ttl)

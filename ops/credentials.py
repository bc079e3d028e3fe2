"""The token that a command sends: the one that it is given, else one made with the key of the stack on this machine."""

from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.loopback import is_loopback
from infrastructure.security.own_tokens import NoToken, TokenSource, own_tokens
from infrastructure.settings import InvalidSettings, Settings
from ops.errors import CommandFailed

SUBJECT = "operator"
ROLES = ("operator", "service", "staff")
"""Whoever has the stack's key can be anybody; these are what the commands need."""


def credentials(data_dir: Path, settings: Settings, url: str) -> TokenSource:
    """What is to be sent to the service at the URL. A token that is made here goes to this machine alone.

    Raises:
        CommandFailed: the token, or the key, can't be read.
    """
    given, keys = settings.own_token, DevelopmentKeys(data_dir)
    if not (given.key_file or given.token_file or given.token):
        if not is_loopback(urlsplit(url).hostname or ""):
            return NoToken()
        if not settings.authentication.secret and keys.exist:
            settings = settings.changed(service_key_file=str(keys.signing_key))
    try:
        return own_tokens(settings, SUBJECT, ROLES)
    except InvalidSettings as error:
        raise CommandFailed(str(error)) from error

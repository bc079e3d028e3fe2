"""`eventfold token`: a token for somebody, made with the key of the stack on this machine; `eventfold keys make`."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infrastructure.security.roles import ROLES
from ops.errors import CommandFailed
from ops.locations import own_link_keys
from ops.options import add_data_dir, settings

if TYPE_CHECKING:
    from infrastructure.security.signing_key import SigningKey
    from infrastructure.settings import Settings

PRINTS = """\
Print a token that the services of this machine take, on standard output alone:

  export ADA=$(eventfold token --as ada --role customer)
  curl -s --oauth2-bearer $ADA localhost:8002/orders

It is made with the key in EVENTFOLD_SERVICE_KEY_FILE, else with EVENTFOLD_AUTH_SECRET, else with the key that
`eventfold up` has made in the data directory. Whoever can read that key can be anybody. Beyond one machine, tokens come
from an identity provider, whose keys EVENTFOLD_AUTH_JWKS_URL names.
"""
MAKES = """\
Make the keys of a stack in DIR/keys, as `eventfold up` does: signing-key.json, which makes tokens and is for its owner
alone, jwks.json, its public part, for the services that check them, and signing-links.json, which the links of mails to
the signing page are made with (EVENTFOLD_DOCUMENT_LINK_KEY_FILE). Keys that are there stay.
"""
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = 366 * 86_400
_HOUR = 3_600.0


def add_parser(commands: Any) -> None:
    """Add `token` and `keys`."""
    token: argparse.ArgumentParser = commands.add_parser(
        "token",
        help="print a token for somebody",
        description=PRINTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    token.add_argument(
        "--as", dest="subject", required=True, metavar="NAME", help="who it is for, such as a customer's id"
    )
    token.add_argument("--role", action="append", default=[], choices=sorted(ROLES), help="what it may do; repeatable")
    token.add_argument("--scope", action="append", default=[], metavar="SCOPE", help="what else it may do; repeatable")
    token.add_argument(
        "--ttl",
        type=_ttl,
        default=_HOUR,
        metavar="TIME",
        help="how long it is valid: 90, 90s, 15m, 8h, 30d (default: 1h)",
    )
    add_data_dir(token, "the data directory of `eventfold up`")
    token.set_defaults(run=print_token)
    keys: argparse.ArgumentParser = commands.add_parser("keys", help="the keys that tokens are made with")
    make: argparse.ArgumentParser = keys.add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True
    ).add_parser(
        "make",
        help="make them where there are none",
        description=MAKES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_dir(make, "where DIR/keys is made")
    make.set_defaults(run=make_keys)


def print_token(args: argparse.Namespace) -> int:
    """Print a token."""
    from infrastructure.security.verifier import is_subject

    if not is_subject(args.subject):
        raise CommandFailed("--as takes 1 to 128 printable ASCII characters without spaces")
    if any(not scope or any(not "!" <= one <= "~" for one in scope) for scope in args.scope):
        raise CommandFailed("--scope takes printable ASCII characters without spaces")
    key = _signing_key(args.data_dir, settings())
    token = key.token(args.subject, roles=args.role, scopes=args.scope, ttl=args.ttl, now=time.time())
    sys.stdout.write(token + "\n")
    return 0


def make_keys(args: argparse.Namespace) -> int:
    """Make the keys, and say where they are."""
    from infrastructure.security.development_keys import DevelopmentKeys
    from infrastructure.security.link_keys import make_link_keys
    from ops.output import output

    keys, links = DevelopmentKeys(args.data_dir), own_link_keys(args.data_dir)
    try:
        keys.make()
        make_link_keys(links)
    except OSError as error:
        raise CommandFailed(f"{keys.directory} can't be written: {error.strerror}") from error
    output().print(f"{keys.signing_key}\n{keys.jwks}\n{links}", markup=False, soft_wrap=True)
    return 0


def _signing_key(data_dir: Path, configured: "Settings") -> "SigningKey":
    from infrastructure.security.development_keys import DevelopmentKeys
    from infrastructure.security.own_tokens import KEY_FILE
    from infrastructure.security.signing_key import SigningKey, read_signing_key
    from infrastructure.security.verification_keys import InvalidKeys

    given, keys = configured.authentication, DevelopmentKeys(data_dir)
    try:
        if configured.own_token.key_file:
            return read_signing_key(Path(configured.own_token.key_file), KEY_FILE, given)
        if given.secret:
            return SigningKey.from_secret(given)
        if keys.exist:
            return read_signing_key(keys.signing_key, "the stack's key", given)
    except InvalidKeys as error:
        raise CommandFailed(str(error)) from error
    raise CommandFailed(
        f"there is no key in {keys.directory} to make a token with",
        f"`eventfold up` makes one; --data-dir names its directory, or {KEY_FILE} a key",
    )


def _ttl(text: str) -> float:
    """Seconds, from a number with a unit. Raises ArgumentTypeError."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) * _UNITS[unit] <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not from 1s to 366d, such as 90s, 15m, 8h or 30d")
    return float(int(number) * _UNITS[unit])

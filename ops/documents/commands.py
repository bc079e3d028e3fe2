"""The sub-commands of `eventfold documents`."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from rich.console import Console

from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys, make_link_keys, rotate_link_keys
from ops.documents import reconcile
from ops.errors import CommandFailed
from ops.locations import add_process_manager, process_manager_address

DESCRIPTION = """\
Contracts as PDF: how far one has come and what it waits for, a certificate authority for development, whether the
signatures upon a document hold, our contracts beside the list of the signing provider, and the keys of the links by
which customers sign.
"""


def add_parser(commands: Any) -> None:
    """Add `documents` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "documents",
        help="an order's contract; a development authority; verify signatures; compare with the provider; link keys",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="every step of an order's contract, and what is awaited now")
    show.add_argument("order", metavar="ORDER", help="the order")
    show.add_argument("--json", action="store_true", help="print JSON")
    add_process_manager(show)
    show.set_defaults(run=_show)
    ca = actions.add_parser("ca", help="make an authority for development, which nobody else trusts")
    ca.add_argument("folder", type=Path, help="where its keys and certificates go")
    ca.set_defaults(run=_make)
    verify = actions.add_parser("verify", help="say whether each signature upon a PDF holds")
    verify.add_argument("file", type=Path, help="the document")
    verify.add_argument("--ca", type=Path, required=True, help="PEM file with the certificates that are trusted")
    verify.set_defaults(run=_verify)
    reconcile.add_parser(actions)
    rotate = actions.add_parser(
        "rotate-link-key",
        help="make signing links with a new key from now on",
        description="Puts a new key before those in FILE (EVENTFOLD_DOCUMENT_LINK_KEY_FILE). Links made before hold as "
        "long as their key stays. With --keep 0 none of them holds any more.",
    )
    rotate.add_argument("file", type=Path, help="the file; made where it is not there")
    rotate.add_argument(
        "--keep",
        type=int,
        default=1,
        metavar="N",
        choices=range(10),
        help="older keys that stay (default: %(default)s)",
    )
    rotate.set_defaults(run=_rotate)


def _show(arguments: argparse.Namespace) -> int:
    from ops.chains.client import chain_of_order
    from ops.chains.display import print_chain
    from ops.output import output

    chain, told = chain_of_order(process_manager_address(arguments), arguments.order)
    console = output()
    if arguments.json:
        console.print_json(told.decode())
    else:
        print_chain(console, chain)
    return 0


def _make(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False)
    made = DevelopmentCa(arguments.folder)
    made.make()
    console.print(f"EVENTFOLD_DOCUMENT_SIGNING_KEY_FILE={made.signing_key}", soft_wrap=True)
    console.print(f"EVENTFOLD_DOCUMENT_SIGNING_CERTIFICATE_FILE={made.signing_certificates}", soft_wrap=True)
    console.print(f"Trusted by who is given {made.authority}", soft_wrap=True)
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    try:
        if arguments.file.exists():
            kids = rotate_link_keys(arguments.file, keep=arguments.keep)
        else:
            make_link_keys(arguments.file)
            kids = [key.kid for key in LinkKeys(arguments.file).all()]
    except (UnusableLinkKeys, OSError) as error:
        raise CommandFailed(str(error)) from error
    others = ", ".join(kids[1:]) or "no other key"
    console.print(f"Links are made with {kids[0]}; {others} is still taken", markup=False)
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    try:
        from infrastructure.outside.signing.verification import verify_signatures

        verdicts = asyncio.run(verify_signatures(arguments.file.read_bytes(), arguments.ca))
    except ImportError as error:
        raise CommandFailed("pyHanko is not installed here", "pip install 'eventfold[documents]'") from error
    except (OSError, ValueError) as error:
        raise CommandFailed(str(error)) from error
    if not verdicts:
        raise CommandFailed(f"{arguments.file} has no signature")
    for one in verdicts:
        time = "with the time of an authority" if one.timestamped else "without an authority's time"
        console.print(f"{'holds' if one.holds else 'DOES NOT HOLD'}: {one.signer}, {time} ({one.detail})", markup=False)
    return 0 if all(one.holds for one in verdicts) else 1

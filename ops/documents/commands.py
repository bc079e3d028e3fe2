"""The sub-commands of `eventfold documents`."""

import argparse
import asyncio
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from infrastructure.outside.signing.development_ca import DevelopmentCa
from ops.documents import keeping, reconcile
from ops.documents.evidence import fetch_evidence
from ops.documents.keeping import ENCRYPT, FORGET
from ops.errors import EXIT_FAILED, CommandFailed
from ops.locations import add_process_manager, process_manager_address
from ops.options import add_data_dir

DESCRIPTION = """\
Contracts as PDF: how far one has come and what it waits for, their evidence, whether the signatures upon them hold, how
they are kept, our contracts beside the list of the signing provider, the keys of the links by which customers sign, and
a certificate authority for development.
"""

TSA = """\
Say what time it is, with the key of the folder (RFC 3161 over HTTP), until Ctrl-C. Nobody else trusts it.
EVENTFOLD_DOCUMENT_TIMESTAMP_URL names it to the service that seals.
"""


def add_parser(commands: Any) -> None:
    """Add `documents` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "documents",
        help="contracts: steps, evidence, signatures, encryption, the provider, link keys, a development authority",
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
    verify.add_argument("file", type=Path, help="the document, or a bundle of evidence with documents")
    verify.add_argument("--ca", type=Path, required=True, help="PEM file with the certificates that are trusted")
    verify.set_defaults(run=_verify)
    verify.add_argument(
        "--at", type=_time, metavar="TIME", help="as of this time (RFC 3339), such as years from now (default: now)"
    )
    tsa = _described(actions, "tsa", "an authority for times, for development", TSA)
    tsa.add_argument("folder", type=Path, help="what `documents ca` has made")
    tsa.add_argument("--port", type=int, default=8318, help="where it listens, on this machine alone (default: 8318)")
    tsa.set_defaults(run=_serve_times)
    evidence = actions.add_parser("evidence", help="all that shows what was agreed upon an order, as a ZIP file")
    evidence.add_argument("order", metavar="ORDER", help="the order's id")
    evidence.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="where to write it (default: evidence-ORDER.zip)"
    )
    evidence.add_argument("--query-api", metavar="URL", help="the query API (default: that of --data-dir, else as set)")
    encrypt = _described(actions, "encrypt", "encrypt documents that were kept in clear", ENCRYPT)
    encrypt.add_argument(
        "--remove-unknown", action="store_true", help="remove documents in clear that no event of the log names"
    )
    forget = _described(actions, "forget", "destroy the key of a contract's own", FORGET)
    forget.add_argument("order", metavar="ORDER", help="the contract's order")
    for parser, run in ((evidence, fetch_evidence), (encrypt, keeping.encrypt), (forget, keeping.forget)):
        add_data_dir(parser, "the data directory of the running `eventfold up`")
        parser.set_defaults(run=run)
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


def _described(actions: Any, name: str, short: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=short, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


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
    console.print(f"EVENTFOLD_DOCUMENT_REVOCATIONS_FILE={made.revocations}", soft_wrap=True)
    console.print(f"Trusted by who is given {made.authority}", soft_wrap=True)
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys, make_link_keys, rotate_link_keys

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
    held = [_verified(console, name, document, arguments) for name, document in _documents(arguments.file)]
    return 0 if all(held) else EXIT_FAILED


def _documents(file: Path) -> list[tuple[str, bytes]]:
    """The document, or those of a bundle that have a signature to look for."""
    from infrastructure.evidence.bundle_checker import read_bundle
    from infrastructure.evidence.verifier import NotProven

    if not zipfile.is_zipfile(file):
        try:
            return [("", file.read_bytes())]
        except OSError as error:
            raise CommandFailed(str(error)) from error
    try:
        files = read_bundle(file)
    except NotProven as error:
        raise CommandFailed(str(error)) from error
    found = [
        (name, files[name]) for name in sorted(files) if name.startswith("documents/") and b"/ByteRange" in files[name]
    ]
    if not found:
        raise CommandFailed(f"{file} has no document with a signature")
    return found


def _verified(console: Console, name: str, document: bytes, arguments: argparse.Namespace) -> bool:
    try:
        from infrastructure.outside.signing.verification import verify_signatures

        verdicts = asyncio.run(verify_signatures(document, arguments.ca, arguments.at))
    except ImportError as error:
        raise CommandFailed("pyHanko is not installed here", "pip install 'eventfold[documents]'") from error
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    if not verdicts:
        raise CommandFailed(f"{name or 'the document'} has no signature")
    for one in verdicts:
        time = "with the time of an authority" if one.timestamped else "without an authority's time"
        lasting = ", by what was added to the document" if one.lasting else ""
        said = f"{'holds' if one.holds else 'DOES NOT HOLD'}{lasting}: {one.signer}, {time} ({one.detail})"
        console.print(said if name == "" else f"{name}: {said}", markup=False)
    return all(one.holds for one in verdicts)


def _serve_times(arguments: argparse.Namespace) -> int:
    console, made = Console(highlight=False, soft_wrap=True), DevelopmentCa(arguments.folder)
    try:
        from infrastructure.outside.signing.time_authority import serve_times, time_authority

        app = time_authority(made.time_key, made.time_certificate)
        asyncio.run(serve_times(app, "127.0.0.1", arguments.port, lambda url: console.print(f"listening: {url}")))
    except ImportError as error:
        raise CommandFailed("pyHanko is not installed here", "pip install 'eventfold[documents]'") from error
    except (OSError, ValueError) as error:
        raise CommandFailed(f"no times are given: {error}", "`eventfold documents ca FOLDER` makes the key") from error
    return 0


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2040-01-01T00:00:00Z") from None
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone")
    return time

"""The sub-commands of `eventfold audit`."""

import argparse
from typing import Any

from ops.audit import checkpoint, export, verify

DESCRIPTION = """\
The evidence that the log is as it was written: chained streams, a tree over all events, signed checkpoints that are
kept elsewhere, and proofs for others. docs/tamper-evidence.md says what each of them proves, and what not.
"""


def add_parser(commands: Any) -> None:
    """Add `audit` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "audit",
        help="sign the log, verify it, and export proofs of it",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    checkpoint.add_key(actions)
    checkpoint.add_checkpoint(actions)
    checkpoint.add_follow(actions)
    verify.add_verify(actions)
    export.add_export(actions)
    export.add_check(actions)

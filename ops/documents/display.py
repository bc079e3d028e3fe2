"""What a reconciliation of signatures prints."""

from collections.abc import Mapping

import msgspec
from rich.console import Console

from ops.documents.reconciliation import Reconciled
from ops.output import number, plain_table


def print_reconciled(console: Console, found: Reconciled, mended: int, refused: Mapping[str, str]) -> None:
    """How many there are on both sides, then each difference."""
    console.print(
        f"{number(found.contracts)} contracts were sent to the provider, which has {number(found.requests)} requests"
    )
    if found.mismatched or found.waiting:
        console.print(
            f"of what it told by webhook, {number(found.mismatched)} contradicted a contract, "
            f"{number(found.waiting)} wait for one"
        )
    if mended:
        console.print(f"{number(mended)} mended")
    if not found.differences:
        console.print("nothing differs", style="green")
        return
    table = plain_table("difference", "reference", "request", "here", "at the provider", "mend")
    for one in found.differences:
        how = refused.get(one.reference) or one.mend or "by people"
        table.add_row(one.kind, one.reference, one.request_id or "-", one.ours, one.theirs, how)
    console.print(table, markup=False)
    if any(one.mend for one in found.differences) and not refused and not mended:
        console.print("eventfold documents reconcile --apply mends what is safe to mend", markup=False)


def as_json(found: Reconciled, mended: int, refused: Mapping[str, str]) -> str:
    """The same for programs."""
    differences = [
        {
            "kind": one.kind,
            "reference": one.reference,
            "request_id": one.request_id,
            "ours": one.ours,
            "provider": one.theirs,
            "mend": one.mend,
            "refused": refused.get(one.reference),
        }
        for one in found.differences
    ]
    return msgspec.json.encode(
        {
            "agrees": not differences,
            "contracts": found.contracts,
            "requests": found.requests,
            "webhooks_contradicting": found.mismatched,
            "webhooks_waiting": found.waiting,
            "mended": mended,
            "differences": differences,
        }
    ).decode()

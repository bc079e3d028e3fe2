"""What a reconciliation prints."""

from collections.abc import Mapping

import msgspec
from rich.console import Console

from ops.output import number, plain_table
from ops.payments.reconciliation import Reconciled


def print_reconciled(console: Console, found: Reconciled, mended: int, refused: Mapping[str, str]) -> None:
    """The money on both sides, then each difference."""
    console.print(f"{number(found.payments)} payments here, {number(found.charges)} charges at the provider")
    for currency, both in found.money.items():
        console.print(f"{currency}: {number(both.ours)} here, {number(both.theirs)} at the provider (minor units)")
    if found.mismatched or found.waiting:
        console.print(
            f"of what it told by webhook, {number(found.mismatched)} contradicted a payment, "
            f"{number(found.waiting)} wait for one"
        )
    if mended:
        console.print(f"{number(mended)} mended")
    if not found.differences:
        console.print("nothing differs", style="green")
        return
    table = plain_table("difference", "reference", "charge", "here", "at the provider", "mend")
    for one in found.differences:
        how = refused.get(one.reference) or one.mend or "by people"
        table.add_row(one.kind, one.reference, one.charge_id or "-", one.ours, one.theirs, how)
    console.print(table, markup=False)
    some = any(one.mend for one in found.differences)
    if some and not refused and not mended:
        console.print("eventfold payments reconcile --apply records what was missed", markup=False)


def as_json(found: Reconciled, mended: int, refused: Mapping[str, str]) -> str:
    """The same for programs."""
    differences = [
        {
            "kind": one.kind,
            "reference": one.reference,
            "charge_id": one.charge_id,
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
            "payments": found.payments,
            "charges": found.charges,
            "money": {name: {"ours": both.ours, "provider": both.theirs} for name, both in found.money.items()},
            "webhooks_contradicting": found.mismatched,
            "webhooks_waiting": found.waiting,
            "mended": mended,
            "differences": differences,
        }
    ).decode()

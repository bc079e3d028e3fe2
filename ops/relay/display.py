"""Destinations as a table."""

from collections.abc import Sequence

from ops.output import number, output, plain_table, text_of
from ops.relay.client import DestinationStatus

_FORMER = "not configured"
_KEPT = (
    "{names}: no longer in the file. Put back, it goes on where it was; `eventfold relay remove NAME` forgets it.\n"
    "One that got another name in the file is a new destination, which begins at the start of the log:\n"
    "`eventfold relay replay NEW --from POSITION` lets that go on where the former one stood."
)


def print_destinations(found: Sequence[DestinationStatus]) -> None:
    """All of them, then what troubles them."""
    table = plain_table("DESTINATION", "KIND", "STATE", "POSITION", "LAG", "PARKED", "TYPES")
    for one in found:
        consumer = one.consumer
        position, lag, parked = (
            (None, None, None) if consumer is None else (consumer.position, consumer.lag_events, consumer.parked)
        )
        types = ", ".join(one.types) or "-"
        cells = (text_of(position), number(lag), number(parked), types)
        table.add_row(one.name, one.kind or "-", _state(one), *cells)
    console = output()
    console.print(table)
    if not found:
        console.print("No destinations; what is published can be read from GET /events of the relay.")
    for one in found:
        if one.consumer is not None and one.consumer.trouble and one.configured and not one.paused:
            console.print(f"{one.name}: {one.consumer.trouble}", markup=False, soft_wrap=True)
    former = [one.name for one in found if not one.configured]
    if former:
        console.print(_KEPT.format(names=", ".join(former)), markup=False, soft_wrap=True)


def _state(one: DestinationStatus) -> str:
    if not one.configured:
        return _FORMER
    if one.paused:
        return "paused"
    return "starting" if one.consumer is None else one.consumer.state

"""One inbound dead letter for people."""

import msgspec
from rich.console import Console
from rich.markup import escape

from ops.dead_letters.display import retries_of
from ops.dead_letters.responses import DeadLetter
from ops.output import UNKNOWN, moment, plain_table, text_of


def print_dead_letter(console: Console, found: DeadLetter) -> None:
    """All that is known of it, the message, and what can be done."""
    one = found.summary
    table = plain_table("", "")
    table.show_header = False
    for name, value in (
        ("consumer", one.consumer),
        ("position", text_of(one.position)),
        ("of", f"{one.kind} {', '.join(one.keys)}"),
        ("role", "the message that failed" if one.first else "waits behind one that failed"),
        ("type", one.event_type),
        ("from", f"{one.stream} at {text_of(one.revision)}"),
        ("sent at", moment(one.recorded_at)),
        ("set aside at", moment(one.parked_at)),
        ("error", one.error),
        ("group", one.group or UNKNOWN),
        ("raised in", one.place or UNKNOWN),
        ("retries", retries_of(one)),
    ):
        table.add_row(name, escape(value))
    console.print(table)
    for name, text in (("message", found.data or "(not kept)"), ("more", found.metadata)):
        console.print(f"\n{name}:")
        console.print(_indented(text), markup=False, soft_wrap=True)
    retry = f"eventfold inbox dead-letters retry {one.consumer}"
    console.print("\nOnce the cause is mended:", retry, markup=False, soft_wrap=True)
    discard = f"eventfold inbox dead-letters discard {one.consumer} {text_of(one.position)} --reason TEXT"
    console.print("To leave it out for good:", discard, markup=False, soft_wrap=True)


def _indented(text: str) -> str:
    try:
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return text

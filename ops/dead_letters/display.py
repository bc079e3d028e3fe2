"""Dead letters as tables and sentences."""

import msgspec
from rich.console import Console
from rich.markup import escape

from ops.consoles import plain_table
from ops.dead_letters.answers import DeadLetter, Outcome, Page, Summary
from ops.words import UNKNOWN, moment


def print_page(console: Console, page: Page, limit: int) -> None:
    """A line for each; says when there are more."""
    if not page.dead_letters:
        console.print("There are no dead letters.")
        return
    table = plain_table("view", "position", "of", "event", "stream", "parked at", "error")
    for one in page.dead_letters:
        table.add_row(
            escape(one.view),
            _text(one.position),
            escape(_keys(one)),
            escape(one.event_type),
            escape(_place(one)),
            moment(one.parked_at),
            escape(one.error) if one.first else f"[dim]{escape(one.error)}[/]",
        )
    console.print(table)
    if page.next is not None:
        console.print(f"There are more than these {limit:,}; show more of them with --limit N.")


def print_dead_letter(console: Console, dead_letter: DeadLetter) -> None:
    """All that is known of it, the event's data and metadata, and what can be done."""
    one = dead_letter.summary
    table = plain_table("", "")
    table.show_header = False
    role = {True: "the event that failed", False: "stands behind one that failed", None: UNKNOWN}[one.first]
    for name, value in (
        ("view", one.view),
        ("position", _text(one.position)),
        ("of", _keys(one)),
        ("role", role),
        ("event", one.event_type),
        ("stream", _place(one)),
        ("recorded at", moment(one.recorded_at)),
        ("parked at", moment(one.parked_at)),
        ("error", one.error),
    ):
        table.add_row(name, escape(value))
    console.print(table)
    for name, text in (("data", dead_letter.data), ("metadata", dead_letter.metadata)):
        console.print(f"\n{name}:")
        console.print(_indented(text), markup=False, soft_wrap=True)
    console.print(
        "\nOnce the cause is mended:", f"eventfold dead-letters retry {one.view}", markup=False, soft_wrap=True
    )
    discard = f"eventfold dead-letters discard {one.view} {_text(one.position)} --reason TEXT"
    console.print("To leave it out for good:", discard, markup=False, soft_wrap=True)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """What was replayed and discarded, what remains and why."""
    parts = [f"{outcome.discarded:,} discarded"] if outcome.discarded else []
    parts += [f"{outcome.replayed:,} replayed", f"{outcome.remaining:,} remaining"]
    console.print(f"{outcome.view}: {', '.join(parts)}", markup=False, soft_wrap=True)
    for error in outcome.errors:
        console.print(f"  {error}", style="red", markup=False, soft_wrap=True)


def _keys(one: Summary) -> str:
    return f"{one.kind} {', '.join(one.keys)}"


def _place(one: Summary) -> str:
    return f"{one.stream} at {_text(one.revision)}"


def _indented(text: str) -> str:
    """JSON laid out; any other text as it is."""
    try:
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return text


def _text(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)

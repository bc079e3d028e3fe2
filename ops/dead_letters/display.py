"""Dead letters as tables and sentences."""

import msgspec
from rich.console import Console
from rich.markup import escape

from ops.dead_letters.responses import DeadLetter, Outcome, Page, Summary
from ops.output import UNKNOWN, moment, plain_table, print_error, text_of


def print_page(console: Console, page: Page, limit: int) -> None:
    """A line for each dead letter, and one that says so when there are more."""
    if not page.dead_letters:
        console.print("There are no dead letters.")
        return
    table = plain_table("consumer", "position", "of", "event", "stream", "parked at", "error")
    for one in page.dead_letters:
        table.add_row(
            escape(one.consumer),
            text_of(one.position),
            escape(_keys(one)),
            escape(one.event_type),
            escape(_position_in_stream(one)),
            moment(one.parked_at),
            escape(one.error) if one.first else f"[dim]{escape(one.error)}[/]",
        )
    console.print(table)
    if page.next is not None:
        console.print(f"There are more than these {limit:,}; show more of them with --limit N.")


def print_dead_letter(console: Console, dead_letter: DeadLetter) -> None:
    """All that is known of one dead letter, the event's data and metadata, and what can be done about it."""
    one = dead_letter.summary
    table = plain_table("", "")
    table.show_header = False
    role = {True: "the event that failed", False: "stands behind one that failed", None: UNKNOWN}[one.first]
    for name, value in (
        ("consumer", one.consumer),
        ("position", text_of(one.position)),
        ("of", _keys(one)),
        ("role", role),
        ("event", one.event_type),
        ("stream", _position_in_stream(one)),
        ("recorded at", moment(one.recorded_at)),
        ("parked at", moment(one.parked_at)),
        ("error", one.error),
        ("group", one.group or UNKNOWN),
        ("raised in", one.place or UNKNOWN),
        ("retries", retries_of(one)),
    ):
        table.add_row(name, escape(value))
    console.print(table)
    for name, text in (("data", dead_letter.data), ("metadata", dead_letter.metadata)):
        console.print(f"\n{name}:")
        console.print(_indented(text), markup=False, soft_wrap=True)
    console.print(
        "\nOnce the cause is mended:", f"eventfold dead-letters retry {one.consumer}", markup=False, soft_wrap=True
    )
    discard = f"eventfold dead-letters discard {one.consumer} {text_of(one.position)} --reason TEXT"
    console.print("To leave it out for good:", discard, markup=False, soft_wrap=True)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """How many events were replayed and discarded, how many remain, and why."""
    parts = [f"{outcome.discarded:,} discarded"] if outcome.discarded else []
    parts += [f"{outcome.replayed:,} replayed", f"{outcome.remaining:,} remaining"]
    console.print(f"{outcome.consumer}: {', '.join(parts)}", markup=False, soft_wrap=True)
    for error in outcome.errors:
        print_error(console, f"  {error}")


def retries_of(one: Summary) -> str:
    """How often it was retried in vain, and when last."""
    return f"{one.retries}, last {moment(one.retried_at)}" if one.retries else text_of(one.retries)


def _keys(one: Summary) -> str:
    return f"{one.kind} {', '.join(one.keys)}"


def _position_in_stream(one: Summary) -> str:
    return f"{one.stream} at {text_of(one.revision)}"


def _indented(text: str) -> str:
    """JSON laid out; any other text as it is."""
    try:
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return text

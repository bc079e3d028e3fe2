"""Groups of dead letters, and what was done with dead letters, as tables and sentences."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from ops.dead_letters.responses import Entry, Group, Page
from ops.output import UNKNOWN, moment, number, plain_table, print_error, text_of


def print_groups(console: Console, groups: Sequence[Group]) -> None:
    """A line for each group, the largest first."""
    if not groups:
        console.print("There are no dead letters.")
        return
    table = plain_table("group", "consumer", "count", "failed", "event", "first at", "last at", "error", "in")
    for one in groups:
        table.add_row(
            one.group,
            escape(one.consumer),
            number(one.count),
            number(one.failed),
            escape(one.event_type),
            moment(one.first_at),
            moment(one.last_at),
            escape(one.message),
            escape(one.place or UNKNOWN),
        )
    console.print(table)


def print_group(console: Console, groups: Sequence[Group], examples: Page) -> None:
    """A group with some of its dead letters, and what can be done about it."""
    print_groups(console, groups)
    console.print("\nThe oldest of them:")
    table = plain_table("consumer", "position", "of", "stream", "retries", "last retry", "error")
    for one in examples.dead_letters:
        table.add_row(
            escape(one.consumer),
            text_of(one.position),
            escape(f"{one.kind} {', '.join(one.keys)}"),
            escape(f"{one.stream} at {text_of(one.revision)}"),
            text_of(one.retries),
            moment(one.retried_at) if one.retried_at else UNKNOWN,
            escape(one.error),
        )
    console.print(table)
    group = groups[0].group
    console.print("\nOnce the cause is mended:", f"eventfold dead-letters retry --group {group}", markup=False)
    discard = f"eventfold dead-letters discard --group {group} --reason TEXT"
    console.print("To leave them out for good:", discard, markup=False)


def print_history(console: Console, entries: Sequence[Entry]) -> None:
    """A line for each request, the newest first, and below it why it failed."""
    if not entries:
        console.print("Nothing was retried or discarded yet.")
        return
    table = plain_table("at", "by", "what", "consumer", "of", "dead letters", "outcome", "reason")
    for one in entries:
        table.add_row(
            moment(one.requested_at),
            escape(one.by),
            one.action,
            escape(one.consumer),
            escape(_of(one)),
            number(one.count),
            escape(_outcome(one)),
            escape(one.reason),
        )
    console.print(table)


def print_portions(console: Console, group: str, consumer: str, sums: tuple[int, int, int], errors: set[str]) -> None:
    """How many dead letters of a group were replayed and discarded, how many remain, and why."""
    replayed, discarded, remaining = sums
    parts = [f"{discarded:,} discarded"] if discarded else []
    parts += [f"{replayed:,} replayed", f"{remaining:,} remaining"]
    console.print(f"{consumer}, group {group}: {', '.join(parts)}", markup=False, soft_wrap=True)
    for error in sorted(errors):
        print_error(console, f"  {error}")


def _of(one: Entry) -> str:
    if one.group:
        return f"group {one.group}"
    if one.key:
        return one.key
    return f"position {one.positions[0]}" if one.action == "discard" and one.positions else "all"


def _outcome(entry: Entry) -> str:
    one = entry.outcome
    if one is None:
        return "not ended"
    if one.fault:
        return f"cut off: {one.fault}"
    parts = [f"{one.discarded:,} discarded"] if one.discarded else []
    parts += [f"{one.replayed:,} replayed", f"{one.remaining:,} remaining"]
    return ", ".join(parts) + "".join(f"; {failure}" for failure in one.failures[:3])

"""Instances as tables."""

from datetime import datetime

from rich.console import Console
from rich.markup import escape

from ops.output import UNKNOWN, moment, plain_table, print_error
from ops.sagas.responses import Command, Details, Page

_STYLES = {"running": "yellow", "stuck": "red", "ended": "green"}


def print_page(console: Console, page: Page) -> None:
    """One line for each instance."""
    if not page.instances:
        console.print("There is none.")
        return
    table = plain_table("instance", "state", "outcome", "waits for", "next timer", "started")
    for one in page.instances:
        waits = [*(f"an operator: {step}" for step in one.failed_steps), *one.waits_for]
        timer = UNKNOWN if one.next_timer is None else f"{one.next_timer} {when(one.next_timer_at)}"
        state = f"[{_STYLES.get(one.status, 'dim')}]{one.status}[/]"
        table.add_row(
            escape(one.instance), state, one.outcome or UNKNOWN, escape(", ".join(waits)), timer, when(one.started_at)
        )
    console.print(table)
    if page.next is not None:
        console.print("There are more; --limit N shows them.")


def print_details(console: Console, details: Details) -> None:
    """Every command with its answer, the timers, what has failed, and the stream."""
    outcome = f" ({details.outcome})" if details.outcome else ""
    console.print(
        f"{details.process} {details.instance}: {details.status}{outcome}, began {when(details.started_at)}",
        markup=False,
    )
    for failure in details.failures:
        print_error(console, f"{failure.step} failed {when(failure.failed_at)}: {failure.code}: {failure.detail}")
    table = plain_table("step", "command", "issued", "answered", "attempts", "answer")
    for command in details.commands:
        table.add_row(
            escape(f"{command.step} (undoes)" if command.compensation else command.step),
            escape(f"POST {command.path}"),
            when(command.issued_at),
            when(command.answered_at),
            str(command.attempts or ""),
            escape(_answer(command)),
        )
    console.print()
    console.print(table)
    if details.timers:
        console.print()
        timers = plain_table("timer", "fires")
        for timer in details.timers:
            timers.add_row(escape(timer.name), when(timer.due_at))
        console.print(timers)
    console.print()
    history = plain_table("", "recorded", "event", "")
    for entry in details.history:
        history.add_row(str(entry.revision), moment(entry.recorded_at), entry.type, escape(_told(entry.data)))
    console.print(history)


def when(time: datetime | None) -> str:
    """UTC to the second."""
    return UNKNOWN if time is None else moment(round(time.timestamp() * 1000))


def _answer(command: Command) -> str:
    if command.accepted is None:
        return "awaited"
    if command.accepted:
        return f"accepted ({command.code})" if command.code else "accepted"
    return f"refused: {command.code or command.status} {command.detail or ''}".rstrip()


_TOLD = ("name", "step", "status", "sku", "code", "reason", "outcome", "due_at", "stream")


def _told(data: dict[str, object]) -> str:
    """What is most telling of an event."""
    return "  ".join(f"{name}={data[name]}" for name in _TOLD if data.get(name) not in (None, ""))

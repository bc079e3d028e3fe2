"""A chain as a tree: below each event what followed from it."""

from datetime import datetime

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ops.chains.client import AwaitedStep, ChainDetails, ChainEvent
from ops.output import moment, print_error


def print_chain(console: Console, chain: ChainDetails) -> None:
    """Every event below its cause, with what it says, and what is awaited after it."""
    root = Tree(Text(f"contract of order {chain.instance}, correlation id {chain.correlation_id}"))
    branches: dict[int, Tree] = {}
    for event in chain.events:
        above = root if event.cause is None else branches.get(event.cause, root)
        branches[event.number] = above.add(_event(event, chain.correlation_id))
    for one in chain.awaited:
        branches.get(one.after, root).add(_awaited(one))
    console.print(root)
    if not chain.awaited:
        console.print("Nothing is awaited.")
    for stream in chain.incomplete:
        print_error(console, f"{stream} has more events than are shown")
    for stream in chain.deleted:
        print_error(console, f"{stream} was deleted")


def _event(event: ChainEvent, correlation_id: str) -> Text:
    line = Text(event.type, style="bold")
    line.append(f"  {event.stream} {event.revision}  {moment(event.recorded_at)}", style="not bold")
    if event.actor:
        line.append(f"  by {event.actor}", style="not bold")
    if event.correlation_id and event.correlation_id != correlation_id:
        line.append(f"  (correlation id {event.correlation_id})", style="not bold dim")
    for name, value in event.facts.items():
        line.append(f"\n{name} {value}", style="not bold dim")
    if event.error:
        line.append(f"\ncan't be read: {event.error}", style="not bold red")
    return line


def _awaited(step: AwaitedStep) -> Text:
    until = "" if step.until is None else f", until {_when(step.until)}"
    return Text(f"awaited: {step.what}, by {step.by}{until}", style="yellow")


def _when(time: datetime) -> str:
    return moment(round(time.timestamp() * 1000))

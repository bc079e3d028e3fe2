"""A whole group retried or discarded: portion by portion, with what is done so far on the terminal.

A portion is done when it is answered. Cut off anywhere, the command is simply given again.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from rich.console import Console

from ops.dead_letters.client import DeadLettersClient, with_dead_letters
from ops.dead_letters.group_display import print_portions
from ops.dead_letters.responses import Group
from ops.errors import CommandFailed
from ops.locations import Address
from ops.output import progress_bar

_MOST_ERRORS = 10
_HINT = "`groups` names the groups"

WithDeadLetters = Callable[..., Any]
"""As with_dead_letters: of the projector, or of another service."""


def groups_named(
    address: Address, group: str, consumer: str | None, requested: WithDeadLetters = with_dead_letters
) -> list[Group]:
    """The group, for each consumer that has it. Raises CommandFailed where none has."""
    found = requested(address, lambda client: client.groups(consumer, group))
    if not found:
        of = f" of {consumer}" if consumer else ""
        raise CommandFailed(f"there are no dead letters{of} in a group {group}", _HINT)
    return list(found)


def work_off(
    address: Address,
    console: Console,
    action: str,
    groups: list[Group],
    reason: str,
    requested: WithDeadLetters = with_dead_letters,
) -> bool:
    """Retries or discards groups, one consumer after another; whether nothing of them remains. Raises CommandFailed,
    which says how far it came."""
    numbers: dict[str, int] = {}
    for one in groups:
        # A consumer may have it for the build that is served and for its candidate: the same events.
        numbers[one.consumer] = max(numbers.get(one.consumer, 0), one.count)

    async def all_of(client: DeadLettersClient) -> bool:
        clean = True
        for consumer, number in numbers.items():
            clean = await _one(client, console, action, consumer, groups[0].group, reason, number) and clean
        return clean

    return bool(requested(address, all_of, replays=True))


async def _one(
    client: DeadLettersClient, console: Console, action: str, consumer: str, group: str, reason: str, number: int
) -> bool:
    replayed = discarded = remaining = portions = 0
    errors: set[str] = set()
    with progress_bar(console, consumer, number) as advance:
        try:
            async for one in client.portions(action, consumer, group, reason):
                portions += 1
                replayed, discarded, remaining = (
                    replayed + one.replayed,
                    discarded + one.discarded,
                    remaining + one.remaining,
                )
                errors.update(one.errors[: max(0, _MOST_ERRORS - len(errors))])
                for _ in range(one.replayed + one.discarded + one.remaining):
                    advance()
                _say(console, consumer, replayed + discarded + remaining, number, last=one.next is None)
        except (CommandFailed, asyncio.CancelledError) as error:
            if portions:
                print_portions(console, group, consumer, (replayed, discarded, remaining), errors)
                console.print("What is done is done; give the command again for the rest.")
            if isinstance(error, CommandFailed) and not portions and _is_gone(error):
                console.print(f"nothing of {consumer} is left in group {group}", markup=False, soft_wrap=True)
                return True
            raise
    print_portions(console, group, consumer, (replayed, discarded, remaining), errors)
    return not remaining and not errors


def _say(console: Console, consumer: str, done: int, number: int, *, last: bool) -> None:
    if not console.is_terminal and not last:
        console.print(f"{consumer}: {done:,} of {number:,}", markup=False)


def _is_gone(error: CommandFailed) -> bool:
    """Whether somebody else was faster: there is nothing left to do."""
    return "in a group" in str(error)

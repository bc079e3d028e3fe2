"""Having a contract's next step recorded, and what it means when the contract refuses it."""

from collections.abc import Mapping
from typing import Any

from infrastructure.outside.commands import CommandSender

PLURAL = "contracts"
_KEY_REUSED = "idempotency-key-reused"


class StepRefused(Exception):
    """The contract refuses a step that it must take; the message says what and why."""


async def record(
    commands: CommandSender, order_id: str, action: str, body: Mapping[str, Any], *, cause: str, passed: frozenset[str]
) -> bool:
    """Whether the step was recorded: False where the contract has gone on by itself, which a code of `passed` says, or
    one that begins with "contract-is-". `cause` names the event, so that a repetition is the same command.

    Raises StepRefused, and DependencyUnavailable where no definite answer is known.
    """
    # One correlation id for all steps of a contract, so that its chain can be read from the events alone.
    answer = await commands.send(
        PLURAL, order_id, action, body, key=f"{cause}-{action}", correlation_id=f"contract-{order_id}"
    )
    if answer.accepted:
        return True
    if answer.code in passed or answer.code == _KEY_REUSED or answer.code.startswith("contract-is-"):
        return False
    raise StepRefused(f"{action} of the contract of order {order_id}: {answer.code}: {answer.detail}")

"""How commands go out: the port, which infrastructure.outside.commands.CommandClient implements."""

from collections.abc import Mapping
from typing import Any, Protocol


class CommandAnswer(Protocol):
    """What came of a command, for certain. `code` says in a word why it was refused."""

    @property
    def accepted(self) -> bool: ...

    @property
    def status(self) -> int: ...

    @property
    def code(self) -> str: ...

    @property
    def detail(self) -> str: ...


class CommandSender(Protocol):
    """Sends commands to the command API."""

    async def send(
        self,
        plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
    ) -> CommandAnswer:
        """POSTs the command under an idempotency key. Raises an error when no definite answer is known."""

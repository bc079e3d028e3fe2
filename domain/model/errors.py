"""Why a command was refused, in terms of the domain; the transport turns these into HTTP."""

from msgspec import Struct


class Fault(Struct, frozen=True):
    """One thing wrong with a command: where (a JSON pointer into the command) and what."""

    pointer: str
    detail: str


class InvalidCommand(Exception):
    """The command can't be right whatever the state of the aggregate: the sender must change it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = faults


class RuleViolation(Exception):
    """The command is well formed, but the aggregate's state forbids it.

    `code` is stable and meant for programs (such as "order-not-pending"); the text is for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class AlreadyExists(RuleViolation):
    """A creating command for an aggregate that is already there."""


class NoSuchAggregate(Exception):
    """A command for an aggregate that does not exist."""

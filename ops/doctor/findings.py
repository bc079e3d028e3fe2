"""What the doctor finds wrong, and what mends it."""

from typing import Literal

from msgspec import Struct

Kind = Literal["unreachable", "other_log", "behind", "stuck", "parked", "orphaned", "unusable"]
"""`unreachable`: a store does not answer. `other_log`: the log is not the one that something was built from, or lacks
its end. `behind`: there are events that nobody takes. `stuck`: work that does not go on by itself. `parked`: there are
dead letters. `orphaned`: stored for something that does not exist any more. `unusable`: a file that a
service needs can't be used."""


class Rebuild(Struct, frozen=True, tag=True):
    """Build the view anew from the log, and wait until it is served."""

    view: str


class Cancel(Struct, frozen=True, tag=True):
    """Give up the build of the view that is under way."""

    view: str


class Retry(Struct, frozen=True, tag=True):
    """Replay all dead letters of the consumer."""

    consumer: str


class RemoveTarget(Struct, frozen=True, tag=True):
    """Remove the checkpoints, leases and dead letters of a target that no record names; and its documents, when it is a
    build of a view."""

    target: str


class RemoveRequest(Struct, frozen=True, tag=True):
    """Withdraw a request for a replay for which nobody waits any more."""

    request: str


class Forget(Struct, frozen=True, tag=True):
    """Remove the record, and all that is stored for it but the operators' discards, of a view or consumer that no code
    knows any more."""

    name: str


Remedy = Rebuild | Cancel | Retry | RemoveTarget | RemoveRequest | Forget


class Finding(Struct, frozen=True):
    """One thing that is wrong. `mend` is the command that mends it, or what to do where no command can; `remedy` is
    what `eventfold doctor --apply` does about it, None where it must be left to people."""

    kind: Kind
    subject: str
    detail: str
    mend: str
    remedy: Remedy | None = None

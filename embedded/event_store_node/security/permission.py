"""What the caller of the current call may write, for calls that carry many writes."""

from collections.abc import Callable
from contextvars import ContextVar

MayWrite = Callable[[str], bool]

# Without users, everybody may write everything.
may_write: ContextVar[MayWrite] = ContextVar("may_write", default=lambda stream: True)

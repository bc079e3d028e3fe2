"""The name of who makes the current call, for what the node records and tells about it."""

from contextvars import ContextVar

ANONYMOUS = "anonymous"

# Without users, every caller is the system itself, as on a server that was started with `--insecure`.
caller: ContextVar[str] = ContextVar("caller", default="system")

"""What the policy costs a request: the route's rule, whose a document is, who sends a command, and a key of one's own.

Each is called alone, for who may do everything (no tokens asked for) and for a customer; medians of rounds taken in
turn.
"""

import statistics
from collections.abc import Callable
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import uvloop

from command_api.headers import CommandHeaders
from command_api.requests import command_request
from domain.model.access import Access
from domain.ordering.aggregate import ORDER
from domain.ordering.commands import CancelOrder
from infrastructure.http.authorisation import authorise
from infrastructure.security.identity import ANYBODY, Identity
from infrastructure.security.policy import sender_of
from infrastructure.security.roles import ROLES
from infrastructure.telemetry import TraceContext
from query_api.http.ownership import is_visible

CALLS = 20_000
ROUNDS = 15

RULE = Access("orders:read", owner="customer_id")
KEYED = CommandHeaders(idempotency_key="cancel-o-1")
CANCEL = next(one for one in ORDER.commands if one.action == "cancel")


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...


async def _asked(identity: Identity) -> dict[str, float]:
    """Microseconds a call, by what is called."""
    scope: Any = {
        "type": "http",
        "route_handler": SimpleNamespace(opt={"access": RULE}),
        "state": {"identity": identity},
    }
    sender, unscoped = sender_of(identity, None, RULE), sender_of(ANYBODY, None, RULE)
    command, guarded = CancelOrder("changed my mind"), authorise(_nothing)
    none: Any = None
    calls: dict[str, Callable[[], object]] = {
        "whose a document is": lambda: is_visible(scope, RULE, "ada"),
        "who sends a command": lambda: sender_of(identity, None, RULE),
        "a command with a key": lambda: command_request(CANCEL, "o-1", command, KEYED, TraceContext(), sender),
        "the same before": lambda: command_request(CANCEL, "o-1", command, KEYED, TraceContext(), unscoped),
    }
    taken: dict[str, list[float]] = {name: [] for name in ("the route's rule", *calls)}
    for _ in range(ROUNDS):
        began = perf_counter()
        for _ in range(CALLS):
            await guarded(scope, none, none)
        asked = perf_counter() - began
        began = perf_counter()
        for _ in range(CALLS):
            await _nothing(scope, none, none)
        taken["the route's rule"].append((asked - (perf_counter() - began)) / CALLS * 1e6)
        for name, call in calls.items():
            began = perf_counter()
            for _ in range(CALLS):
                call()
            taken[name].append((perf_counter() - began) / CALLS * 1e6)
    return {name: statistics.median(rounds) for name, rounds in taken.items()}


async def run() -> None:
    """Prints microseconds a call."""
    anybody, customer = await _asked(ANYBODY), await _asked(Identity("ada", ROLES["customer"]))
    for name, microseconds in anybody.items():
        print(f"{name:>22}: {microseconds:5.2f} us for anybody, {customer[name]:5.2f} us for a customer")


if __name__ == "__main__":
    uvloop.run(run())

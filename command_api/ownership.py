"""Whose an aggregate is, for senders who may change their own alone: asked of the state, before a command and after."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from command_api.requests import CommandRequest
from domain.model.aggregate import Aggregate
from infrastructure.security.policy import ALL_OWNERS, Forbidden


def is_foreign(aggregate: Aggregate, state: Any, request: CommandRequest) -> bool:
    """Whether the aggregate is there and is not the sender's to change."""
    if request.owner is None or state is None:
        return False
    return aggregate.owner_of(state) != request.owner


def require_own(aggregate: Aggregate, state: Any, events: Sequence[Struct], request: CommandRequest) -> None:
    """Raises Forbidden when the events make an aggregate that is not the sender's, or no longer."""
    if request.owner is None:
        return
    for event in events:
        state = aggregate.evolve(state, event)
    if state is None or not request.owner or aggregate.owner_of(state) != request.owner:
        detail = f"{aggregate.owner} is not {request.owner!r}; for others it takes the scope {ALL_OWNERS}"
        raise Forbidden(ALL_OWNERS, detail)

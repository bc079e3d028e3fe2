"""Whose answers are whose: what a request may see of what has an owner. What it may not see is not there to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from litestar.types import Scope

from domain.model.access import Access
from infrastructure.http.problems import Problem
from infrastructure.security.identity import identity_of
from infrastructure.security.policy import may_see, restricted_to
from query_api.http.problems import not_found

_TELLING = (404, 410)
"""The statuses that tell whether something is, or was, there."""


def is_visible(scope: Scope, access: Access | None, owner: object) -> bool:
    """Whether the request may see what belongs to this owner."""
    return may_see(identity_of(scope), access, owner)


def own_alone(scope: Scope, access: Access | None) -> str | None:
    """Whose things alone the request sees by the rule, None: everybody's."""
    return None if access is None else restricted_to(identity_of(scope), access)


def filtered(scope: Scope, access: Access | None, where: Mapping[str, Any], named: str) -> dict[str, Any]:
    """The filter with the owner in it, where the request sees what is its own alone. `named` is what clients call the
    owner. Raises Problem (404) when the filter names another one, whether there is such a one or not."""
    only = own_alone(scope, access)
    if only is None or access is None:
        return dict(where)
    if where.get(access.owner, only) != only:
        raise not_found(f"{named} {where[access.owner]}")
    return {**where, access.owner: only}


@contextmanager
def concealing(scope: Scope, access: Access | None, absent: Problem) -> Iterator[None]:
    """Raises `absent`, which is what they get where there is nothing, in the place of each problem that tells whether
    something is there: for those who see what is their own alone."""
    try:
        yield
    except Problem as problem:
        if problem.details.status in _TELLING and own_alone(scope, access) is not None:
            raise absent from problem
        raise

"""Access control lists of streams, as `$acl` in their metadata and as defaults in `$settings`: pure."""

from collections.abc import Mapping
from enum import Enum

from embedded.event_store_node.security.users import ADMINS, User

EVERYBODY = "$all"


class Action(Enum):
    """What can be done to a stream, by the names that access control lists use."""

    READ = "$r"
    WRITE = "$w"
    DELETE = "$d"
    READ_METADATA = "$mr"
    WRITE_METADATA = "$mw"


# The roles that may take an action; an action that is not mentioned is left to the defaults.
Acl = Mapping[Action, frozenset[str]]

USER_STREAMS: Acl = {action: frozenset({EVERYBODY}) for action in Action}
SYSTEM_STREAMS: Acl = {action: frozenset({ADMINS}) for action in Action}


def parse_acl(document: object) -> Acl | None:
    """The list in a JSON value; None for what the server does not take for one."""
    if not isinstance(document, dict):
        return None
    acl = {}
    for key, value in document.items():
        roles = [value] if isinstance(value, str) else value
        if key not in _KEYS or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            return None
        acl[Action(key)] = frozenset(roles)
    return acl


def allows(user: User, action: Action, *lists: Acl | None) -> bool:
    """Whether the first list that mentions the action names one of the user's roles, or everybody."""
    for acl in lists:
        if acl is not None and action in acl:
            return EVERYBODY in acl[action] or not acl[action].isdisjoint(user.roles)
    return False


_KEYS = {action.value for action in Action}

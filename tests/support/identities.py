"""Who asks, in tests of who may do what."""

from infrastructure.security.identity import Identity
from infrastructure.security.roles import ROLES


def as_role(subject: str, role: str) -> Identity:
    """Somebody with one role."""
    return Identity(subject, ROLES[role])


NOBODY = Identity("")
"""Without any token."""
STRANGER = Identity("mallory")
"""Known, but without any scope."""
ADA, BOB = as_role("ada", "customer"), as_role("bob", "customer")
STAFF = as_role("sue", "staff")
OPERATOR = as_role("olaf", "operator")
SERVICE = as_role("services", "service")

"""Which scopes each role comes with: as few as its work needs. A token can name the scopes one by one as well.

The scopes are those that commands, queries and endpoints declare beside themselves: see docs/authorisation.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

from infrastructure.security.policy import ACT_FOR_OTHERS, ALL_OWNERS
from infrastructure.security.scopes import METRICS, UNLIMITED

# Of what is their own: they order, cancel, and see what became of it. What there is of an article is everybody's.
_CUSTOMER = frozenset(
    {
        *("orders:place", "orders:cancel", "orders:read"),
        *("customers:register", "customers:change", "profiles:read"),
        *("customers:read", "payments:read", "notifications:read", "stock:read"),
        *("contracts:read", "contracts:history", "contracts:sign", "contracts:decline"),
    }
)

# The shop's people: every order, what is put into the warehouse, and the figures. What the provider and the mail server
# say is not theirs to record, nor is stock theirs to promise: the services do that, each step with its compensation.
_STAFF = frozenset(
    {
        ALL_OWNERS,
        *("orders:place", "orders:confirm", "orders:ship", "orders:deliver", "orders:cancel", "orders:read"),
        *("stock:receive", "stock:read", "reservations:read"),
        *("payments:void", "payments:read", "daily-payments:read"),
        *("provider-results:offer-again", "provider-results:read"),
        *("customers:register", "customers:change", "profiles:read"),
        "integration-events:read",
        *("customers:read", "daily-sales:read", "fulfilments:read", "notifications:read"),
        *("contracts:request", "contracts:withdraw", "contracts:expire", "contracts:read", "contracts:history"),
        *("signature-results:offer-again", "signature-results:read"),
    }
)

# Keeps the machinery going, and neither orders nor sees what customers do; but what could not be handled it must see.
_OPERATOR = frozenset(
    {
        *("views:read", "views:operate"),
        *("consumers:read", "consumers:operate"),
        *("dead-letters:read", "dead-letters:operate"),
        *("processes:read", "processes:operate"),
        *("log-level:read", "log-level:operate"),
        "customers:forget",
        *(METRICS, UNLIMITED),
    }
)

# The consumers, the process manager, the payment webhooks and the signing page: the commands of the fulfilment, of
# charging and matching, of mails and of contracts; for everybody's orders, and under their own names. They operate
# nothing, and ask for contracts alone, which the signing page shows.
_SERVICE = frozenset(
    {
        *(ALL_OWNERS, ACT_FOR_OTHERS, UNLIMITED),
        *("orders:confirm", "orders:cancel"),
        *("stock:reserve", "stock:release", "stock:ship-out"),
        *("payments:request-charge", "payments:record-settling", "payments:record-charge", "payments:record-decline"),
        *("payments:void", "payments:record-refund", "payments:record-refund-failure"),
        *("provider-results:keep", "provider-results:record-match", "provider-results:record-missing-payment"),
        *("provider-results:record-mismatch", "provider-results:offer-again"),
        *("notifications:request", "notifications:record-sent", "notifications:record-failure"),
        "customers:record-erased",
        *("contracts:request", "contracts:record-rendering", "contracts:request-signature", "contracts:withdraw"),
        *("contracts:expire", "contracts:record-seal", "contracts:record-completion", "contracts:record-notice"),
        *("contracts:sign-by-link", "contracts:decline", "contracts:remind", "contracts:read"),
        *("contracts:send-to-provider", "contracts:record-signature"),
        *("signature-results:keep", "signature-results:record-outcome", "signature-results:offer-again"),
    }
)

# What comes in from other systems, each under its name: the commands that their messages become, and no other.
_INBOUND = frozenset(
    {
        *(ALL_OWNERS, ACT_FOR_OTHERS, UNLIMITED),
        "stock:receive",
        *("customers:register", "customers:change"),
    }
)

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"customer": _CUSTOMER, "staff": _STAFF, "operator": _OPERATOR, "service": _SERVICE, "inbound": _INBOUND}
)
"""The scopes of each role, by its name."""

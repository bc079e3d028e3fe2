"""The policy: the one place that decides who may do what, from an identity, a declared rule and an owner. Pure."""

from enum import Enum, auto

from msgspec import Struct

from domain.model.access import Access
from infrastructure.security.identity import ANYBODY, Identity

ALL_OWNERS = "all-owners"
"""The scope of those who see and change what belongs to others: the staff, and the services."""
ACT_FOR_OTHERS = "act-for-others"
"""The scope of those who may say by `Eventfold-Actor` for whom they act."""


class Decision(Enum):
    """NOT_FOUND: to who asks, it must look as if there were none. UNKNOWN: nobody knows who asks."""

    ALLOWED = auto()
    NOT_FOUND = auto()
    FORBIDDEN = auto()
    UNKNOWN = auto()


class Forbidden(Exception):
    """`scope` is what the caller lacks; "" when it is unknown who calls at all."""

    def __init__(self, scope: str, detail: str) -> None:
        super().__init__(detail)
        self.scope = scope


class Sender(Struct, frozen=True):
    """Who sends a command. `actor` is for whom, `sent_by` who really does, None where that is the actor.

    `keys` says whose Idempotency-Keys they are: everybody has their own, but those who may act for all others share one
    space, "", as all did before there were identities. `owner` is whose aggregates alone they may change, None:
    everybody's.
    """

    actor: str
    sent_by: str | None = None
    keys: str = ""
    owner: str | None = None


def decide(identity: Identity, access: Access, owner: str | None = None) -> Decision:
    """Whether the identity may do what the rule is for; `owner` is whose it is, None where that is not known yet."""
    if access.is_public:
        return Decision.ALLOWED
    if not identity.may(access.scope):
        return Decision.FORBIDDEN if _is_known(identity) else Decision.UNKNOWN
    only = restricted_to(identity, access)
    if only is None:
        return Decision.ALLOWED
    if not access.owner or not _is_known(identity):
        return Decision.FORBIDDEN
    return Decision.ALLOWED if owner is None or owner == only else Decision.NOT_FOUND


def _is_known(identity: Identity) -> bool:
    return identity.subject not in ("", ANYBODY.subject)


def restricted_to(identity: Identity, access: Access) -> str | None:
    """Whose things alone the identity sees by this rule; None: everybody's, or there is nothing of anybody in them."""
    return None if access.shared or identity.may(ALL_OWNERS) else identity.subject


def require(identity: Identity, access: Access) -> None:
    """Raises Forbidden unless the identity may do what the rule is for, with something at least."""
    match decide(identity, access):
        case Decision.UNKNOWN:
            raise Forbidden("", f"it takes a token with the scope {access.scope}")
        case Decision.FORBIDDEN:
            scope = ALL_OWNERS if identity.may(access.scope) else access.scope
            raise Forbidden(scope, f"it takes the scope {scope}, which {identity.subject[:128]!r} does not have")


def may_see(identity: Identity, access: Access | None, owner: object) -> bool:
    """Whether a thing of that owner may be shown; without a rule, to those alone who may do everything."""
    if access is None:
        return identity.may(ALL_OWNERS)
    return decide(identity, access, str(owner or "")) is Decision.ALLOWED


def sender_of(identity: Identity, actor: str | None, access: Access | None) -> Sender:
    """Who sends a command with this rule; `actor` is for whom they say they act, None for nobody else.

    Raises Forbidden when they may not say so.
    """
    if actor is not None and actor != identity.subject and not identity.may(ACT_FOR_OTHERS):
        detail = f"Eventfold-Actor names {actor!r}, but to act for others takes the scope {ACT_FOR_OTHERS}, which "
        raise Forbidden(ACT_FOR_OTHERS, detail + f"{identity.subject[:128]!r} does not have")
    acting = actor or identity.subject
    everybodys = identity.may(ALL_OWNERS)
    return Sender(
        actor=acting,
        sent_by=None if acting == identity.subject or identity == ANYBODY else identity.subject,
        keys="" if everybodys and identity.may(ACT_FOR_OTHERS) else acting,
        owner=None if everybodys or access is None or not access.owner else acting,
    )

"""What the policy decides, as a table and as laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.access import PUBLIC, Access
from infrastructure.security.identity import ANYBODY, EVERYTHING, Identity
from infrastructure.security.policy import (
    ACT_FOR_OTHERS,
    ALL_OWNERS,
    Decision,
    Forbidden,
    Sender,
    decide,
    may_see,
    require,
    sender_of,
)
from tests.support.identities import ADA, BOB, NOBODY, OPERATOR, SERVICE, STAFF, STRANGER

OWNED = Access("orders:read", owner="customer_id")
SHARED = Access("stock:read", shared=True)
OF_ALL = Access("stock:read")
ALLOWED, NOT_FOUND, FORBIDDEN, UNKNOWN = Decision.ALLOWED, Decision.NOT_FOUND, Decision.FORBIDDEN, Decision.UNKNOWN


@pytest.mark.parametrize(
    ("identity", "access", "owner", "decision"),
    [
        (NOBODY, PUBLIC, None, ALLOWED),
        (NOBODY, OWNED, None, UNKNOWN),
        (NOBODY, SHARED, None, UNKNOWN),
        (Identity("anonymous"), OWNED, None, UNKNOWN),
        (Identity("anonymous", frozenset({"orders:read"})), OWNED, "anonymous", FORBIDDEN),
        (STRANGER, PUBLIC, None, ALLOWED),
        (STRANGER, OWNED, "mallory", FORBIDDEN),
        (ADA, OWNED, None, ALLOWED),
        (ADA, OWNED, "ada", ALLOWED),
        (ADA, OWNED, "bob", NOT_FOUND),
        (ADA, OWNED, "", NOT_FOUND),
        (ADA, OWNED, "ADA", NOT_FOUND),
        (ADA, SHARED, None, ALLOWED),
        (ADA, OF_ALL, None, FORBIDDEN),
        (STAFF, OWNED, "ada", ALLOWED),
        (STAFF, OF_ALL, None, ALLOWED),
        (OPERATOR, OWNED, "olaf", FORBIDDEN),
        (SERVICE, OWNED, "services", FORBIDDEN),
        (ANYBODY, OWNED, "ada", ALLOWED),
        (ANYBODY, OF_ALL, None, ALLOWED),
        (Identity("", frozenset({"orders:read"})), OWNED, "", FORBIDDEN),
    ],
)
def test_what_it_decides(identity: Identity, access: Access, owner: str | None, decision: Decision) -> None:
    assert decide(identity, access, owner) is decision


def test_a_refusal_names_what_is_missing() -> None:
    for identity, access, scope in ((STRANGER, OWNED, "orders:read"), (ADA, OF_ALL, ALL_OWNERS), (NOBODY, OWNED, "")):
        with pytest.raises(Forbidden, match=scope or "a token with the scope orders:read") as refused:
            require(identity, access)
        assert refused.value.scope == scope
    for identity in (ADA, STAFF, ANYBODY):
        require(identity, OWNED)


def test_without_a_rule_nothing_is_shown_but_to_who_may_see_everything() -> None:
    assert [may_see(one, None, "ada") for one in (ADA, STRANGER, NOBODY, ANYBODY)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("identity", "actor", "sender"),
    [
        (ANYBODY, None, Sender("anonymous")),
        (ANYBODY, "ada", Sender("ada")),
        (ADA, None, Sender("ada", keys="ada", owner="ada")),
        (ADA, "ada", Sender("ada", keys="ada", owner="ada")),
        (STAFF, None, Sender("sue", keys="sue")),
        (SERVICE, None, Sender("services")),
        (SERVICE, "process-manager", Sender("process-manager", sent_by="services")),
        (
            # A gateway that acts for one customer at a time, in their place.
            Identity("gateway", frozenset({"orders:place", ACT_FOR_OTHERS})),
            "ada",
            Sender("ada", sent_by="gateway", keys="ada", owner="ada"),
        ),
    ],
)
def test_who_sends(identity: Identity, actor: str | None, sender: Sender) -> None:
    assert sender_of(identity, actor, OWNED) == sender


@pytest.mark.parametrize("identity", [ADA, STAFF, OPERATOR, STRANGER], ids=lambda one: one.subject)
def test_to_act_for_others_takes_a_scope(identity: Identity) -> None:
    with pytest.raises(Forbidden, match=r"Eventfold-Actor names 'bob'.*act-for-others.*does not have") as refused:
        sender_of(identity, "bob", OWNED)
    assert refused.value.scope == ACT_FOR_OTHERS


def test_what_a_rule_must_be() -> None:
    for scope, more, said in (
        ("", {}, "shared by everybody"),
        ("orders", {}, "written like orders:read"),
        ("Orders:read", {}, "written like"),
        ("orders:*", {}, "written like"),
        ("orders:read", {"owner": "customer_id", "shared": True}, "not shared"),
    ):
        with pytest.raises(ValueError, match=said):
            Access(scope, **more)  # type: ignore[arg-type]


scopes = st.sampled_from(["orders:read", "stock:read", ALL_OWNERS, ACT_FOR_OTHERS])
identities = st.builds(Identity, st.sampled_from(["", "ada", "bob"]), st.frozensets(scopes))
rules = st.sampled_from([OWNED, SHARED, OF_ALL, Access("orders:read")])
owners = st.none() | st.sampled_from(["", "ada", "bob"])


@given(identities, rules, owners, scopes)
def test_a_scope_more_never_takes_anything_away(
    identity: Identity, access: Access, owner: str | None, scope: str
) -> None:
    more = Identity(identity.subject, identity.scopes | {scope})
    if decide(identity, access, owner) is ALLOWED:
        assert decide(more, access, owner) is ALLOWED
    assert decide(Identity(identity.subject, frozenset({EVERYTHING})), access, owner) is ALLOWED


@given(identities, rules, owners)
def test_nobody_comes_to_what_is_anothers(identity: Identity, access: Access, owner: str | None) -> None:
    allowed = decide(identity, access, owner) is ALLOWED
    if owner is not None and owner != identity.subject and not access.shared:
        assert not allowed or identity.may(ALL_OWNERS)
    if allowed:
        assert access.scope in identity.scopes


@given(st.sampled_from([ADA, BOB, STAFF, Identity("x", ADA.scopes | {ACT_FOR_OTHERS})]), st.none() | st.just("ada"))
def test_keys_are_shared_by_none_but_those_who_may_act_for_all(identity: Identity, actor: str | None) -> None:
    try:
        sender = sender_of(identity, actor, OWNED)
    except Forbidden:
        return
    assert sender.keys == sender.actor

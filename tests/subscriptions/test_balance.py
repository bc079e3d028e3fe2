"""How the partitions are shared out among processes."""

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.checkpoints import PartitionRef, Target
from subscriptions.membership.balance import balanced


def refs(number: int) -> list[PartitionRef]:
    return Target("counter", "counter", 1, number).refs


KEYS = [ref.key for ref in refs(8)]
CAN = ["counter:1"]


def test_what_is_free_goes_to_whoever_has_least():
    plan = balanced(refs(3), {"a": CAN, "b": CAN}, {KEYS[0]: "a"})
    assert sorted(plan.values()) in (["a", "a", "b"], ["a", "b", "b"])
    assert plan[KEYS[0]] == "a"


def test_nobody_gets_what_it_cannot_fold():
    assert balanced(refs(2), {"a": ["counter:2"], "b": []}, {}) == {}


def test_whoever_is_not_sure_to_be_alive_is_given_nothing_more():
    """A process that has just come does not know who of the others died long ago."""
    plan = balanced(refs(8), {"new": CAN}, dict.fromkeys(KEYS[:4], "perhaps dead"))
    assert {plan[key] for key in KEYS[4:]} == {"new"}


@given(st.lists(st.sampled_from(["a", "b", "c", "dead", ""]), min_size=8, max_size=8), st.integers(1, 3))
def test_fair_and_no_more_moves_than_needed(owners, processes):
    able = dict.fromkeys(["a", "b", "c"][:processes], CAN)
    before = {key: owner for key, owner in zip(KEYS, owners, strict=True) if owner}
    plan = balanced(refs(8), able, before)
    loads = [list(plan.values()).count(one) for one in able]
    assert sum(loads) == 8
    assert max(loads) - min(loads) <= 1
    held = [list(before.values()).count(one) for one in able]
    kept = sum(plan[key] == owner for key, owner in before.items())
    assert kept == sum(min(had, has) for had, has in zip(held, loads, strict=True))
    assert balanced(refs(8), able, plan) == plan

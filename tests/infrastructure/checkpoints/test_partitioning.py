"""Which partition a key belongs to: always the same one, and about as many keys to each."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.checkpoints import partition_of
from infrastructure.view_registry.transitions import MOST_PARTITIONS

ANY_KEY = st.text(st.characters(exclude_categories=()))


@given(key=ANY_KEY, partitions=st.integers(1, MOST_PARTITIONS))
def test_every_key_has_one_partition(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) in range(partitions)
    assert partition_of(key, partitions) == partition_of(key, partitions)
    assert partition_of(key, 1) == 0


def test_it_is_the_same_for_ever() -> None:
    # What is stored was divided by it: another answer would give a document two writers.
    assert [partition_of(key, 4) for key in ("order-1", "order-2", "2026-03-14", "é", "\ud800")] == [3, 1, 0, 2, 0]


def test_keys_are_spread_evenly() -> None:
    for partitions in (2, 3, 4, 16):
        counts = Counter(partition_of(f"order-{number}", partitions) for number in range(16_000))
        assert len(counts) == partitions
        assert max(counts.values()) < 1.15 * min(counts.values())

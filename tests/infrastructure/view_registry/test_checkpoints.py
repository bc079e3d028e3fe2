"""How far a build is, by its partitions' checkpoints."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.read_store import StoredDocument
from infrastructure.view_registry import Build, checkpoint_keys, low_watermark
from infrastructure.view_registry.checkpoints import checkpoint_key

BUILD = Build("sales_v1", 1, 1, 100)
POSITIONS = st.lists(st.none() | st.integers(0, 2**62), min_size=1, max_size=64)


def found(positions: list[int | None], layout: int = 1) -> dict[str, StoredDocument]:
    """The checkpoints of those partitions that have one."""
    return {
        checkpoint_key(BUILD.collection, layout, partition): StoredDocument(position, {})
        for partition, position in enumerate(positions)
        if position is not None
    }


def test_a_key_names_collection_layout_and_partition() -> None:
    assert checkpoint_keys(BUILD, 3, 2) == ["sales_v1:3:0", "sales_v1:3:1"]


@given(positions=POSITIONS, base=st.integers(-1, 2**62))
def test_the_position_is_the_lowest_of_all_partitions_one_without_a_checkpoint_is_at_the_base(
    positions: list[int | None], base: int
) -> None:
    lowest = min(base if position is None else position for position in positions)
    at = low_watermark(replace(BUILD, base=base), 1, len(positions), found(positions))
    assert at == (None if lowest == -1 else lowest)


@given(positions=POSITIONS, others=POSITIONS)
def test_checkpoints_of_other_layouts_builds_and_partitions_mean_nothing(
    positions: list[int | None], others: list[int | None]
) -> None:
    count = len(positions)
    beyond: list[int | None] = [*positions, *others]
    strangers = {f"sales_v2:1:{partition}": StoredDocument(0, {}) for partition in range(count)}
    everything = {**found(others, layout=2), **strangers, **found(beyond)}
    assert low_watermark(BUILD, 1, count, everything) == low_watermark(BUILD, 1, count, found(positions))


@given(positions=st.lists(st.integers(0, 1000), min_size=1, max_size=8), data=st.data())
def test_it_never_falls_while_checkpoints_rise(positions: list[int], data: st.DataObject) -> None:
    risen = [position + data.draw(st.integers(0, 50)) for position in positions]
    before = low_watermark(BUILD, 1, len(positions), found([*positions]))
    after = low_watermark(BUILD, 1, len(risen), found([*risen]))
    assert before is not None
    assert after is not None
    assert before <= after

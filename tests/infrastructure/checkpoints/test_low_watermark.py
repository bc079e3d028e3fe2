"""How far a target is, by its partitions' checkpoints."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.checkpoints import Target, low_watermark
from infrastructure.read_store import StoredDocument

TARGET = Target("sales", "sales_v1", 1, 1)
POSITIONS = st.lists(st.none() | st.integers(0, 2**62), min_size=1, max_size=64)


def divided(partitions: int, epoch: int = 1) -> Target:
    """The target in so many partitions."""
    return replace(TARGET, partitions=partitions, partition_epoch=epoch)


def found(positions: list[int | None], epoch: int = 1) -> dict[str, StoredDocument]:
    """The checkpoints of those partitions that have one."""
    return {
        ref.key: StoredDocument(position, {})
        for ref, position in zip(divided(len(positions), epoch).refs, positions, strict=True)
        if position is not None
    }


def test_a_key_names_target_epoch_and_partition() -> None:
    assert divided(2, 3).keys == ["sales_v1:3:0", "sales_v1:3:1"]


@given(positions=POSITIONS, base=st.integers(-1, 2**62))
def test_the_position_is_the_lowest_of_all_partitions_one_without_a_checkpoint_is_at_the_base(
    positions: list[int | None], base: int
) -> None:
    lowest = min(base if position is None else position for position in positions)
    at = low_watermark(replace(divided(len(positions)), base=base), found(positions))
    assert at == (None if lowest == -1 else lowest)


@given(positions=POSITIONS, others=POSITIONS)
def test_checkpoints_of_other_epochs_targets_and_partitions_mean_nothing(
    positions: list[int | None], others: list[int | None]
) -> None:
    count = len(positions)
    beyond: list[int | None] = [*positions, *others]
    strangers = {f"sales_v2:1:{partition}": StoredDocument(0, {}) for partition in range(count)}
    everything = {**found(others, epoch=2), **strangers, **found(beyond)}
    assert low_watermark(divided(count), everything) == low_watermark(divided(count), found(positions))


@given(positions=st.lists(st.integers(0, 1000), min_size=1, max_size=8), data=st.data())
def test_it_never_falls_while_checkpoints_rise(positions: list[int], data: st.DataObject) -> None:
    risen = [position + data.draw(st.integers(0, 50)) for position in positions]
    before = low_watermark(divided(len(positions)), found([*positions]))
    after = low_watermark(divided(len(risen)), found([*risen]))
    assert before is not None
    assert after is not None
    assert before <= after

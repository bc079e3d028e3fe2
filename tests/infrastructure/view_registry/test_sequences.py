"""Any sequence of transitions: no collection is used twice, none is lost, and the record counts its changes."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.read_store.subset import check_collection
from infrastructure.view_registry import NotPossible, ViewRecord
from infrastructure.view_registry.transitions import (
    cancelled,
    first_record,
    forgotten,
    paused,
    repartitioned,
    resumed,
    switched,
    with_candidate,
    with_previous_as_candidate,
    without_previous,
)
from tests.infrastructure.view_registry.examples import collections

Step = tuple[str, Callable[[ViewRecord], ViewRecord]]


def _forget_oldest(record: ViewRecord) -> ViewRecord:
    return forgotten(record, record.retired[0] if record.retired else record.live)


def _divide(partitions: int) -> Callable[[ViewRecord], ViewRecord]:
    return lambda record: repartitioned(record, partitions, {build.collection: 5 for build in record.builds})


def _build(version: int) -> Callable[[ViewRecord], ViewRecord]:
    return lambda record: with_candidate(record, version, 1)


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.integers(1, 4).map(lambda version: ("build", _build(version))),
    st.integers(-1, 70).map(lambda partitions: ("divide", _divide(partitions))),
    st.sampled_from(
        [
            ("back", with_previous_as_candidate),
            ("hold", paused),
            ("release", resumed),
            ("switch", lambda record: switched(record, 1, 10)),
            ("cancel", lambda record: cancelled(record, 1, 10)),
            ("remove", without_previous),
            ("forget", _forget_oldest),
        ]
    ),
)


@given(version=st.integers(1, 3), steps=st.lists(STEPS, max_size=40))
def test_collections_are_used_once_and_never_lost(version: int, steps: list[Step]) -> None:
    record = first_record("sales", version, 1, 1)
    ever = {record.live.collection}
    pauses: set[int] = set()
    for name, step in steps:
        try:
            after = step(record)
        except NotPossible:
            continue
        known, before = collections(after), collections(record)
        assert len(set(known)) == len(known)
        lost = set(before) - set(known)
        assert lost <= ({build.collection for build in record.retired} if name == "forget" else set())
        made = set(known) - set(before)
        assert not made & ever, "a collection's name never comes again"
        assert len(made) == (name == "build")
        for collection in made:
            check_collection(collection)
        ever |= made
        assert after.sequence == record.sequence + 1
        assert after.builds_made == len(ever)
        assert after.latest_version >= record.latest_version
        assert after.partition_epoch == record.partition_epoch + (name == "divide")
        assert after.live.collection == record.live.collection or name == "switch"
        assert not after.paused or after.candidate is not None, "nothing waits for nothing"
        assert not after.returning or after.candidate is not None
        assert (after.previous is None) == (after.previous_until == 0)
        if after.paused != record.paused and after.paused:
            assert after.paused not in pauses, "each pause has a name of its own"
            pauses.add(after.paused)
        record = after

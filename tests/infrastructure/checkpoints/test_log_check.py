"""Which log it is: by what a checkpoint remembers of it, whatever has been removed, restored or appended since."""

import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.checkpoints import Anchor, Missing, Trail, missing_from
from infrastructure.checkpoints.anchors import NO_TRAIL, advanced, last_event
from infrastructure.checkpoints.log_check import Traces, judge, shared_part, trail_at
from infrastructure.event_store import DELETED, EventStoreUnavailable, StoredEvent, StreamMetadata
from tests.subscriptions.scripted_log import ScriptedLog

ANCHOR = Anchor(500, "e-5", "lamp-1", 4)
THERE = StoredEvent("e-5", "LampSwitchedOn", "lamp-1", 4, 500, 0, b"", b"")
OTHER = replace(THERE, id="e-6")
LATER = replace(THERE, id="e-7", revision=5, position=900)
SYSTEM = StoredEvent("s-1", "$metadata", "$$lamp-1", 0, 700, 0, b"", b"")


@pytest.mark.parametrize(
    ("traces", "verdict"),
    [
        (Traces(THERE), "there"),
        (Traces(OTHER), "other"),
        (Traces(replace(THERE, position=400)), "other"),
        # Deleted or cut off, but still in the log.
        (Traces(None, THERE, DELETED), "there"),
        (Traces(LATER, THERE), "there"),
        # Removed by a scavenge: a later revision is there, or what says that the stream was deleted or cut off.
        (Traces(LATER, LATER), "removed"),
        (Traces(None, SYSTEM, DELETED), "removed"),
        (Traces(None, SYSTEM, StreamMetadata(5)), "removed"),
        (Traces(None, SYSTEM, StreamMetadata(expires=True)), "removed"),
        # Another log: it is shorter, its stream is, or something else has the place.
        (Traces(), "absent"),
        (Traces(None, None, DELETED), "absent"),
        (Traces(None, SYSTEM), "absent"),
        (Traces(None, SYSTEM, StreamMetadata(4)), "absent"),
        (Traces(None, replace(LATER, stream="lamp-2", position=500)), "other"),
        (Traces(invalid=True), "other"),
        (Traces(None, None, DELETED, invalid=True), "other"),
    ],
)
def test_what_is_found_says_whether_the_event_has_been_there(traces: Traces, verdict: str) -> None:
    assert judge(ANCHOR, traces) == verdict


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (b'{"$tb": 9223372036854775807}', DELETED),
        (b'{"$tb": 7, "$maxCount": 3}', StreamMetadata(7)),
        (b'{"$maxAge": 60}', StreamMetadata(expires=True)),
        (b'{"$tb": "1", "$maxAge": "soon", "$acl": {}}', StreamMetadata()),
        (b"[]", StreamMetadata()),
        (b"\xff", StreamMetadata()),
    ],
)
def test_what_a_streams_metadata_says(metadata: bytes, expected: StreamMetadata) -> None:
    assert StreamMetadata.parse(metadata) == expected


def a_log(sizes: Sequence[int], streams: int = 3, after: Sequence[StoredEvent] = ()) -> list[StoredEvent]:
    """Events of these sizes, after those of a log that is there already."""
    events = list(after)
    for number, size in enumerate(sizes):
        stream = f"lamp-{number % streams}"
        revision = sum(event.stream == stream for event in events)
        position = (events[-1].position if events else 0) + size
        events.append(StoredEvent(str(uuid.uuid4()), "LampSwitchedOn", stream, revision, position, 0, b"", b""))
    return events


SIZES = st.lists(st.sampled_from([100, 101, 2**14, 2**18, 2**24]), max_size=12)
SOME = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def followed(events: Sequence[StoredEvent], cuts: Sequence[int]) -> Trail:
    """The trail of somebody who has read these events, in batches of those sizes."""
    trail, begin = NO_TRAIL, 0
    for cut in [*cuts, len(events)]:
        trail = advanced(trail, events[begin : begin + cut])
        begin += cut
    return trail


@given(sizes=SIZES, cuts=SOME, more=SIZES)
async def test_a_log_that_went_on_is_the_same(sizes: list[int], cuts: list[int], more: list[int]) -> None:
    before = a_log(sizes)
    trail = followed(before, cuts)
    log = ScriptedLog(a_log(more, after=before))
    assert await missing_from(log, trail, last_event(trail)) is None
    assert len(trail) <= 5
    assert [anchor.position for anchor in trail] == sorted({one.position for one in trail}, reverse=True)
    assert last_event(trail) == (before[-1].position if before else -1)


@given(sizes=SIZES.filter(bool), kept=st.integers(0, 11), more=SIZES, cuts=SOME)
async def test_a_log_that_was_restored_and_went_on_is_another(
    sizes: list[int], kept: int, more: list[int], cuts: list[int]
) -> None:
    before = a_log(sizes)
    restored = before[: min(kept, len(before) - 1)]
    found = await missing_from(ScriptedLog(a_log(more, after=restored)), followed(before, cuts))
    assert found is not None
    assert (found.position, found.event) == (before[-1].position, before[-1].id)
    assert before[-1].id in str(found)
    assert str(before[-1].position) in str(found)


@given(sizes=SIZES.filter(lambda sizes: len(sizes) > 3), removed=st.sets(st.integers(0, 2)), cuts=SOME)
async def test_streams_that_are_scavenged_away_make_no_other_log(
    sizes: list[int], removed: set[int], cuts: list[int]
) -> None:
    before = a_log(sizes)
    log = ScriptedLog([event for event in before if event.stream not in {f"lamp-{one}" for one in removed}])
    log.append(replace(SYSTEM, position=before[-1].position + 50))
    log.stream_metadata = {f"lamp-{one}": DELETED for one in removed}
    assert await missing_from(log, followed(before, cuts)) is None


async def test_what_is_new_where_all_had_been_read_is_found() -> None:
    events = a_log([100, 100])
    trail = followed(events, [1])
    assert await missing_from(ScriptedLog(events), trail, 290) is None
    new = a_log([80], after=events)[-1]
    found = await missing_from(ScriptedLog([*events, new]), trail, 290)
    assert found == Missing(280, new.id, new.stream, new.revision, "position 290", unseen=True)


async def test_a_node_that_may_be_behind_is_waited_for() -> None:
    events = a_log([100, 100])
    log = ScriptedLog(events[:1])
    log.may_lag = True
    with pytest.raises(EventStoreUnavailable, match="may be behind its leader"):
        await missing_from(log, followed(events, [1]))


async def test_an_old_checkpoint_is_given_a_trail() -> None:
    events = a_log([100] * 4)
    log = ScriptedLog(events)
    assert await trail_at(log, 300) == followed(events[:3], [1])[:1] + followed(events[:1], [1])
    assert await trail_at(log, 350) == await trail_at(log, 300)
    assert await trail_at(ScriptedLog([]), 300) == NO_TRAIL


async def test_what_two_logs_have_in_common() -> None:
    events = a_log([2**18 + 1] * 6)
    trail = followed(events, [1] * 6)
    shared = await shared_part(ScriptedLog(a_log([100], after=events[:1])), trail)
    assert shared == trail[-1:]
    assert await shared_part(ScriptedLog(a_log([7])), trail) == NO_TRAIL

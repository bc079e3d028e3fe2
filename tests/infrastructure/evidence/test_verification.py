"""A log against its tree and checkpoints: any single change is found and named, links computed anew or not."""

import asyncio
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.event_store import StoredEvent
from infrastructure.evidence.checkpointing import extend
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verification import Anchor, verify
from tests.infrastructure.evidence.auditable_log import AuditableLog, relinked, report_of

SIGNER = Signer.new("shop.example/log")
COUNT = 12


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[StoredEvent], Tiles]:
    """A log of three streams that take turns, and its tree."""
    log, tiles = AuditableLog(), Tiles(tmp_path_factory.mktemp("tree"))

    async def write() -> None:
        for number in range(COUNT):
            await log.write(f"{'abc'[number % 3]}-1", 1)
        await extend(log, tiles, SIGNER)

    asyncio.run(write())
    return log.log, tiles


def renumbered(events: list[StoredEvent], *, positions: bool) -> list[StoredEvent]:
    """As a log that was written in this order, so that nothing but its content tells."""
    revisions: dict[str, int] = {}
    new = []
    for number, event in enumerate(events):
        revision = revisions[event.stream] = revisions.get(event.stream, -1) + 1
        position = 100 * (number + 1) if positions else event.position
        new.append(replace(event, revision=revision, position=position))
    return new


@settings(max_examples=200, deadline=None)
@given(
    what=st.sampled_from(["altered", "removed", "inserted", "moved"]),
    at=st.integers(0, COUNT - 1),
    other=st.integers(0, COUNT - 1),
    anew=st.booleans(),
    later=st.booleans(),
    data=st.data(),
)
async def test_any_single_change_is_named(evidence, what, at, other, anew, later, data) -> None:
    events, tiles = evidence
    log = list(events)
    if what == "altered":
        change = data.draw(
            st.sampled_from([{"data": b"else"}, {"type": "Other"}, {"recorded_at": 1}, {"id": str(uuid.uuid4())}])
        )
        log[at] = replace(log[at], **change)
        first = events[at]
    elif what == "removed":
        del log[at]
        if anew:
            log = renumbered(log, positions=data.draw(st.booleans()))
        first = events[at]
    elif what == "inserted":
        stranger = replace(log[at], id=str(uuid.uuid4()), data=b"more")
        log = renumbered([*log[:at], stranger, *log[at:]], positions=True)
        first = log[at]
    else:
        if at == other:
            return
        log.insert(other, log.pop(at))
        log = renumbered(log, positions=True)
        first = None
    tampered = AuditableLog(relinked(log) if anew else log)
    if later:
        await tampered.write("a-1", 2)
    finding = (await report_of(tampered, tiles, SIGNER)).finding
    assert finding is not None
    if first is None:
        # Which of two events that changed places was moved is anybody's choice; the first one that is not in its place
        # is named.
        assert (finding.kind, finding.position) == ("moved", events[min(at, other)].position)
        return
    if what == "removed" and at == COUNT - 1 and later:
        assert finding.kind == "altered"  # another event was written where it stood
    else:
        assert finding.kind == what
    assert (finding.stream, finding.revision, finding.position) == (first.stream, first.revision, first.position)


@pytest.mark.parametrize("tree_at_hand", [True, False])
async def test_a_log_that_was_written_anew_is_found(evidence, tree_at_hand: bool, tmp_path: Path) -> None:
    events, tiles = evidence
    rewritten = AuditableLog(relinked([replace(event, data=event.data + b"!") for event in events]))
    assert (await report_of(rewritten)).finding is None  # the chains alone say nothing
    kept = (await extend(AuditableLog(events), tiles, SIGNER))[1]
    forged = Tiles(tmp_path)
    _, checkpoint = await extend(rewritten, forged, SIGNER)  # by somebody who has the key, too
    assert checkpoint.size == kept.size
    tree = Tree(tiles, kept.size) if tree_at_hand else Tree(forged, kept.size)
    finding = (await verify(rewritten, tree, [Anchor("kept elsewhere", kept)])).finding
    if tree_at_hand:
        assert (finding.kind, finding.stream, finding.revision) == ("altered", "a-1", 0)
    else:
        assert finding.kind == "rewritten"
        assert "kept elsewhere" in finding.detail
    finding = (await verify(rewritten, None, [Anchor("kept elsewhere", kept)])).finding
    assert finding.kind == "rewritten"


async def test_a_checkpoint_of_another_size_holds_too(evidence, tmp_path: Path) -> None:
    events, _ = evidence
    tiles, checkpoints = Tiles(tmp_path), []
    for size in (5, 5, 9, COUNT):
        checkpoints.append((await extend(AuditableLog(events[:size]), tiles, SIGNER))[1])
    anchors = [Anchor(str(one.size), one) for one in checkpoints]
    log = AuditableLog(events)
    for tree in (None, Tree(tiles, 5), Tree(tiles, 9), Tree(tiles, COUNT)):
        report = await verify(log, tree, anchors)
        assert (report.finding, report.covered) == (None, COUNT)
    changed = [*events[:10], replace(events[10], data=b"else"), *events[11:]]
    finding = (await verify(AuditableLog(relinked(changed)), Tree(tiles, 9), anchors)).finding
    assert finding.kind == "rewritten"


async def test_a_log_that_is_shorter_than_a_checkpoint_is_found_without_the_tree_too(evidence) -> None:
    events, tiles = evidence
    _, kept = await extend(AuditableLog(events), tiles, SIGNER)
    finding = (await verify(AuditableLog(events[:-2]), None, [Anchor("kept", kept)])).finding
    assert (finding.kind, finding.stream) == ("removed", None)
    assert "10 events" in finding.detail


async def test_a_damaged_tree_is_told_from_a_damaged_log(evidence, tmp_path: Path) -> None:
    events, tiles = evidence
    _, kept = await extend(AuditableLog(events), tiles, SIGNER)
    other = Tiles(tmp_path)
    await extend(AuditableLog([*events[:-1], replace(events[-1], data=b"else")]), other, SIGNER)
    finding = (await verify(AuditableLog(events), Tree(other, kept.size), [Anchor("kept", kept)])).finding
    assert finding.kind == "tree"


async def test_what_may_be_gone_is_named_and_what_is_left_is_verified(tmp_path: Path) -> None:
    log, tiles = AuditableLog(), Tiles(tmp_path)
    for _ in range(4):
        await log.write("a-1", 1)
        await log.write("b-1", 1)
        await log.write("c-1", 1)
    await extend(log, tiles, SIGNER)
    log.truncate("a-1", tb=2)
    log.delete("b-1")
    log.tombstones.add("c-1")
    log.scavenge()
    report = await report_of(log, tiles, SIGNER)
    assert report.finding is None
    gone = {stream: (one.events, one.first_revision, one.last_revision) for stream, one in report.gone.items()}
    assert gone == {"a-1": (2, 0, 1), "b-1": (4, 0, 3), "c-1": (4, 0, 3)}
    assert (await extend(log, tiles, SIGNER))[1].size == 12
    log.log[0] = replace(log.log[0], data=b"else")
    assert (await report_of(log, tiles, SIGNER)).finding.revision == 2
    del log.log[0]
    finding = (await report_of(log, tiles, SIGNER)).finding
    assert (finding.kind, finding.stream, finding.revision) == ("removed", "a-1", 2)


@pytest.mark.parametrize("stream", ["a-1", "b-1"])
async def test_one_stream_against_the_tree(evidence, stream: str) -> None:
    events, tiles = evidence
    of_a = [event for event in events if event.stream == "a-1"]
    last = replace(of_a[-1], data=b"else")
    log = relinked([last if event == of_a[-1] else event for event in events])
    finding = (await report_of(AuditableLog(log), tiles, SIGNER, stream=stream)).finding
    shorter = AuditableLog([event for event in events if event != of_a[-1]])
    removed = (await report_of(shorter, tiles, SIGNER, stream=stream)).finding
    if stream == "b-1":
        assert finding is None
        assert removed is None
    else:
        assert (finding.kind, finding.revision) == ("altered", 3)
        assert (removed.kind, removed.revision) == ("removed", 3)


async def test_its_progress_is_told(evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.evidence.verification._TOLD_EVERY", 4)
    told: list[int] = []
    await verify(AuditableLog(evidence[0]), None, (), progress=told.append)
    assert told == [4, 8, 12]

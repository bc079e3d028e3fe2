"""The chain of a stream: any single change of it is found, and named as the first thing that is wrong."""

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.event_store import StoredEvent
from infrastructure.evidence.chain import link_of, linked
from infrastructure.evidence.entries import entry_of
from infrastructure.evidence.verifier import Link, linked_metadata, split_metadata
from tests.infrastructure.evidence.auditable_log import AuditableLog, new_event, report_of


async def two_streams(count: int) -> AuditableLog:
    """Streams a and b, turn by turn."""
    log = AuditableLog()
    for _ in range(count):
        await log.write("a-1", 1)
        await log.write("b-1", 1)
    return log


def with_a(log: AuditableLog, events: list[StoredEvent]) -> AuditableLog:
    """The log with another stream a, at the same and further positions, its revisions counted anew."""
    others = [event for event in log.log if event.stream != "a-1"]
    anew = [
        replace(event, revision=number, position=200 * number + 100, stream="a-1")
        for number, event in enumerate(events)
    ]
    return AuditableLog(sorted([*others, *anew], key=lambda event: event.position))


@given(
    metadata=st.sampled_from([b"{}", b'{"actor":"ada"}', b'{"actor":"\\"chain\\":\\"1:0:"}']),
    place=st.integers(0, 10**17),
)
def test_a_link_is_taken_off_as_it_was_put_on(metadata: bytes, place: int) -> None:
    link = Link(place, bytes(range(32)))
    assert split_metadata(linked_metadata(metadata, link)) == (metadata, link)
    assert split_metadata(metadata) == (metadata, None)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b'{"chain":"1:0:00"}',
        b'{"chain":"2:0:' + b"0" * 64 + b'"}',
        b'{"chain":"1:00:' + b"0" * 64 + b'"}',
        b'{"chain":"1:0:' + b"A" * 64 + b'"}',
        b'{,"chain":"1:0:' + b"0" * 64 + b'"}',
        b'{"a":1,,"chain":"1:0:' + b"0" * 64 + b'"} ',
        b'{"chain":"1:0:' + b"0" * 64 + b'","a":1}',
    ],
)
def test_what_is_not_exactly_a_link_is_none(stored: bytes) -> None:
    assert split_metadata(stored) == (stored, None)


def documented_hash(label: str, *fields: bytes) -> str:
    """As docs/tamper-evidence.md defines it, apart from the code."""
    content = b"".join(len(field).to_bytes(8, "big") + field for field in fields)
    return hashlib.sha256(label.encode() + content).hexdigest()


def test_the_bytes_that_are_hashed_are_those_of_the_docs() -> None:
    id_ = "5a1f6c1e-7f0e-5c0b-9b8e-6f2d1c3e4a57"
    first, second = (replace(new_event(data), id=id_) for data in (b'{"watts":60}', b"\xff"))
    chained, head = linked("lamp-l-1", None, [first, second])
    named = b"lamp-l-1", id_.encode(), b"Happened"
    digest = documented_hash("eventfold/link/v1", bytes(32), bytes(8), *named, first.data, b'{"actor":"ada"}')
    assert chained[0].metadata == b'{"actor":"ada","chain":"1:0:%b"}' % digest.encode()
    place, before = bytes(7) + b"\x01", bytes.fromhex(digest)
    digest = documented_hash("eventfold/link/v1", before, place, *named, second.data, b'{"actor":"ada"}')
    assert chained[1].metadata == b'{"actor":"ada","chain":"1:1:%b"}' % digest.encode()
    assert head == Link(1, bytes.fromhex(digest))

    stored = StoredEvent(id_, "Happened", "lamp-l-1", 1, 700, 258, b"\xff", chained[1].metadata)
    numbers = bytes(7) + b"\x01", id_.encode(), b"Happened", bytes(6) + b"\x01\x02"
    digest = documented_hash("eventfold/event/v1", b"lamp-l-1", *numbers, b"\xff", stored.metadata)
    assert entry_of(stored).encode() == f"1 700 1 {id_} {digest} lamp-l-1".encode()


async def test_whole_streams_are_clean_and_counted() -> None:
    report = await report_of(await two_streams(5))
    assert (report.finding, report.events, report.streams, report.linked, report.unlinked) == (None, 10, 2, 10, 0)


@given(at=st.integers(0, 5), field=st.sampled_from(["data", "type", "id", "metadata", "link", "place"]))
async def test_any_altered_event_is_named(at: int, field: str) -> None:
    log = await two_streams(6)
    event = log.log[2 * at]
    bare, link = split_metadata(event.metadata)
    assert link is not None
    changes = {
        "data": {"data": event.data + b"!"},
        "type": {"type": "Other"},
        "id": {"id": str(uuid.uuid4())},
        "metadata": {"metadata": linked_metadata(bare.replace(b"ada", b"eve"), link)},
        "link": {"metadata": linked_metadata(bare, Link(link.place, bytes(32)))},
        "place": {"metadata": linked_metadata(bare, Link(link.place + 7, link.digest))},
    }
    log.log[2 * at] = replace(event, **changes[field])
    finding = (await report_of(log)).finding
    assert finding is not None
    assert (finding.kind, finding.stream, finding.revision, finding.position) == ("altered", "a-1", at, event.position)


@given(at=st.integers(0, 4), renumbered=st.booleans())
async def test_any_removed_event_but_the_last_is_named(at: int, renumbered: bool) -> None:
    log = await two_streams(6)
    events = [event for event in log.log if event.stream == "a-1"]
    del events[at]
    if renumbered:
        tampered = with_a(log, events)
    else:
        tampered = AuditableLog([event for event in log.log if event.stream != "a-1" or event in events])
    finding = (await report_of(tampered)).finding
    assert finding is not None
    assert (finding.kind, finding.stream, finding.revision) == ("removed", "a-1", at)


@given(
    at=st.integers(0, 6),
    what=st.sampled_from(["unlinked", "invented", "copied", "of the other stream"]),
    data=st.data(),
)
async def test_any_inserted_event_is_named(at: int, what: str, data) -> None:
    log = await two_streams(6)
    events = [event for event in log.log if event.stream == "a-1"]
    stranger = replace(events[0], id=str(uuid.uuid4()), data=b"more")
    if what == "unlinked":
        if at == 0:
            return  # events without a link may stand before a chain: only a checkpoint tells
        stranger = replace(stranger, metadata=b"{}")
    elif what == "invented":
        stranger = replace(stranger, metadata=linked_metadata(b"{}", Link(at, bytes(32))))
    elif what == "copied":
        stranger = data.draw(st.sampled_from(events))
    else:
        stranger = log.log[1]
    if what == "copied" and (stranger == events[min(at, 5)] or (at > 0 and stranger == events[at - 1])):
        return  # whether it stands before or after itself makes no difference
    events.insert(at, stranger)
    finding = (await report_of(with_a(log, events))).finding
    assert finding is not None
    assert (finding.stream, finding.revision) == ("a-1", at)
    # At the end of a stream nothing follows that would tell an event that was altered from one too many.
    assert finding.kind == "inserted" or (at == 6 and finding.kind in ("altered", "removed"))


@given(source=st.integers(0, 5), target=st.integers(0, 5))
async def test_any_moved_event_is_named(source: int, target: int) -> None:
    if source == target:
        return
    log = await two_streams(6)
    events = [event for event in log.log if event.stream == "a-1"]
    events.insert(target, events.pop(source))
    finding = (await report_of(with_a(log, events))).finding
    assert finding is not None
    assert (finding.kind, finding.stream, finding.revision) == ("moved", "a-1", min(source, target))


async def test_a_chain_begins_with_the_first_event_that_has_a_link() -> None:
    log = AuditableLog()
    await log.write("a-1", 3, links=False)
    await log.write("a-1", 2)
    report = await report_of(log)
    assert (report.finding, report.linked, report.unlinked) == (None, 2, 3)
    assert link_of(log.log[3]) == Link(0, link_of(log.log[3]).digest)


async def test_an_event_without_a_link_in_a_chain_is_found_unless_an_older_version_may_have_written_it() -> None:
    log = AuditableLog()
    await log.write("a-1", 2)
    await log.write("a-1", 1, links=False)
    await log.write("a-1", 2)
    assert [link.place if (link := link_of(event)) else None for event in log.log] == [0, 1, None, 2, 3]
    finding = (await report_of(log)).finding
    assert (finding.kind, finding.revision) == ("inserted", 2)
    assert (await report_of(log, unlinked_until=log.log[2].position)).finding is None


async def test_a_stream_that_was_cut_off_is_checked_from_what_is_left() -> None:
    log = AuditableLog()
    await log.write("a-1", 6)
    log.truncate("a-1", tb=3)
    log.scavenge()
    assert [event.revision for event in log.log] == [3, 4, 5]
    assert (await report_of(log)).finding is None
    log.log[1] = replace(log.log[1], data=b"else")
    assert (await report_of(log)).finding.revision == 4
    log.metadata.clear()
    assert (await report_of(log)).finding.kind == "removed"


@pytest.mark.parametrize("scavenged", [False, True])
async def test_a_stream_that_was_deleted_and_made_again_begins_a_chain(scavenged: bool) -> None:
    log = AuditableLog()
    await log.write("a-1", 3)
    log.delete("a-1")
    new, _ = linked("a-1", None, [new_event(b"again"), new_event(b"and on")])
    await log.append("a-1", -1, new)
    if scavenged:
        log.scavenge()
    report = await report_of(log)
    assert (report.finding, log.log[-1].revision) == (None, 4)
    log.log[-1] = replace(log.log[-1], type="Else")
    assert (await report_of(log)).finding.revision == 4


async def test_a_chain_that_begins_anew_for_no_reason_is_found() -> None:
    log = AuditableLog()
    await log.write("a-1", 3)
    new, _ = linked("a-1", None, [new_event(b"again")])
    await log.append("a-1", 2, new)
    finding = (await report_of(log)).finding
    assert (finding.kind, finding.revision) == ("inserted", 3)


async def test_one_stream_alone_can_be_checked() -> None:
    log = await two_streams(3)
    log.log[1] = replace(log.log[1], data=b"else")
    assert (await report_of(log, stream="a-1")).finding is None
    assert (await report_of(log, stream="b-1")).finding.stream == "b-1"

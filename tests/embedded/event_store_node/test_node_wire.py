"""Messages made as bytes are what the generated classes would have made."""

from uuid import UUID

from esdbclient.protos.Grpc import shared_pb2, streams_pb2
from hypothesis import given
from hypothesis import strategies as st

from embedded.event_store_node.log import records
from embedded.event_store_node.log.events import LoggedEvent, ProposedEvent
from embedded.event_store_node.log.records import RecordedEvent, uuid_bytes, with_structured_uuid
from embedded.event_store_node.services import read_responses

numbers = st.integers(0, 2**63 - 1)
small_or_large = st.one_of(st.binary(max_size=20), st.integers(0, 20_000).map(bytes))


@st.composite
def logged_events(draw: st.DrawFn) -> tuple[LoggedEvent, RecordedEvent]:
    """An event as the node makes it, and as the generated class does."""
    id_ = draw(st.uuids(allow_nil=True))
    type_, content_type = draw(st.text(min_size=1)), draw(st.sampled_from(["application/json", "x/y"]))
    metadata, data, stream = draw(small_or_large), draw(small_or_large), draw(st.text(min_size=1))
    revision, position, created = draw(numbers), draw(numbers), draw(numbers)
    proposed = ProposedEvent(id_.bytes, type_, content_type, metadata, data)
    record = records.record(proposed, stream.encode(), revision, position, created)
    expected = RecordedEvent(
        id=shared_pb2.UUID(string=str(id_)),
        stream_identifier=shared_pb2.StreamIdentifier(stream_name=stream.encode()),
        stream_revision=revision,
        prepare_position=position,
        commit_position=position,
        metadata={"type": type_, "content-type": content_type, "created": str(created)},
        custom_metadata=metadata,
        data=data,
    )
    return LoggedEvent(position, stream, revision, type_, 1, record), expected


@given(logged_events())
def test_events(made: tuple[LoggedEvent, RecordedEvent]) -> None:
    event, expected = made

    response = streams_pb2.ReadResp.FromString(read_responses.read_event(event))

    assert RecordedEvent.FromString(event.record) == expected
    assert response.event.event == expected
    assert response.event.commit_position == event.position
    assert not response.event.HasField("link")


@given(logged_events(), st.one_of(st.none(), logged_events()))
def test_resolved_links(
    made: tuple[LoggedEvent, RecordedEvent], target: tuple[LoggedEvent, RecordedEvent] | None
) -> None:
    link, expected_link = made

    response = streams_pb2.ReadResp.FromString(read_responses.read_resolved(link, target and target[0]))

    assert response.event.link == expected_link
    assert response.event.commit_position == link.position
    assert response.event.HasField("event") == (target is not None)
    if target is not None:
        assert response.event.event == target[1]


@given(logged_events())
def test_structured_ids(made: tuple[LoggedEvent, RecordedEvent]) -> None:
    event, expected = made

    structured = RecordedEvent.FromString(with_structured_uuid(event).record)

    assert uuid_bytes(structured.id) == UUID(expected.id.string).bytes
    structured.id.CopyFrom(expected.id)
    assert structured == expected

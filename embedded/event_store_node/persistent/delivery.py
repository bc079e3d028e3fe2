"""Messages as a consumer gets them: ReadResp messages made as bytes."""

from esdbclient.protos.Grpc import persistent_pb2

from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.records import RecordedEvent, with_structured_uuid
from embedded.event_store_node.log.varint import varint
from embedded.event_store_node.persistent.message import Message

# Keys (field number << 3 | wire type) of ReadResp and ReadResp.ReadEvent.
_EVENT = b"\x0a"
_LINK = b"\x12"
_COMMIT_POSITION = b"\x18"
_RETRY_COUNT = b"\x28"


def confirmation(key: str) -> bytes:
    message: bytes = persistent_pb2.ReadResp(
        subscription_confirmation=persistent_pb2.ReadResp.SubscriptionConfirmation(subscription_id=key)
    ).SerializeToString()
    return message


def delivery(message: Message, structured_uuid: bool) -> bytes:
    """
    The message that delivers an event. Event and link both bear the position of the link; the retry count is
    always there, also when it is 0.
    """
    original = message.original
    form = with_structured_uuid if structured_uuid else _as_it_is
    if message.link is None:
        body = _field(_EVENT, form(original).record)
    else:
        body = _field(_LINK, form(original).record)
        if message.target is not None:
            body = _field(_EVENT, form(_at_position(message.target, original.position)).record) + body
    body += _COMMIT_POSITION + varint(original.position) + _RETRY_COUNT + varint(message.retry_count)
    return _field(_EVENT, body)


def _as_it_is(event: LoggedEvent) -> LoggedEvent:
    return event


def _at_position(event: LoggedEvent, position: int) -> LoggedEvent:
    record = RecordedEvent.FromString(event.record)
    record.commit_position = record.prepare_position = position
    return event._replace(record=record.SerializeToString())


def _field(key: bytes, content: bytes) -> bytes:
    return key + varint(len(content)) + content

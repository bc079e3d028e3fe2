"""Events as clients propose them, checked."""

from collections.abc import Mapping

from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from embedded.event_store_node.log.events import (
    BINARY_CONTENT_TYPE,
    JSON_CONTENT_TYPE,
    MAX_NAME_LENGTH,
    ProposedEvent,
    is_metadata_stream,
)
from embedded.event_store_node.log.records import uuid_bytes

Proposal = streams_pb2.AppendReq.ProposedMessage | streams_pb2.BatchAppendReq.ProposedMessage
_EMPTY_ID = bytes(16)


class BadProposalError(ValueError):
    """The event cannot be written; the message says why."""


class NameTooLongError(BadProposalError):
    """A stream's name or an event's type is longer than names may be; the message says which and by how much."""


class MissingMetadataError(BadProposalError):
    """A required property of the event's metadata is missing."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Required Metadata Property '{key}' is missing")
        self.key = key


def proposed_event(proposal: Proposal) -> ProposedEvent:
    """
    The event in a proposal.

    Raises:
        BadProposalError: it has no id, no type or no content type, or its type is too long.
    """
    return ProposedEvent(
        id=_id(proposal.id),
        type=_required(proposal.metadata, "type"),
        content_type=_content_type(_required(proposal.metadata, "content-type")),
        metadata=proposal.custom_metadata,
        data=proposal.data,
    )


def check_stream_name(name: str) -> None:
    """
    Raises:
        NameTooLongError: no stream may be called so.
    """
    _check_length("the stream's name", name[2:] if is_metadata_stream(name) else name)


def _check_length(what: str, name: str) -> None:
    if len(name) > MAX_NAME_LENGTH:
        raise NameTooLongError(f"{what} has {len(name)} characters; {MAX_NAME_LENGTH} are the most")


def _id(uuid: shared_pb2.UUID) -> bytes:
    try:
        id_ = uuid_bytes(uuid)
    except ValueError as error:
        raise BadProposalError(f"the event id is malformed: {error}") from None
    if id_ == _EMPTY_ID:
        raise BadProposalError("the event id is empty")
    return id_


def _required(metadata: Mapping[str, str], key: str) -> str:
    value = metadata.get(key)
    if value is None:
        raise MissingMetadataError(key)
    if not value and key == "type":
        raise BadProposalError("the event type is empty")
    if key == "type":
        _check_length("the event type", value)
    return value


def _content_type(content_type: str) -> str:
    return JSON_CONTENT_TYPE if content_type == JSON_CONTENT_TYPE else BINARY_CONTENT_TYPE

"""The values that travel between the services, the writer and the readers."""

from typing import NamedTuple

# Expected versions, as the server's own error texts and trailers number them.
NO_STREAM = -1
ANY = -2
STREAM_EXISTS = -4

# A tombstone sits at this revision; `$tb` with this value is a soft delete.
DELETED_STREAM_REVISION = 2**63 - 1
MAX_POSITION = 2**63 - 1

METADATA_TYPE = "$metadata"
TOMBSTONE_TYPE = "$streamDeleted"
LINK_TYPE = "$>"

# Of a stream's name or an event's type, in characters. What filters and indexes cost grows with it.
MAX_NAME_LENGTH = 1024

JSON_CONTENT_TYPE = "application/json"
BINARY_CONTENT_TYPE = "application/octet-stream"


class ProposedEvent(NamedTuple):
    """An event that a client asks to be written; `id` is the 16 bytes of its UUID."""

    id: bytes
    type: str
    content_type: str
    metadata: bytes
    data: bytes

    @property
    def size(self) -> int:
        """Bytes that count towards the maximum append size."""
        return len(self.data) + len(self.metadata) + 2 * len(self.type)


class LoggedEvent(NamedTuple):
    """
    A committed event. `record` is its `ReadResp.ReadEvent.RecordedEvent` message as it goes on the wire
    (string UUID): made once by the writer, stored, and sent to every reader unchanged.
    """

    position: int
    stream: str
    revision: int
    type: str
    in_all: int
    record: bytes


def metadata_stream_of(stream: str) -> str:
    return "$$" + stream


def is_no_stream(name: str) -> bool:
    """Whether nothing can be written under a name: there is none, or it is that of the metadata of no stream."""
    return name in ("", "$$")


def is_metadata_stream(stream: str) -> bool:
    return stream.startswith("$$")

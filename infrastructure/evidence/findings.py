"""What is found when the log is compared with its evidence."""

from typing import Literal

from msgspec import Struct

Kind = Literal["altered", "removed", "inserted", "moved", "rewritten", "tree"]


class Finding(Struct, frozen=True):
    """The first thing that is not as it was written. `revision` and `position` are those that the event had, or has
    where it is one too many; None where they can't be told. A finding about the whole log names no stream."""

    kind: Kind
    detail: str
    stream: str | None = None
    revision: int | None = None
    position: int | None = None


class Contradiction(Exception):
    """The log is not as its evidence says."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


class Gone(Struct):
    """Events of a stream that are not in the log any more, and may be gone by what its metadata say."""

    events: int
    first_revision: int
    last_revision: int
    first_position: int

"""The services as `eventfold` starts them, but their events carry no links: `python -m benchmarks.without_links`."""

from collections.abc import Sequence

from command_api import appending
from infrastructure.event_store import NewEvent
from infrastructure.evidence.verifier import Link
from ops.cli import main


def unlinked(stream: str, head: Link | None, events: Sequence[NewEvent]) -> tuple[list[NewEvent], Link | None]:
    """In the place of `linked`: the events as they are."""
    return list(events), head


if __name__ == "__main__":
    appending.linked = unlinked  # type: ignore[attr-defined]  # by its name there, where it is called
    main()

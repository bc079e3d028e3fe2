"""What is parked for one key, as it is to be replayed: up to the first event that still can't be read."""

from collections.abc import Iterable, Mapping, Sequence

from subscriptions.consumer import Step
from subscriptions.decoding import Incoming
from subscriptions.parking.discarded_events import Discards
from subscriptions.parking.parked_events import ParkedEvent


class KeyPart:
    """`records` are the key's, in commit order; `events` those of all records, by position. `unreadable` is the first
    that can't be read and is not left out."""

    def __init__(
        self, key: str, records: Sequence[ParkedEvent], events: Mapping[int, Incoming], discards: Discards
    ) -> None:
        self.key = key
        self.records = records
        self.unreadable: Incoming | None = None
        self.events: list[Incoming] = []
        for record in records:
            incoming = events[record.position]
            if incoming.recorded is not None:
                self.events.append(incoming)
            elif not discards.of_key(record.position, key):
                self.unreadable = incoming
                return


def together(parts: Iterable[KeyPart]) -> list[Step]:
    """The events of all the parts in commit order, each once, for all the keys that it is parked for."""
    keys: dict[int, list[str]] = {}
    events: dict[int, Incoming] = {}
    for part in parts:
        for incoming in part.events:
            events[incoming.stored.position] = incoming
            keys.setdefault(incoming.stored.position, []).append(part.key)
    return [
        Step(one.stored, one.recorded, tuple(keys[position]))
        for position, one in sorted(events.items())
        if one.recorded is not None
    ]

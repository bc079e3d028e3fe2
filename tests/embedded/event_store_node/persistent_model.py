"""What a group has to keep account of, said a second time: every event, every parked message, every consumer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.message import Message

TIMEOUT_SECONDS = 10
MAX_RETRIES = 2


class State(Enum):
    WAITING = auto()
    TAKEN = auto()
    DONE = auto()
    PARKED = auto()


@dataclass
class Entry:
    """An event of the source, or a parked message; `stream` and `revision` are those of the event behind it."""

    stream: str
    revision: int
    state: State
    position: int = 0
    retries: int = 0
    deliveries: int = 0
    consumer: "Recorder | None" = None
    expires: float = 0


class Recorder(Consumer):
    """A consumer that tells the model of each message as it is pushed."""

    def __init__(self, capacity: int, model: "Model") -> None:
        super().__init__(capacity, "recorder", "user")
        self._model = model

    def push(self, message: Message) -> None:
        self._model.delivered(self, message)
        super().push(message)


class Model:
    """A group on all streams but those of the system. `clock` is the group's own."""

    def __init__(self, strategy: str, clock: Callable[[], float]) -> None:
        self._is_pinned = strategy.startswith("Pinned")
        self._clock = clock
        self.events: dict[tuple[str, int], Entry] = {}
        self.parked: list[Entry] = []
        # By message id, in the order of delivery.
        self.taken: dict[bytes, Entry] = {}
        self.consumers: list[Recorder] = []
        # The consumer that has a stream, and the last event that was delivered first: of each stream, or of all.
        self._owners: dict[str, Recorder] = {}
        self._last_first: dict[str, Entry] = {}

    @property
    def entries(self) -> list[Entry]:
        return [*self.events.values(), *self.parked]

    def append(self, stream: str) -> Entry:
        revision = sum(one.stream == stream for one in self.events.values())
        entry = self.events[stream, revision] = Entry(stream, revision, State.WAITING)
        return entry

    def delivered(self, consumer: Recorder, message: Message) -> None:
        assert message.target is not None
        if message.sequence is None:
            entry = self.parked[message.original.revision]
            assert (entry.stream, entry.revision) == (message.target.stream, message.target.revision)
        else:
            entry = self.events[message.target.stream, message.target.revision]
            if message.retry_count == 0:
                self._check_order(entry)
        assert entry.state is State.WAITING, f"{entry} is delivered while it is with somebody, or done"
        assert message.retry_count == entry.retries
        assert consumer.has_room
        assert consumer in self.consumers
        if self._is_pinned:
            assert self._owners.setdefault(entry.stream, consumer) is consumer, "a stream has two consumers"
        entry.state, entry.consumer, entry.expires = State.TAKEN, consumer, self._clock() + TIMEOUT_SECONDS
        entry.deliveries += 1
        self.taken[message.id] = entry

    def _check_order(self, entry: Entry) -> None:
        """Before they are retried, events come in the log's order; with a pinned strategy, those of each stream."""
        scope = entry.stream if self._is_pinned else ""
        last = self._last_first.get(scope)
        order = list(self.events.values())
        assert last is None or order.index(last) < order.index(entry), f"{entry} overtook {last}"
        self._last_first[scope] = entry

    # What consumers and time do; told before the group is

    def connect(self, consumer: Recorder) -> None:
        self.consumers.append(consumer)
        self._owners.clear()  # the newcomer takes its share from the others

    def leave(self, consumer: Recorder) -> None:
        self.consumers.remove(consumer)
        self._owners = {stream: owner for stream, owner in self._owners.items() if owner is not consumer}
        for id_, entry in list(self.taken.items()):
            if entry.consumer is consumer:
                self._released(id_, State.WAITING)
                entry.retries += 1

    def acknowledge(self, ids: Iterable[bytes]) -> None:
        for id_ in ids:
            if id_ in self.taken:
                self._released(id_, State.DONE)

    def park(self, ids: Iterable[bytes]) -> None:
        for id_ in ids:
            if id_ in self.taken:
                entry = self._released(id_, State.DONE)
                self.parked.append(Entry(entry.stream, entry.revision, State.PARKED))

    def retry(self, ids: Iterable[bytes]) -> None:
        for id_ in ids:
            if id_ not in self.taken:
                continue
            if self.taken[id_].retries >= MAX_RETRIES:
                self.park([id_])
            else:
                self._released(id_, State.WAITING).retries += 1

    def time_passed(self) -> None:
        self.retry([id_ for id_, entry in self.taken.items() if entry.expires <= self._clock()])

    def replay(self) -> None:
        for entry in self.parked:
            if entry.state is State.PARKED:
                entry.state = State.WAITING

    def restart(self, checkpoint: int, first_parked: int) -> None:
        """All consumers are gone; what the log does not say is done begins anew."""
        self.consumers, self.taken, self._owners, self._last_first = [], {}, {}, {}
        for entry in self.events.values():
            if entry.position > checkpoint:
                entry.state, entry.retries = State.WAITING, 0
            else:
                assert entry.state is State.DONE, f"the checkpoint {checkpoint} covers {entry}"
        for revision, entry in enumerate(self.parked):
            if revision >= first_parked:
                entry.state, entry.retries = State.PARKED, 0
            else:
                assert entry.state is State.DONE, f"{entry} is forgotten"

    def _released(self, id_: bytes, state: State) -> Entry:
        entry = self.taken.pop(id_)
        entry.state, entry.consumer = state, None
        return entry

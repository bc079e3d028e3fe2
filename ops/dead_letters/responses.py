"""What the projector answers about dead letters. Every field may be missing: it may be of another release."""

from msgspec import Struct


class Failed(Struct, frozen=True, kw_only=True):
    """`group` is the fingerprint of the failure, `place` the function that raised; it has failed again `retries` times,
    last at `retried_at`."""

    group: str = ""
    place: str = ""
    retries: int | None = None
    retried_at: int | None = None


class Summary(Failed, frozen=True):
    """An event set aside for a consumer. `target` is what the consumer writes to, a collection if it is a view; `kind`
    says whether `keys` are a stream or documents. Times are epoch milliseconds."""

    consumer: str = "-"
    target: str | None = None
    kind: str = "-"
    keys: list[str] = []
    first: bool | None = None
    stream: str = "-"
    revision: int | None = None
    position: int | None = None
    event_type: str = "-"
    error: str = ""
    recorded_at: int | None = None
    parked_at: int | None = None


class Group(Struct, frozen=True):
    """Dead letters that failed alike: `count` of them, of which `failed` failed themselves. `sample` is the position of
    the oldest of those. Times are epoch milliseconds."""

    consumer: str = "-"
    target: str | None = None
    group: str = "-"
    count: int = 0
    failed: int = 0
    event_type: str = "-"
    message: str = ""
    place: str = ""
    first_at: int | None = None
    last_at: int | None = None
    sample: int | None = None


class GroupPage(Struct, frozen=True):
    """Groups by fingerprint; `next` is what to pass as `after` for more."""

    groups: list[Group] = []
    next: str | None = None


class EntryOutcome(Struct, frozen=True):
    """How a request ended; `fault` says why it was not carried out to its end."""

    ended_at: int | None = None
    replayed: int = 0
    discarded: int = 0
    remaining: int = 0
    failures: list[str] = []
    fault: str = ""


class Entry(Struct, frozen=True):
    """What somebody asked for and what came of it, as far as that is known. Times are epoch milliseconds."""

    consumer: str = "-"
    action: str = "-"
    by: str = "-"
    reason: str = ""
    group: str = ""
    key: str = ""
    count: int = 0
    positions: list[int] = []
    requested_at: int | None = None
    outcome: EntryOutcome | None = None


class History(Struct, frozen=True):
    """The newest first."""

    entries: list[Entry] = []


class Page(Struct, frozen=True):
    """Dead letters, the oldest first; `next` is what to pass as `after` for more."""

    dead_letters: list[Summary] = []
    next: int | None = None


class DeadLetter(Struct, frozen=True):
    """One dead letter with the event's data and metadata as text."""

    summary: Summary = Summary()
    data: str = ""
    metadata: str = ""


class Outcome(Struct, frozen=True):
    """The result of a retry or a discard."""

    consumer: str = "-"
    replayed: int = 0
    discarded: int = 0
    remaining: int = 0
    errors: list[str] = []


class Portion(Outcome, frozen=True):
    """The result of one portion of a group; without `next` it was the last."""

    next: int | None = None
    asked_at: int = -1

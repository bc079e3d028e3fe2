"""Requests of operators to replay dead letters: sent to any process, done by those that own the partitions.

A request is stored in the read store; each process that owns a part of the consumer's targets stores a response there
once it has done its part. When a request is repeated after a crash in the middle, what was done before stays done.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from infrastructure.clock import now_millis
from infrastructure.dead_letters.failure import Failure
from infrastructure.read_store import Page, Write
from subscriptions.ports import DocumentStore

REQUESTS = "dead_letter_requests"
RESPONSES = "dead_letter_responses"
_MOST_AT_ONCE = 100
# Nobody waits for a response as long as this.
_FORGOTTEN_AFTER = 600_000


class ReplayRequest(Struct, frozen=True):
    """Replay what is parked of a consumer for these keys and streams. `requested_at` is in epoch milliseconds."""

    request: str
    consumer: str
    keys: list[str]
    streams: list[str]
    requested_at: int


class ReplayedKey(Struct, frozen=True, omit_defaults=True):
    """The outcome of one key's (or stream's) replay in one process. `upto` is the position of the first event that is
    still parked (None: none is), for the reason `failure`, of which `error` is the text; `events` counts those
    replayed."""

    kind: str
    key: str
    events: int
    upto: int | None = None
    error: str | None = None
    failure: Failure | None = None


class ReplayResponse(Struct, frozen=True, omit_defaults=True):
    """What one process did for one target. `fault` says why it could do nothing."""

    request: str
    target: str
    partitions: list[int]
    keys: list[ReplayedKey]
    fault: str | None = None


class ReplayRequests:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that requests and responses can be stored."""
        await self._store.prepare(REQUESTS, ReplayRequest, ())
        await self._store.prepare(RESPONSES, ReplayResponse, (("request",),))

    async def ask(self, request: ReplayRequest) -> None:
        """Stores a request for all processes."""
        await self._store.write(REQUESTS, [Write(request.request, 1, msgspec.to_builtins(request))])

    async def open(self) -> Sequence[ReplayRequest]:
        """The requests that have not been withdrawn yet, the oldest first."""
        page = await self._store.page(REQUESTS, Page({}, by="requested_at", limit=_MOST_AT_ONCE))
        requests = [msgspec.convert(document.fields, ReplayRequest) for _, document in page]
        for request in requests:
            if now_millis() - request.requested_at > _FORGOTTEN_AFTER:
                await self.withdraw(request.request)
        return requests

    async def respond(self, response: ReplayResponse) -> None:
        """Stores what this process has done."""
        key = f"{response.request}:{response.target}:{','.join(map(str, response.partitions))}"
        await self._store.write(RESPONSES, [Write(key, 1, msgspec.to_builtins(response))])

    async def responses(self, request: str) -> Sequence[ReplayResponse]:
        """The responses so far."""
        page = await self._store.page(RESPONSES, Page({"request": request}, by="target", limit=1000))
        return [msgspec.convert(document.fields, ReplayResponse) for _, document in page]

    async def withdraw(self, request: str) -> None:
        """Removes a request and its responses."""
        await self._store.delete(REQUESTS, request)
        await self._store.remove(RESPONSES, {"request": request})

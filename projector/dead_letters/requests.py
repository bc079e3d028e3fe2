"""What operators ask to be done about dead letters: asked of any process, done by those that fold the documents.

A request stands in the read store; each process that has a share of the view's builds answers it there once it has
done its part. A request that is repeated, after a crash in the middle, finds done what was done.
"""

import time
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from infrastructure.read_store import Page, Write
from projector.ports import DocumentStore

REQUESTS = "dead_letter_requests"
ANSWERS = "dead_letter_answers"
_MOST_AT_ONCE = 100
# Nobody waits for an answer as long as this.
_FORGOTTEN_AFTER = 600_000


class ReplayRequest(Struct, frozen=True):
    """Replay what is parked of a view for these documents and streams. `requested_at` is in epoch milliseconds."""

    request: str
    view: str
    documents: list[str]
    streams: list[str]
    requested_at: int


class KeyAnswer(Struct, frozen=True, omit_defaults=True):
    """One key's replay, see projector.dead_letters.replay.Replayed."""

    kind: str
    key: str
    events: int
    upto: int | None = None
    error: str | None = None


class ReplayAnswer(Struct, frozen=True, omit_defaults=True):
    """What one process did for one build. `fault` says why it could do nothing."""

    request: str
    collection: str
    partitions: list[int]
    keys: list[KeyAnswer]
    fault: str | None = None


class ReplayRequests:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that requests and answers can be stored."""
        await self._store.prepare(REQUESTS, ReplayRequest, ())
        await self._store.prepare(ANSWERS, ReplayAnswer, (("request",),))

    async def ask(self, request: ReplayRequest) -> None:
        """Puts a request before all processes."""
        await self._store.write(REQUESTS, [Write(request.request, 1, msgspec.to_builtins(request))])

    async def open(self) -> Sequence[ReplayRequest]:
        """What has been asked and not been withdrawn yet, the oldest first."""
        page = await self._store.page(REQUESTS, Page({}, by="requested_at", limit=_MOST_AT_ONCE))
        requests = [msgspec.convert(document.fields, ReplayRequest) for _, document in page]
        now = time.time_ns() // 1_000_000
        for request in requests:
            if now - request.requested_at > _FORGOTTEN_AFTER:
                await self.withdraw(request.request)
        return requests

    async def answer(self, answer: ReplayAnswer) -> None:
        """Says what this process has done."""
        key = f"{answer.request}:{answer.collection}:{','.join(map(str, answer.partitions))}"
        await self._store.write(ANSWERS, [Write(key, 1, msgspec.to_builtins(answer))])

    async def answers(self, request: str) -> Sequence[ReplayAnswer]:
        """What has been done so far."""
        page = await self._store.page(ANSWERS, Page({"request": request}, by="collection", limit=1000))
        return [msgspec.convert(document.fields, ReplayAnswer) for _, document in page]

    async def withdraw(self, request: str) -> None:
        """Removes a request and its answers."""
        await self._store.delete(REQUESTS, request)
        await self._store.remove(ANSWERS, {"request": request})

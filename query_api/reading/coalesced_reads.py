"""Reads of single documents, put together: requests that arrive while a read is under way share the next one.

A read by key costs the driver a hand-over to a thread and back, many times the cost of one more key in the same read.
At one request at a time nothing is put together and nothing waits; the busier it gets, the larger the reads become.
"""

import asyncio

from infrastructure.read_store import ReadStoreUnavailable, StoredDocument
from query_api.reading.bounded_reads import BoundedReads

_KEYS_PER_READ = 128


class CoalescedReads:
    """Documents of one collection by key; one read at a time, of all the keys asked for before it."""

    def __init__(self, reads: BoundedReads, collection: str) -> None:
        self._reads = reads
        self._collection = collection
        self._busy = False
        self._asked: list[tuple[str, asyncio.Future[StoredDocument | None]]] = []
        self._reader: asyncio.Task[None] | None = None

    async def get(self, key: str) -> StoredDocument | None:
        """The document (or tombstone) as it is after this call began; None when there is none.

        Others may be given the same object: it must be left as it is. Raises what BoundedReads.load raises.
        """
        if self._busy:
            answer: asyncio.Future[StoredDocument | None] = asyncio.get_running_loop().create_future()
            self._asked.append((key, answer))
            return await answer
        self._busy = True
        try:
            return (await self._reads.load(self._collection, [key])).get(key)
        except ReadStoreUnavailable as error:
            self._fail([], error)
            raise
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        """Begins the next read, for whoever has asked meanwhile."""
        if not self._asked:
            self._busy = False
            return
        taken, self._asked = self._asked[:_KEYS_PER_READ], self._asked[_KEYS_PER_READ:]
        self._reader = asyncio.create_task(self._read(taken))

    async def _read(self, taken: list[tuple[str, asyncio.Future[StoredDocument | None]]]) -> None:
        try:
            found = await self._reads.load(self._collection, list({key for key, _ in taken}))
            for key, answer in taken:
                if not answer.done():
                    answer.set_result(found.get(key))
        except Exception as error:
            self._fail(taken, error)
        finally:
            self._hand_over()

    def _fail(self, taken: list[tuple[str, asyncio.Future[StoredDocument | None]]], error: Exception) -> None:
        """Tells those whose read failed, and when the store is away, those too who would wait just as long in vain."""
        if isinstance(error, ReadStoreUnavailable):
            taken, self._asked = taken + self._asked, []
        for _, answer in taken:
            if not answer.done():
                answer.set_exception(error)

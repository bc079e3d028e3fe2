"""Reads by key that meet are put together, and nobody gets what was read before he asked."""

import asyncio

import pytest

from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable, StoredDocument
from query_api.reading.coalesced_reads import CoalescedReads


class Gate:
    """Reads that end when the test says so; each answers with the number of the read as the position."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self._open: list[asyncio.Future[None]] = []

    async def load(self, _collection: str, keys: list[str]) -> dict[str, StoredDocument]:
        number = len(self.reads)
        self.reads.append(sorted(keys))
        self._open.append(asyncio.get_running_loop().create_future())
        await self._open[number]
        return {key: StoredDocument(number, {"key": key}) for key in keys if key != "missing"}

    async def end(self, number: int, error: Exception | None = None) -> None:
        while len(self._open) <= number:
            await asyncio.sleep(0)
        if error is None:
            self._open[number].set_result(None)
        else:
            self._open[number].set_exception(error)


async def asked(reads: CoalescedReads, *keys: str) -> list[asyncio.Task[StoredDocument | None]]:
    tasks = [asyncio.create_task(reads.get(key)) for key in keys]
    await asyncio.sleep(0)
    return tasks


async def test_those_who_ask_during_a_read_share_the_next_one() -> None:
    gate = Gate()
    reads = CoalescedReads(gate, "lamps")  # type: ignore[arg-type]
    (first,) = await asked(reads, "a")
    later = await asked(reads, "b", "a", "b", "missing")
    assert gate.reads == [["a"]]
    await gate.end(0)
    held = await first
    assert held is not None
    assert held.position == 0
    await gate.end(1)
    answers = await asyncio.gather(*later)
    assert gate.reads == [["a"], ["a", "b", "missing"]]
    assert [answer and (answer.position, answer.fields) for answer in answers] == [
        (1, {"key": "b"}),
        (1, {"key": "a"}),
        (1, {"key": "b"}),
        None,
    ]


async def test_it_reads_at_once_again_when_nobody_asks() -> None:
    gate = Gate()
    reads = CoalescedReads(gate, "lamps")  # type: ignore[arg-type]
    for number in range(3):
        (task,) = await asked(reads, "a")
        await gate.end(number)
        assert (await task) == StoredDocument(number, {"key": "a"})


async def test_a_read_has_at_most_128_keys() -> None:
    gate = Gate()
    reads = CoalescedReads(gate, "lamps")  # type: ignore[arg-type]
    tasks = await asked(reads, *(f"k{number}" for number in range(300)))
    for number in range(4):
        await gate.end(number)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert [len(keys) for keys in gate.reads] == [1, 128, 128, 43]


async def test_an_answer_of_the_store_fails_only_those_who_share_it() -> None:
    gate = Gate()
    reads = CoalescedReads(gate, "lamps")  # type: ignore[arg-type]
    (first,) = await asked(reads, "a")
    (second,) = await asked(reads, "b")
    await gate.end(0, ReadStoreRefused("no"))
    with pytest.raises(ReadStoreRefused):
        await first
    await gate.end(1)
    assert await second == StoredDocument(1, {"key": "b"})


async def test_when_the_store_is_away_those_who_wait_are_told_at_once() -> None:
    gate = Gate()
    reads = CoalescedReads(gate, "lamps")  # type: ignore[arg-type]
    (first,) = await asked(reads, "a")
    waiting = await asked(reads, "b", "c")
    await gate.end(0, ReadStoreUnavailable("away"))
    for task in [first, *waiting]:
        with pytest.raises(ReadStoreUnavailable):
            await task
    (next_one,) = await asked(reads, "d")
    await gate.end(1)
    assert await next_one == StoredDocument(1, {"key": "d"})


async def test_one_who_gives_up_does_not_stop_the_others() -> None:
    gate = Gate()
    reads = CoalescedReads(gate, "lamps")  # type: ignore[arg-type]
    first, second, third = await asked(reads, "a", "b", "c")
    first.cancel()
    second.cancel()
    await asyncio.sleep(0)
    await gate.end(1)
    assert await third == StoredDocument(1, {"key": "c"})

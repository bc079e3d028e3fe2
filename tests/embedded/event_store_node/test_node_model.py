"""Random histories of one log against a model of it that fits on two pages."""

import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.exceptions import NotFound, StreamIsDeleted, WrongCurrentVersion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_support import event

STREAMS = ("a", "b")
SOFT_DELETED = 2**63 - 1
Expected = StreamState | int


@dataclass
class Stream:
    ids: list[UUID] = field(default_factory=list)
    metadata: list[dict[str, int]] = field(default_factory=list)
    tombstoned: bool = False

    @property
    def last(self) -> int:
        return len(self.ids) - 1

    @property
    def soft_deleted(self) -> bool:
        return bool(self.metadata) and self.metadata[-1].get("$tb") == SOFT_DELETED


class Model:
    """What the node has to do, said a second time and more slowly."""

    def __init__(self) -> None:
        self.streams = {name: Stream() for name in STREAMS}
        self.all: list[tuple[str, int]] = []
        self.last_seen: dict[UUID, tuple[str, int]] = {}

    def append(self, name: str, expected: Expected, ids: list[UUID]) -> str:
        stream = self.streams[name]
        verdict = self.verdict(name, expected, ids)
        if verdict == "write":
            was_soft_deleted, first = stream.soft_deleted, stream.last + 1
            for id_ in ids:
                self.last_seen[id_] = (name, len(stream.ids))
                self.all.append((name, len(stream.ids)))
                stream.ids.append(id_)
            if was_soft_deleted:
                self._set(name, stream.metadata[-1] | {"$tb": first})
            return "written"
        return verdict

    def verdict(self, name: str, expected: Expected, ids: list[UUID]) -> str:
        stream = self.streams[name]
        if stream.tombstoned or (expected is StreamState.EXISTS and stream.soft_deleted):
            return "deleted"
        if expected is StreamState.EXISTS and not stream.ids and not stream.metadata:
            return "conflict"
        if expected in (StreamState.ANY, StreamState.EXISTS):
            known = [self.last_seen.get(id_, ("", 0))[0] == name for id_ in ids]
            if not known[0]:
                return "write"
            return "written" if all(known) else "conflict"
        version = -1 if expected is StreamState.NO_STREAM else expected
        assert isinstance(version, int)
        if version == stream.last:
            return "write"
        there = stream.ids[version + 1 : version + 1 + len(ids)]
        if version > stream.last:
            return "conflict"
        if there == ids:
            return "written"
        can_recreate = version == -1 and stream.soft_deleted and there[0] != ids[0]
        return "write" if can_recreate else "conflict"

    def delete(self, name: str, expected: Expected) -> str:
        verdict = self.verdict(name, expected, [UUID(int=0)])
        if verdict == "write" and not self.streams[name].ids and not self.streams[name].metadata:
            return "missing"
        if verdict == "write":
            self._set(name, {"$tb": SOFT_DELETED})
            return "written"
        return "missing" if verdict == "conflict" and not self.streams[name].ids else verdict

    def tombstone(self, name: str, expected: Expected) -> str:
        verdict = self.verdict(name, expected, [UUID(int=0)])
        if verdict == "write":
            self.streams[name].tombstoned = True
            self.all.append((name, SOFT_DELETED))
            return "written"
        return "missing" if verdict == "conflict" and not self.streams[name].ids else verdict

    def set_metadata(self, name: str, document: dict[str, int]) -> str:
        stream = self.streams[name]
        was_soft_deleted = stream.soft_deleted
        self._set(name, document)
        if was_soft_deleted:
            self._set(name, document | {"$tb": stream.last + 1})
        return "written"

    def _set(self, name: str, document: dict[str, int]) -> None:
        self.all.append(("$$" + name, len(self.streams[name].metadata)))
        self.streams[name].metadata.append(document)

    def read(self, name: str) -> str | list[int]:
        stream = self.streams[name]
        if stream.tombstoned:
            return "deleted"
        if not stream.ids or stream.soft_deleted:
            return "missing"
        document = stream.metadata[-1] if stream.metadata else {}
        first = max(document.get("$tb", 0), len(stream.ids) - document.get("$maxCount", 10**9), 0)
        return list(range(first, len(stream.ids)))


class Node:
    """The same steps taken on the real thing, under names of their own in the shared log."""

    def __init__(self, client: AsyncEventStoreDBClient, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    async def append(self, name: str, expected: Expected, new: list[NewEvent]) -> str:
        return await self._try(self.client.append_to_stream(self.prefix + name, current_version=expected, events=new))

    async def delete(self, name: str, expected: Expected) -> str:
        return await self._try(self.client.delete_stream(self.prefix + name, current_version=expected))

    async def tombstone(self, name: str, expected: Expected) -> str:
        return await self._try(self.client.tombstone_stream(self.prefix + name, current_version=expected))

    async def set_metadata(self, name: str, document: dict[str, int]) -> str:
        return await self._try(self.client.set_stream_metadata(self.prefix + name, metadata=document))

    async def read(self, name: str, backwards: bool = False) -> Any:
        try:
            read = await self.client.get_stream(self.prefix + name, backwards=backwards)
        except NotFound:
            return "missing"
        except StreamIsDeleted:
            return "deleted"
        return [e.stream_position for e in read]

    async def all(self, start: int) -> list[tuple[str, int]]:
        read = await self.client.read_all(commit_position=start, filter_exclude=())
        return [(e.stream_name.replace(self.prefix, ""), e.stream_position) async for e in read]

    @staticmethod
    async def _try(change: Any) -> str:
        try:
            await change
        except WrongCurrentVersion:
            return "conflict"
        except StreamIsDeleted:
            return "deleted"
        except NotFound:
            return "missing"
        return "written"


streams = st.sampled_from(STREAMS)
# Versions in terms of the current one, so that near misses are frequent.
versions = st.one_of(st.sampled_from(list(StreamState)), st.integers(-3, 1))
# Few ids, so that they meet again: in the same stream, another one, in another order.
id_numbers = st.lists(st.integers(1, 12), min_size=1, max_size=3)
documents = st.fixed_dictionaries(
    {}, optional={"$maxCount": st.integers(1, 3), "$tb": st.sampled_from([1, 2, 5, SOFT_DELETED])}
)
steps = st.one_of(
    st.tuples(st.just("append"), streams, versions, id_numbers),
    st.tuples(st.just("append"), streams, versions, id_numbers),
    st.tuples(st.just("repeat")),
    st.tuples(st.just("delete"), streams, versions),
    st.tuples(st.just("set_metadata"), streams, documents),
    st.tuples(st.just("tombstone"), streams, versions),
)

_examples = itertools.count(1)


async def follow(client: AsyncEventStoreDBClient, history: list[tuple[Any, ...]]) -> None:
    example = next(_examples)
    node, model = Node(client, f"{example}-"), Model()
    start = await client.append_to_stream("start", current_version=StreamState.ANY, events=[event()]) + 1
    last_append: tuple[str, Expected, list[int]] | None = None
    for kind, *arguments in history:
        if kind == "repeat" and last_append is None:
            continue
        if kind in ("append", "repeat"):
            if kind == "append":
                name, version, numbers = arguments
                last_append = (name, expected(model, name, version), numbers)
            assert last_append is not None
            name, at, numbers = last_append
            ids = [UUID(int=example << 32 | number) for number in numbers]
            done = await node.append(name, at, [event(id=id_) for id_ in ids])
            should = model.append(name, at, ids)
        elif kind == "set_metadata":
            done = await node.set_metadata(*arguments)
            should = model.set_metadata(*arguments)
        else:
            name, version = arguments
            at = expected(model, name, version)
            done = await getattr(node, kind)(name, at)
            should = getattr(model, kind)(name, at)
        assert done == should, (kind, arguments)
        for name in STREAMS:
            assert await node.read(name) == model.read(name)
    for name in STREAMS:
        forwards = model.read(name)
        assert await node.read(name, backwards=True) == (forwards[::-1] if isinstance(forwards, list) else forwards)
    assert await node.all(start) == model.all


def expected(model: Model, name: str, version: StreamState | int) -> Expected:
    if isinstance(version, StreamState):
        return version
    return max(0, model.streams[name].last + version)


_settings = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@settings(_settings, max_examples=60)
@given(history=st.lists(steps, max_size=12))
async def test_random_histories(client: AsyncEventStoreDBClient, history: list[tuple[Any, ...]]) -> None:
    await follow(client, history)


@pytest.mark.slow
@settings(_settings, max_examples=1500)
@given(history=st.lists(steps, max_size=40))
async def test_more_random_histories(client: AsyncEventStoreDBClient, history: list[tuple[Any, ...]]) -> None:
    await follow(client, history)

"""The streams of instances: loaded, appended to at exactly the version that was decided on, and cached meanwhile."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from msgspec import Struct

from domain.model.process import Process
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import Appended, NewEvent, StoredEvent
from infrastructure.evidence.chain import linked
from infrastructure.telemetry import current_trace
from process_manager.instances.instance import Instance

ACTOR = "process-manager"


class StreamStore(Protocol):
    """See infrastructure.event_store.EventStore."""

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended: ...

    async def read_stream(self, stream: str, from_revision: int = ..., limit: int = ...) -> list[StoredEvent]: ...


class InstanceStreams:
    """The instances of one process. Every method raises what the event store raises."""

    def __init__(self, store: StreamStore, codec: EventCodec, process: Process, capacity: int = 10_000) -> None:
        self.process = process
        self._store = store
        self._codec = codec
        self._capacity = capacity
        self._cached: OrderedDict[str, Instance] = OrderedDict()
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, instance_id: str) -> AsyncIterator[None]:
        """One at a time in this process works on an instance; another process is found out when it appends."""
        lock, waiting = self._locks.get(instance_id, (asyncio.Lock(), 0))
        self._locks[instance_id] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks.pop(instance_id)
            if waiting > 1:
                self._locks[instance_id] = lock, waiting - 1

    async def load(self, instance_id: str, *, at_least: int = -1) -> Instance:
        """The instance as it is cached, if that is at the stream's revision `at_least` or beyond, else as of now.

        What is cached may be out of date; an append finds that out. Raises UnknownEventType or UndecodableEvent, too.
        """
        cached = self._cached.get(instance_id)
        if cached is not None and cached.revision >= at_least:
            self._cached.move_to_end(instance_id)
            return cached
        return await self.reload(instance_id)

    async def reload(self, instance_id: str) -> Instance:
        """The instance as of now."""
        self.forget(instance_id)
        instance = Instance(self.process, instance_id)
        for stored in await self._store.read_stream(self.process.stream(instance_id)):
            instance.take(stored, self._codec)
        self._cache(instance)
        return instance

    async def append(
        self,
        instance: Instance,
        events: Sequence[Struct],
        *,
        correlation_id: str = "",
        causation_id: str = "",
        actor: str = ACTOR,
    ) -> None:
        """Appends the events after the instance's last one, all or none, and applies them to it. `actor` is who brought
        them about: the process itself, or an operator.

        Raises WrongExpectedRevision when another process has appended since: the instance is out of date then.
        """
        correlation = instance.correlation_id or correlation_id
        trace = current_trace()
        metadata = EventMetadata(
            correlation_id=correlation or None,
            causation_id=causation_id or None,
            actor=actor,
            traceparent=trace.traceparent,
            tracestate=trace.tracestate,
        )
        # New ids for every attempt: an equal append by another process must be refused, not taken for this one.
        encoded = [self._codec.encode(event, metadata, str(uuid.uuid4())) for event in events]
        stream = self.process.stream(instance.id)
        new, chain = linked(stream, instance.chain, encoded)
        try:
            appended = await self._store.append(stream, instance.revision, new)
        except BaseException:
            self.forget(instance.id)  # it may have been written all the same
            raise
        if not instance.begun:
            instance.correlation_id, instance.trace = correlation, trace
        for event in events:
            instance.apply(event)
        instance.revision, instance.position, instance.chain = appended.revision, appended.position, chain
        self._cache(instance)

    def forget(self, instance_id: str) -> None:
        """It is read anew when it is needed again."""
        self._cached.pop(instance_id, None)

    def _cache(self, instance: Instance) -> None:
        if not instance.begun:
            return
        self._cached[instance.id] = instance
        self._cached.move_to_end(instance.id)
        while len(self._cached) > self._capacity:
            self._cached.popitem(last=False)

"""All groups: loaded from the log, created, updated and deleted there, and told what time it is."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Appended, Failed
from embedded.event_store_node.persistent import configuration, errors
from embedded.event_store_node.persistent.configuration import BadConfigurationError
from embedded.event_store_node.persistent.definition import Definition
from embedded.event_store_node.persistent.group import Group
from embedded.event_store_node.persistent.source import END, source_of
from embedded.event_store_node.persistent.strategies import STRATEGIES
from embedded.event_store_node.persistent.system_writes import SystemWrites, awaitable
from embedded.event_store_node.persistent.validation import check_sizes, check_start
from embedded.event_store_node.protocol.errors import RpcError, unavailable
from embedded.event_store_node.security.caller import caller

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0


class PersistentSubscriptions:
    """
    The groups of one log. Changes are answered when they are durable, one at a time; the stream
    `$persistentSubscriptionConfig` is the only truth about which groups there are. `clock` gives seconds from any
    start; `tick` may be called besides the ticks that come every second.
    """

    def __init__(
        self, writer: Writer, reader: Reader, broker: Broker, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._broker = broker
        self._writes = SystemWrites(writer)
        self._clock = clock
        self._groups: dict[str, Group] = {}
        # What the configuration has and this node can't run; kept there.
        self._unusable: list[Definition] = []
        # Streams that have, or had since the start, a group.
        self._streams: set[str] = set()
        self._has_configuration = False
        self._is_ready = False
        self._is_closed = False
        self._change = asyncio.Lock()
        self._ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._load()
        self._ticker = asyncio.create_task(self._tick_every_second())

    async def close(self) -> None:
        """Drop every consumer and write nothing more."""
        self._is_ready = False
        self._is_closed = True
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        self._close_groups()

    def tick(self, now: float | None = None) -> None:
        """Let messages time out and checkpoints be written as of `now`, in clock seconds."""
        now = self._clock() if now is None else now
        for group in list(self._groups.values()):
            try:
                group.tick(now)
            except Exception:
                logger.exception("A tick of group %s failed", group.definition.key)

    # Groups

    def group(self, stream: str, name: str) -> Group:
        """
        A group of a stream or of `$all`.

        Raises:
            RpcError: NOT_FOUND.
        """
        self._check_ready()
        group = self._groups.get(f"{stream}::{name}")
        if group is None:
            raise errors.does_not_exist(stream, name)
        return group

    def groups(self, stream: str | None = None) -> list[Group]:
        """
        The groups of one stream, or all by stream.

        Raises:
            RpcError: NOT_FOUND, there is none and was none since the start.
        """
        self._check_ready()
        if stream is None:
            return sorted(self._groups.values(), key=lambda group: group.definition.stream)
        if stream not in self._streams:
            raise errors.does_not_exist(stream, "")
        return [group for group in self._groups.values() if group.definition.stream == stream]

    # Changes

    async def create(self, definition: Definition) -> None:
        """
        Add a group.

        Raises:
            RpcError: ALREADY_EXISTS; INTERNAL if it can't be as defined; UNAVAILABLE if it can't be kept.
        """
        async with self._change:
            self._check_ready()
            check_start(definition, self._reader.last_position())
            if definition.key in self._groups:
                raise errors.exists(definition.stream, definition.group)
            check_sizes(definition)
            definition = self._with_end(definition)
            others = [one for one in self._definitions() if one.key != definition.key]
            await self._save([*others, definition])
            self._unusable = [one for one in self._unusable if one.key != definition.key]
            self._open(definition)

    async def update(self, definition: Definition) -> None:
        """
        Change a group in everything but its filter. Its consumers are dropped; it goes on from its checkpoint.

        Raises:
            RpcError: NOT_FOUND; INTERNAL if it can't be as defined; UNAVAILABLE if it can't be kept.
        """
        async with self._change:
            old = self.group(definition.stream, definition.group)
            check_start(definition, self._reader.last_position())
            check_sizes(definition)
            definition = self._with_end(replace(definition, filter=old.definition.filter))
            await self._save([definition if one is old.definition else one for one in self._definitions()])
            old.close()
            self._open(definition)

    async def delete(self, stream: str, name: str) -> None:
        """
        Remove a group with its checkpoint and its parked messages. Its consumers are dropped.

        Raises:
            RpcError: NOT_FOUND; UNAVAILABLE if the change can't be kept: the group stays.
        """
        async with self._change:
            group = self.group(stream, name)
            group.close()
            group.delete_streams()
            try:
                await self._save([one for one in self._definitions() if one is not group.definition])
            except BaseException:
                self._open(group.definition)
                raise
            self._groups.pop(group.definition.key, None)  # it is gone already if the node is closing

    async def restart(self) -> None:
        """
        Drop every consumer and begin anew with what the log says. Until that is read, there are no groups to be
        changed: a change would overwrite it.
        """
        async with self._change:
            if self._is_closed:
                raise errors.not_ready()
            self._is_ready = False
            self._close_groups()
            self._load()

    def _check_ready(self) -> None:
        if not self._is_ready:
            raise errors.not_ready()

    def _with_end(self, definition: Definition) -> Definition:
        source = source_of(definition, self._reader)
        return replace(definition, end=source.end()) if source.parse(definition.start) == END else definition

    def _definitions(self) -> list[Definition]:
        return [group.definition for group in self._groups.values()] + self._unusable

    async def _save(self, definitions: list[Definition]) -> None:
        if not self._has_configuration:
            self._writes.metadata(configuration.STREAM, configuration.METADATA)
        done, on_done = awaitable()
        document = configuration.document(definitions, caller.get())
        self._writes.json(configuration.STREAM, configuration.TYPE, document, on_done)
        outcome = await done
        if not isinstance(outcome, Appended):
            reason = outcome.reason if isinstance(outcome, Failed) else "the configuration stream is deleted"
            raise unavailable(f"the event log cannot be written: {reason}")
        self._has_configuration = True

    # Opening and closing

    def _load(self) -> None:
        try:
            definitions, self._has_configuration = configuration.load(self._reader)
        except BadConfigurationError as error:
            logger.error("Persistent subscriptions are not started; their configuration is unusable: %s", error)
            return
        self._unusable = []
        for definition in definitions:
            if definition.key in self._groups:
                logger.error("Group %s is in the configuration twice; the first is taken", definition.key)
            elif self._is_usable(definition):
                self._open(definition)
            else:
                self._unusable.append(definition)
        self._is_ready = True

    def _is_usable(self, definition: Definition) -> bool:
        try:
            check_sizes(definition)
            source_of(definition, self._reader).parse(definition.start)
            STRATEGIES[definition.settings.strategy]
        except (RpcError, ValueError, KeyError) as error:
            logger.error("Group %s is ignored: %r", definition.key, error)
            return False
        return True

    def _open(self, definition: Definition) -> None:
        if self._is_closed:
            return
        group = Group(definition, self._reader, self._broker, self._writes, self._clock)
        self._groups[definition.key] = group
        self._streams.add(definition.stream)
        group.start()

    def _close_groups(self) -> None:
        for group in self._groups.values():
            group.close()
        self._groups.clear()
        self._streams.clear()

    async def _tick_every_second(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.tick()

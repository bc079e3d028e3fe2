"""A message as it came, whichever broker it is from; and what goes with it into a dead-letter topic or queue."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct

from infrastructure.resilience import Policy


class IncomingMessage(Struct, frozen=True, gc=False):
    """`queue` is the topic or queue that it is from; `partition` and `offset` are -1 where there are none. `key` is the
    broker's own key, "" for none. Header names and values are text; `header_fault` says which could not be read. `at`
    is when it was sent, in epoch milliseconds, 0 where nobody says."""

    queue: str
    body: bytes
    headers: Mapping[str, str]
    content_type: str = ""
    key: str = ""
    partition: int = -1
    offset: int = -1
    at: int = 0
    header_fault: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return self.queue if self.offset < 0 else f"{self.queue} [{self.partition}] at {self.offset}"

    def digest(self) -> str:
        """What tells it from others where it has no id: its place, as far as there is one, and its content."""
        told = hashlib.blake2b(self.place.encode(), digest_size=16)
        for name, value in sorted(self.headers.items()):
            told.update(f"|{len(name)}|{name}|{len(value)}|{value}".encode("utf-8", "surrogatepass"))
        told.update(b"|" + self.body)
        return told.hexdigest()


class DeadLetterNotice(Struct, frozen=True):
    """Why a message is set aside, as headers beside its own."""

    headers: Mapping[str, str]


Handle = Callable[[IncomingMessage, asyncio.Event], Awaitable[bool]]
"""handle(message, released): whether what came of the message is stored, so that it may be acknowledged. Once
`released` is set, nothing is begun or waited for any more."""


class KeyedHandler(Protocol):
    """What takes messages; those of one lane one after another."""

    def lane_of(self, message: IncomingMessage) -> str: ...

    async def handle(self, message: IncomingMessage, released: asyncio.Event) -> bool: ...


class DeadLetterWriter(Protocol):
    """Where dead letters go."""

    @property
    def policy(self) -> Policy: ...

    async def write(self, message: IncomingMessage, notice: DeadLetterNotice) -> None:
        """Returns once the broker has it for good. Raises DependencyUnavailable."""

    async def close(self) -> None: ...


class MessageSource(Protocol):
    """A consumer of a topic or queue."""

    @property
    def trouble(self) -> str | None: ...

    @property
    def lag(self) -> int | None: ...

    async def run(self, stop: asyncio.Event) -> None: ...

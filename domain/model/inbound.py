"""What a context takes from other systems: messages in their words, and the commands that each becomes.

A message is a promise of theirs, so its type has a version, and fields that we do not know are passed over. The mapping
is pure: the same message gives the same commands, in whichever process and however often it is made.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class MappedCommand(Struct, frozen=True):
    """A command for the aggregate `aggregate_id` of the kind `category`.

    `otherwise` has, by the code of a refusal, the commands that are sent in its place; any other refusal is one of the
    whole message.
    """

    category: str
    aggregate_id: str
    command: Struct
    otherwise: Mapping[str, tuple["MappedCommand", ...]] = {}


Map = Callable[[Any], tuple[MappedCommand, ...]]
"""map(message) -> commands, in the order in which they are carried out; pure."""


class InboundMessage(Struct, frozen=True):
    """A message in one version: its name within the system (small letters, with hyphens), its schema, its commands."""

    name: str
    version: int
    struct: type[Struct]
    commands: Map
    example: Struct


class InboundContract(Struct, frozen=True):
    """All that is taken from one `system`, such as a warehouse.

    Raises ValueError, naming what is wrong, when a message's name, version or example can't be.
    """

    system: str
    messages: tuple[InboundMessage, ...]

    def __post_init__(self) -> None:
        names = [(one.name, one.version) for one in self.messages]
        for name, version in [*names, (self.system, 1)]:
            if not _NAME.fullmatch(name) or version < 1:
                raise ValueError(f"{self.system}: {name!r}, version {version}, is no name of a message")
        if len(set(names)) < len(names):
            raise ValueError(f"{self.system}: two messages have the same name and version")
        for one in self.messages:
            if type(one.example) is not one.struct:
                raise ValueError(f"{self.system}: the example of {one.name}, version {one.version}, is none of it")

    def type_of(self, message: InboundMessage) -> str:
        """The type by which it comes, such as `warehouse.stock-delivered.v1`."""
        return f"{self.system}.{message.name}.v{message.version}"


def every_command(commands: tuple[MappedCommand, ...]) -> list[MappedCommand]:
    """The commands, with those that may take their place."""
    found: list[MappedCommand] = []
    for one in commands:
        found.append(one)
        for others in one.otherwise.values():
            found += every_command(others)
    return found

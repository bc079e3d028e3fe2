"""What a context publishes to others: integration events of its own schema, made from its domain events.

Domain events may change with the rules; an integration event is a promise to people who are not asked. So it says what
others need and no more, nothing personal (what has gone out can't be called back), and has versions of its own: a new
version is made beside the old one from the same domain event, until nobody needs the old one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

Make = Callable[[Any], Struct]
"""make(domain event) -> integration event; pure."""


class IntegrationEvent(Struct, frozen=True):
    """A published event: its name within the context (in small letters, with hyphens), its version and its schema."""

    name: str
    version: int
    struct: type[Struct]


class Publication(Struct, frozen=True):
    """All that a context publishes.

    `mapping` says of each domain event what is made from it. `subject` names the aggregate of a domain event: what
    concerns one subject stays in order. `examples` has a domain event of each type in `mapping`.

    Raises ValueError, naming what is wrong, when these do not fit together.
    """

    context: str
    events: tuple[IntegrationEvent, ...]
    mapping: Mapping[type[Struct], tuple[Make, ...]]
    subject: Callable[[Any], str]
    examples: tuple[Struct, ...]

    def __post_init__(self) -> None:
        names = [(event.name, event.version) for event in self.events]
        for name, version in names:
            if not _NAME.fullmatch(name) or version < 1:
                raise ValueError(f"{self.context}: {name!r}, version {version}, is no name of an integration event")
        if len(set(names)) < len(names) or len({event.struct for event in self.events}) < len(self.events):
            raise ValueError(f"{self.context}: two integration events have the same name and version, or Struct")
        without = set(self.mapping) - {type(example) for example in self.examples}
        if without:
            raise ValueError(f"{self.context}: there is no example of {min(one.__name__ for one in without)}")
        made = {event.struct for example in self.examples for event, _ in self.publish(example)}
        unmade = [event.name for event in self.events if event.struct not in made]
        if unmade:
            raise ValueError(f"{self.context}: {unmade[0]} is made from nothing")

    def publish(self, event: Struct) -> Iterator[tuple[IntegrationEvent, Struct]]:
        """What is published of a domain event, in the order of `mapping`; nothing of one that is not in it.

        Raises ValueError when what is made is none of `events`.
        """
        for make in self.mapping.get(type(event), ()):
            made = make(event)
            for kind in self.events:
                if kind.struct is type(made):
                    yield kind, made
                    break
            else:
                raise ValueError(f"{self.context}: {type(made).__name__} is none of its integration events")

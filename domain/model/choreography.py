"""A choreography: what follows from what where nobody coordinates, so that the chain of one instance can be read from
its events alone.

It says nothing to anybody who takes part: the reactions are carried out by consumers that know one event each. It is
the map by which people follow what those have done.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent


def any_pair(_cause: Any, _effect: Any) -> bool:
    """Where the types say it already."""
    return True


def any_cause(_cause: Any) -> bool:
    """Where it follows from every event of its type."""
    return True


class Reaction(Struct, frozen=True):
    """From an event of the type `after` one of the types `then` follows, brought about by `by`: a consumer, or people.

    `awaited` says in words what is awaited until then; without it the reaction may fail to come. It is awaited no more
    once an event of `unless` stands anywhere in the chain, and only after events that it `applies` to.
    `pairs(cause, effect)` tells events of the right types apart. `until` names the field of the cause that says how
    long there is for it.
    """

    after: type[Struct]
    then: tuple[type[Struct], ...]
    by: str
    awaited: str = ""
    unless: tuple[type[Struct], ...] = ()
    applies: Callable[[Any], bool] = any_cause
    pairs: Callable[[Any, Any], bool] = any_pair
    until: str = ""


class Choreography(Struct, frozen=True):
    """The chains of one kind. An instance has an id, from which the names of its streams follow: those of the
    `categories` with that id. `belongs` says which of their events are part of the chain, and one of `begins_with` is
    in every chain. Of the events the fields `shown` are told, none of which is personal.

    What services take as a step of the chain has `correlation(id)` as its correlation id.
    """

    name: str
    categories: tuple[str, ...]
    belongs: Callable[[Any], bool]
    begins_with: tuple[type[Struct], ...]
    reactions: tuple[Reaction, ...]
    correlation: Callable[[str], str]
    shown: tuple[str, ...] = ()

    def streams(self, instance: str) -> list[str]:
        """Those in which all of its events stand."""
        return [f"{category}-{instance}" for category in self.categories]


class Awaited(Struct, frozen=True):
    """What is to come after the event at the index `after` of the chain. `until` is the last moment for it, if any."""

    what: str
    by: str
    after: int
    until: datetime | None = None


class Chain(Struct, frozen=True):
    """The events of an instance as they came; `causes` has the index of each one's cause, None where no event of the
    chain is."""

    causes: Sequence[int | None]
    awaited: Sequence[Awaited]


def chain_of(choreography: Choreography, events: Sequence[RecordedEvent[Any] | None]) -> Chain:
    """How these events follow from one another, and what is to come. They are in the order of the log; None stands for
    one that can't be read, of which nothing is known to follow."""
    known = {index: one.event for index, one in enumerate(events) if one is not None}
    causes = [_cause(choreography, known, index) for index in range(len(events))]
    awaited = [
        Awaited(reaction.awaited, reaction.by, index, getattr(event, reaction.until) if reaction.until else None)
        for index, event in known.items()
        for reaction in choreography.reactions
        if reaction.awaited
        and type(event) is reaction.after
        and reaction.applies(event)
        and not _is_over(reaction, known, index)
    ]
    return Chain(causes, awaited)


def _cause(choreography: Choreography, known: Mapping[int, Any], index: int) -> int | None:
    """The nearest event before it that it can follow from."""
    effect = known.get(index)
    for earlier in reversed([one for one in known if one < index]):
        cause = known[earlier]
        for reaction in choreography.reactions:
            if type(cause) is reaction.after and type(effect) in reaction.then and reaction.pairs(cause, effect):
                return earlier
    return None


def _is_over(reaction: Reaction, known: Mapping[int, Any], index: int) -> bool:
    """Whether it has come, or will not."""
    cause = known[index]
    return any(
        type(event) in reaction.unless
        or (later > index and type(event) in reaction.then and reaction.pairs(cause, event))
        for later, event in known.items()
    )

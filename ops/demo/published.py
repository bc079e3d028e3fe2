"""What subscribers have, beside what follows from the log alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from application import APPLICATION
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.integration.cloud_event import CloudEvent, structured
from infrastructure.integration.publisher import Publisher
from infrastructure.personal_data import personal_keys
from infrastructure.settings import Settings


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one subscriber: `expected` counts what follows from the log, `repeated` what came again. `problems` says in
    sentences what is lost, other than it should be, or out of order."""

    name: str
    expected: int
    repeated: int
    problems: Sequence[str]

    def __str__(self) -> str:
        verdict = "DIFFERS" if self.problems else "the same as the log says, in order by subject"
        return f"{self.name}: {self.expected:,} events, {self.repeated:,} repeated with equal ids: {verdict}"


async def published_in(settings: Settings) -> list[CloudEvent]:
    """What is published of the whole log, by the pure mapping. Raises what the log and the codec raise."""
    log, keys = EventStore.from_settings(settings), personal_keys(settings)
    codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys)
    publisher = Publisher(APPLICATION.publications)
    found: list[CloudEvent] = []
    try:
        async for stored in log.read_all(None):
            if codec.is_ours(stored) and not stored.is_of_the_store:
                decode = await codec.decoder([stored])
                found += publisher.publish(stored, decode(stored))
    finally:
        await keys.close()
        await log.close()
    return found


def compare(name: str, expected: Sequence[CloudEvent], taken: Iterable[CloudEvent]) -> Comparison:
    """What a subscriber has when it drops what it has seen already."""
    everything = list(taken)
    first: dict[str, CloudEvent] = {}
    changed = [one.id for one in everything if structured(first.setdefault(one.id, one)) != structured(one)]
    problems = [f"{name}: event {one} came again with other content" for one in changed]
    wanted = {one.id: one for one in expected}
    problems += [f"{name}: {one.type} of {one.subject} is lost" for key, one in wanted.items() if key not in first]
    problems += [
        f"{name}: {one.type} of {one.subject} is not in the log" for k, one in first.items() if k not in wanted
    ]
    problems += [
        f"{name}: {one.type} of {one.subject} is not what the log says"
        for key, one in first.items()
        if key in wanted and structured(wanted[key]) != structured(one)
    ]
    got, order = _by_subject(first.values()), _by_subject(expected)
    problems += [
        f"{name}: the events of {subject} are out of order"
        for subject, ids in got.items()
        if [one for one in order.get(subject, []) if one in first] != [one for one in ids if one in wanted]
    ]
    return Comparison(name, len(expected), len(everything) - len(first), problems)


def _by_subject(events: Iterable[CloudEvent]) -> dict[str, list[str]]:
    """The ids of each subject's events, in order; a subject is a source's own."""
    found: dict[str, list[str]] = {}
    for one in events:
        found.setdefault(f"{one.source} {one.subject}", []).append(one.id)
    return found

"""What a process tells the others with every heartbeat."""

from msgspec import Struct

MEMBERS = "consumer_members"


class PauseAck(Struct, frozen=True):
    """This process does not write the target during the pause with that `number`."""

    target: str
    number: int


class PartitionReport(Struct, frozen=True, omit_defaults=True):
    """The state of one of its partitions (by key). `state` is starting, catching_up, live, waiting, stopped, other_log,
    paused (until a switch) or paused_by_operator."""

    partition: str
    state: str
    rate: float | None = None
    trouble: str | None = None


class Member(Struct, frozen=True):
    """One process. `name` outlives it: a newer process of the same name and `service` (which says what it is) takes the
    older one's place at once.

    `abilities` says which versions of which consumers it can run. Times are in epoch
    milliseconds, by its own clock, and only for people: whether it is alive is told from the beats that others see.
    """

    instance: str
    name: str
    service: str
    started_at: int
    beat_at: int
    abilities: list[str]
    pause_acks: list[PauseAck]
    partitions: list[PartitionReport]

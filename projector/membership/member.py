"""What a projector process tells the others, with every heartbeat."""

from msgspec import Struct

MEMBERS = "projector_members"


class Hold(Struct, frozen=True):
    """This process keeps still with a build, as the view's record asks: `number` is that of the request."""

    collection: str
    number: int


class ShardReport(Struct, frozen=True, omit_defaults=True):
    """How one of its shards (by key) does. `state` is starting, catching_up, live, waiting, stopped or held."""

    shard: str
    state: str
    rate: float | None = None
    trouble: str | None = None


class Member(Struct, frozen=True):
    """One process. `name` outlives it: a newer process of the same name takes the older one's place at once.

    `can` lists the versions of views that it knows how to fold. Times are in epoch milliseconds, by its own clock,
    and only for people: whether it is alive is told from the beats that others see.
    """

    instance: str
    name: str
    started_at: int
    beat_at: int
    can: list[str]
    holds: list[Hold]
    shards: list[ShardReport]

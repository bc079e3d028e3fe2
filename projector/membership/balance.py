"""Who is to fold what: pure, so that every process comes to the same answer from the same facts."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from projector.builds.shards import Shard


def balanced(
    shards: Sequence[Shard], abilities: Mapping[str, Collection[str]], owners: Mapping[str, str]
) -> dict[str, str]:
    """Shard key -> the process that is to fold it, for every shard that some process can.

    `abilities` says what each living process can fold, `owners` who has which shard now (by key). Each stays where it
    is unless its process has died, or has two more than another that could take it.
    """
    able = {shard.key: sorted(one for one in abilities if shard.ability in abilities[one]) for shard in shards}
    plan = {key: owners[key] for key, can in able.items() if owners.get(key) in can}
    load = Counter(plan.values())
    for shard in shards:
        if shard.key not in plan and able[shard.key]:
            plan[shard.key] = min(able[shard.key], key=lambda one: (load[one], one))
            load[plan[shard.key]] += 1
    for _ in range(len(plan)):
        if not _move_one(shards, able, plan, load):
            break
    return plan


def _move_one(
    shards: Sequence[Shard], able: Mapping[str, Sequence[str]], plan: dict[str, str], load: Counter[str]
) -> bool:
    """Moves one shard from a process to one that has at least two fewer; whether there was any."""
    best: tuple[int, str, str] | None = None
    for shard in shards:
        if shard.key not in plan:
            continue
        target = min(able[shard.key], key=lambda one: (load[one], one))
        surplus = load[plan[shard.key]] - load[target]
        if surplus >= 2 and (best is None or surplus > best[0]):
            best = (surplus, shard.key, target)
    if best is None:
        return False
    _, key, target = best
    load[plan[key]] -= 1
    load[target] += 1
    plan[key] = target
    return True

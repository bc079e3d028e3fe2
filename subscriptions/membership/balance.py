"""Which process gets which partition: pure, so that every process comes to the same plan from the same input."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from infrastructure.checkpoints import PartitionRef


def balanced(
    refs: Sequence[PartitionRef], abilities: Mapping[str, Collection[str]], owners: Mapping[str, str]
) -> dict[str, str]:
    """Partition key -> the process that is to work on it, for every partition that some process can.

    `abilities` says what each living process can run, `owners` who has which partition now (by key). Each stays
    where it is unless its process has died, or has two more than another that could take it.
    """
    able = {ref.key: sorted(one for one in abilities if ref.target.ability in abilities[one]) for ref in refs}
    plan = {key: owners[key] for key, can in able.items() if owners.get(key) in can}
    load = Counter(plan.values())
    for ref in refs:
        if ref.key not in plan and able[ref.key]:
            plan[ref.key] = min(able[ref.key], key=lambda one: (load[one], one))
            load[plan[ref.key]] += 1
    for _ in range(len(plan)):
        if not _move_one(refs, able, plan, load):
            break
    return plan


def _move_one(
    refs: Sequence[PartitionRef], able: Mapping[str, Sequence[str]], plan: dict[str, str], load: Counter[str]
) -> bool:
    """Moves one partition from a process to one that has at least two fewer; whether there was any."""
    best: tuple[int, str, str] | None = None
    for ref in refs:
        if ref.key not in plan:
            continue
        target = min(able[ref.key], key=lambda one: (load[one], one))
        surplus = load[plan[ref.key]] - load[target]
        if surplus >= 2 and (best is None or surplus > best[0]):
            best = (surplus, ref.key, target)
    if best is None:
        return False
    _, key, target = best
    load[plan[key]] -= 1
    load[target] += 1
    plan[key] = target
    return True

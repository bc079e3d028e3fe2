"""The same work on two servers in turns, so that other load on the machine affects both alike."""

import statistics
from collections.abc import Awaitable, Callable

from benchmarks.servers import Server

Measure = Callable[[Server], Awaitable[float]]


async def compare(
    name: str, measure: Measure, count: int, ours: Server, ceiling: Server, *, unit: str, of_ceiling: str, rounds: int
) -> float:
    """
    Prints the median rate of both, the median of the ratios within each round, and the servers' CPU time for one of
    the `count` things done in a round. Returns our rate.
    """
    rates, ceilings = [], []
    cpu, ceiling_cpu = 0.0, 0.0
    for round_number in range(rounds + 1):
        before, ceiling_before = ours.cpu_seconds(), ceiling.cpu_seconds()
        theirs = await measure(ceiling)
        rate = await measure(ours)
        if round_number > 0:  # the first round warms up
            ceilings.append(theirs)
            rates.append(rate)
            cpu += ours.cpu_seconds() - before
            ceiling_cpu += ceiling.cpu_seconds() - ceiling_before
    ratio = statistics.median(a / b for a, b in zip(rates, ceilings, strict=True))
    print(
        f"{name:<40}{statistics.median(rates):>6.0f} {unit}, {statistics.median(ceilings):>6.0f} {of_ceiling}, "
        f"ratio {ratio:.2f} (CPU {_each(cpu, count * rounds)} and {_each(ceiling_cpu, count * rounds)} us each)"
    )
    return statistics.median(rates)


def _each(seconds: float, count: int) -> str:
    return f"{seconds / count * 1e6:.0f}"

"""The parts of a view's status in words."""

from collections.abc import Sequence

from ops.views.answers import Partition, Rebuild, View
from ops.words import UNKNOWN, duration, number, percent

KINDS = {"rebuild": "rebuild", "new_version": "new version", "switch_back": "switch-back"}
_NOBODY = "nobody"


def lag(view: View) -> str:
    """Events (~ when estimated) and seconds behind, whichever is known; a distance of positions tells nobody much."""
    about = "~" if view.lag_exact is False else ""
    parts = [] if view.lag_events is None else [f"{about}{view.lag_events:,} events"]
    parts += [] if view.lag_seconds is None else [f"{view.lag_seconds:.1f} s"]
    return ", ".join(parts) or UNKNOWN


def owners(partitions: Sequence[Partition] | None, *, short: bool = False) -> str:
    """How many partitions there are, and who owns which; in short, how many nobody owns."""
    if not partitions:
        return UNKNOWN
    if short:
        unowned = sum(one.owner is None for one in partitions)
        return str(len(partitions)) + (f", {unowned} unowned" if unowned else "")
    owned: dict[str, list[str]] = {}
    for one in partitions:
        owned.setdefault(one.owner or _NOBODY, []).append(UNKNOWN if one.partition is None else str(one.partition))
    if len(owned) == 1:
        return f"{len(partitions)}: {next(iter(owned))}"
    return f"{len(partitions)}: " + "; ".join(f"{owner} {', '.join(numbers)}" for owner, numbers in owned.items())


def under_way(rebuild: Rebuild | None) -> str:
    """What is being built, in short; empty when nothing is."""
    if rebuild is None:
        return ""
    what = KINDS.get(rebuild.kind, rebuild.kind)
    if rebuild.state == "stopped":
        return f"{what} stopped"
    if rebuild.state == "holding":
        return f"{what} switching"
    left = "" if rebuild.seconds_left is None else f", {duration(rebuild.seconds_left)} left"
    return f"{what} {percent(rebuild.fraction)}{left}"


def pace(rebuild: Rebuild) -> str:
    """Where a build stands: share of the log, events, events a second, time left."""
    parts = [f"{percent(rebuild.fraction)} of the log", f"{number(rebuild.events)} events"]
    if rebuild.events_per_second is not None:
        parts.append(f"{number(rebuild.events_per_second)} events/s")
    if rebuild.seconds_left is not None:
        parts.append(f"{duration(rebuild.seconds_left)} left")
    if rebuild.state == "holding":
        parts.append("switching")
    return ", ".join(parts)

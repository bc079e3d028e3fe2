"""What is wrong with what was seen: pure, one function a subject."""

from collections.abc import Iterator

from event_relay.destinations import CONSUMER_PREFIX
from ops.doctor.facts import Facts, TargetFacts
from ops.doctor.findings import Cancel, Finding, Forget, Kind, Rebuild, RemoveRequest, RemoveTarget, Retry

STUCK_AFTER = 10.0
"""How old, in seconds, an event must be that is not taken, before whatever should take it counts as stuck."""

REQUEST_TIMEOUT = 150_000
"""Milliseconds after which nobody waits for a replay any more: longer than any command does."""

APPLY = "eventfold doctor --apply"


def diagnose(facts: Facts) -> list[Finding]:
    """Everything that is wrong, what endangers most first."""
    return [
        *(finding for target in facts.targets for finding in _target(facts, target)),
        *_unbuilt(facts),
        *_orphans(facts),
        *_unknown(facts),
        *_requests(facts),
        *_instances(facts),
        *_set_aside(facts),
    ]


def _target(facts: Facts, target: TargetFacts) -> Iterator[Finding]:
    if target.other_log is not None:
        yield _other_log(target)
        return
    stopped = next((one.trouble for one in target.reports if one.state == "stopped"), None)
    if stopped is not None:
        yield _stopped(target, stopped)
    elif not target.able:
        yield from _nobody_able(facts, target)
    elif target.dead_owners:
        yield Finding(
            "stuck",
            _subject(target),
            f"{', '.join(target.dead_owners)} has the lease and shows no heartbeat, and nobody takes it over",
            f"restart a process that runs it: {_runs(target)}",
        )
    elif not target.owned:
        yield Finding(
            "stuck", _subject(target), "a partition of it belongs to nobody", f"start a process more: {_runs(target)}"
        )
    elif _stands_still(target) and not _is_paused(target):
        yield _behind(target)
    if target.parked and target.role != "previous":
        yield _parked(target)


def _other_log(target: TargetFacts) -> Finding:
    name = target.target.consumer
    if target.role == "consumer":
        return Finding("other_log", _subject(target), str(target.other_log), f"eventfold consumers reset {name}")
    if target.role == "previous":
        mend = f"eventfold views drop-previous {name}"
        return Finding("other_log", _subject(target), str(target.other_log), mend)
    return Finding(
        "other_log", _subject(target), str(target.other_log), f"eventfold views rebuild {name}", Rebuild(name)
    )


def _stopped(target: TargetFacts, trouble: str) -> Finding:
    name = target.target.consumer
    if target.role == "candidate":
        return Finding(
            "stuck", _subject(target), f"it is stopped: {trouble}", f"eventfold views cancel {name}", Cancel(name)
        )
    mend = f"mend the code; a process that starts tries again from the checkpoint: {_runs(target)}"
    return Finding("stuck", _subject(target), f"it is stopped by its own fault: {trouble}", mend)


def _nobody_able(facts: Facts, target: TargetFacts) -> Iterator[Finding]:
    if target.role == "previous":  # it is kept as it stands when no process knows its version
        return
    name, version = target.target.consumer, target.target.version
    detail = f"no living process can work on it (version {version} of {name}); it is {_lag(target)}"
    unknown = name not in facts.known.views | facts.known.consumers
    if unknown:  # reported by _unknown
        return
    if target.role == "candidate" and any(name in _names(member.abilities) for member in facts.alive.values()):
        yield Finding("stuck", _subject(target), detail, f"eventfold views cancel {name}", Cancel(name))
    else:
        kind: Kind = "behind" if target.lag.events else "stuck"
        yield Finding(kind, _subject(target), detail, f"start a process that knows it: {_runs(target)}")


def _names(abilities: list[str]) -> set[str]:
    return {ability.rpartition(":")[0] for ability in abilities}


def _stands_still(target: TargetFacts) -> bool:
    return bool(target.lag.events) and not target.advanced and target.lag.seconds > STUCK_AFTER


def _is_paused(target: TargetFacts) -> bool:
    """By an operator, who knows."""
    return any(report.state == "paused_by_operator" for report in target.reports)


def _behind(target: TargetFacts) -> Finding:
    trouble = next((one.trouble for one in target.reports if one.trouble), "no reason is told")
    detail = f"it is {_lag(target)}, and did not move while it was watched: {trouble}"
    return Finding("behind", _subject(target), detail, f"restart the process that runs it: {_runs(target)}")


def _parked(target: TargetFacts) -> Finding:
    name = target.target.consumer
    what = "1 event is" if target.parked == 1 else f"{target.parked} events are"
    where = "1 key or stream" if target.sequences == 1 else f"{target.sequences} keys or streams"
    return Finding(
        "parked",
        _subject(target),
        f"{what} parked, of {where}; the first: {target.first_error}",
        f"eventfold dead-letters retry {name}",
        Retry(name),
    )


def _unbuilt(facts: Facts) -> Iterator[Finding]:
    for name in sorted(facts.known.views - facts.views.keys()):
        yield Finding(
            "behind",
            f"view {name}",
            "it has never been built",
            "start a projector: eventfold up, or: eventfold projector",
        )
    for name in sorted(facts.known.consumers - facts.consumers.keys()):
        yield Finding(
            "behind",
            f"consumer {name}",
            "it has never run",
            f"start it: {_runs_consumer(name)}",
        )


def _orphans(facts: Facts) -> Iterator[Finding]:
    for target, collections in sorted(facts.orphans.items()):
        detail = f"nothing is known of {target}, but something of it is left in {', '.join(collections)}"
        yield Finding("orphaned", f"target {target}", detail, APPLY, RemoveTarget(target))


def _unknown(facts: Facts) -> Iterator[Finding]:
    in_use = {name for member in facts.alive.values() for name in _names(member.abilities)}
    views = [("view", name) for name in facts.views.keys() - facts.known.views - in_use]
    consumers = [("consumer", name) for name in facts.consumers.keys() - facts.known.consumers - in_use]
    for kind, name in sorted([*views, *consumers]):
        detail = (
            f"neither this code nor a living process knows the {kind}; what is stored for it is not brought up to date"
        )
        mend = f"{APPLY} --forget {name}"
        if kind == "consumer" and name.startswith(CONSUMER_PREFIX):
            mend = f"put it back into the file of destinations, or: eventfold relay remove {_destination(name)}"
        yield Finding("orphaned", f"{kind} {name}", detail, mend, Forget(name))


def _destination(consumer: str) -> str:
    return consumer.removeprefix(CONSUMER_PREFIX)


def _requests(facts: Facts) -> Iterator[Finding]:
    for request in facts.requests:
        if facts.now - request.requested_at > REQUEST_TIMEOUT:
            detail = f"a replay of dead letters of {request.consumer} was asked for and is not done"
            yield Finding("stuck", f"request {request.request}", detail, APPLY, RemoveRequest(request.request))


def _instances(facts: Facts) -> Iterator[Finding]:
    for one in facts.instances:
        subject = f"process {one.process}, {one.instance}"
        if one.overdue:
            detail = f"its timer {one.overdue} was due {(facts.now - one.due_at) // 1000} s ago and has not fired"
            yield Finding("behind", subject, detail, "start it: eventfold up, or: eventfold process-manager")
        else:
            detail = f"it waits for an operator: {', '.join(one.failed_steps)} failed"
            mend = f"eventfold sagas show {one.instance}; then eventfold sagas retry, or resolve --reason"
            yield Finding("stuck", subject, detail, mend)


def _set_aside(facts: Facts) -> Iterator[Finding]:
    for name, count in sorted(facts.set_aside.items()):
        detail = "1 message is set aside" if count == 1 else f"{count} messages are set aside"
        yield Finding("parked", f"source {name}", detail, f"eventfold inbox dead-letters retry {name}, or discard")


def _subject(target: TargetFacts) -> str:
    if target.role == "consumer":
        return f"consumer {target.target.name}"
    of = "" if target.role == "live" else f" ({target.role})"
    return f"view {target.target.consumer}, {target.target.name}{of}"


def _runs(target: TargetFacts) -> str:
    if target.role == "consumer":
        return _runs_consumer(target.target.consumer)
    return "eventfold up, or: eventfold projector"


def _runs_consumer(name: str) -> str:
    if name.startswith(CONSUMER_PREFIX):
        return "eventfold up, or: eventfold event-relay"
    return "eventfold up, or: eventfold consumers, eventfold process-manager"


def _lag(target: TargetFacts) -> str:
    if not target.lag.events:
        return "level with the log"
    return f"{'' if target.lag.exact else 'about '}{target.lag.events} events behind"

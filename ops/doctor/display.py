"""What the doctor found, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console

from ops.doctor.facts import Facts
from ops.doctor.findings import Finding
from ops.doctor.remedies import Treated
from ops.output import number, text_of


def print_findings(
    console: Console, facts: Facts | None, findings: Sequence[Finding], treated: Sequence[Treated]
) -> None:
    """What was done, what is wrong now, and what was looked at."""
    for one in treated:
        word = "mended" if one.mended else "not mended"
        console.print(f"{word}: {one.finding.subject}: {one.outcome}", markup=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{finding.kind}: {finding.subject}: {finding.detail}", style="red", markup=False, soft_wrap=True)
        console.print(f"  mend it: {finding.mend}", markup=False, soft_wrap=True)
    if facts is not None:
        console.print(_examined(facts), markup=False, soft_wrap=True)
    if not findings:
        console.print("Nothing is wrong.", style="green")


def _examined(facts: Facts) -> str:
    builds = sum(target.role != "consumer" for target in facts.targets)
    return (
        f"Looked at: the log up to {text_of(facts.end)}, {len(facts.views)} views with {builds} builds, "
        f"{len(facts.consumers)} other consumers, {len(facts.alive)} living processes, "
        f"{number(sum(target.parked for target in facts.targets))} dead letters."
    )


def as_json(facts: Facts | None, findings: Sequence[Finding], treated: Sequence[Treated]) -> str:
    """One object: whether all is well, the findings, what was done, and each target as it stands."""
    report: dict[str, Any] = {
        "ok": not findings,
        "findings": [_finding(one) for one in findings],
        "treated": [{**_finding(one.finding), "mended": one.mended, "outcome": one.outcome} for one in treated],
    }
    if facts is not None:
        report["position"] = facts.end
        report["instances"] = sorted(facts.alive)
        report["targets"] = [
            {
                "consumer": one.target.consumer,
                "target": one.target.name,
                "role": one.role,
                "position": one.position,
                "lag_events": one.lag.events,
                "lag_exact": one.lag.exact,
                "parked": one.parked,
            }
            for one in facts.targets
        ]
    return msgspec.json.encode(report).decode()


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "subject": finding.subject,
        "detail": finding.detail,
        "mend": finding.mend,
        "applies": finding.remedy is not None,
    }

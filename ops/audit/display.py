"""What `eventfold audit` prints."""

from typing import TYPE_CHECKING

from ops.output import number, plain_table, print_error

if TYPE_CHECKING:
    from rich.console import Console

    from infrastructure.evidence.document_verification import DocumentReport
    from infrastructure.evidence.findings import Finding
    from infrastructure.evidence.verification import Report

_MOST_ROWS = 20


def print_finding(console: "Console", finding: "Finding") -> None:
    """The finding in a line."""
    where = ""
    if finding.stream is not None:
        where = f" {finding.stream}, revision {finding.revision}"
        where += "" if finding.position is None else f" (position {finding.position})"
    print_error(console, f"{finding.kind}{where}: {finding.detail}")


def print_report(console: "Console", report: "Report") -> None:
    """What was looked at, what is gone, and what was found."""
    console.print(
        f"{number(report.events)} events of {number(report.streams)} streams: {number(report.linked)} with a link, "
        f"{number(report.unlinked)} without",
        markup=False,
    )
    if report.checkpoints:
        console.print(
            f"compared with {', '.join(report.checkpoints)}: {number(report.covered)} events were signed", markup=False
        )
    else:
        console.print(
            "no checkpoint: the chains alone don't tell whether somebody wrote all of them anew", markup=False
        )
    if report.gone:
        _print_gone(console, report)
    if report.finding is None:
        console.print("nothing was altered, removed, inserted or moved", markup=False)
    else:
        print_finding(console, report.finding)


def print_documents(console: "Console", report: "DocumentReport") -> None:
    """What became of the documents that events name."""
    said = f"{number(report.named)} documents are named by events: {number(report.intact)} are as they were"
    if report.forgotten:
        said += f", {number(report.forgotten)} can't be read any more, as their customers are forgotten"
    console.print(said, markup=False)
    if report.in_clear:
        console.print(
            f"{number(report.in_clear)} of them are kept in clear: `eventfold documents encrypt` encrypts them",
            markup=False,
        )
    for finding in report.findings[:_MOST_ROWS]:
        where = f"{finding.stream}, revision {finding.revision} ({finding.event_type} {finding.event_id})"
        print_error(console, f"{finding.kind} document of {where}: {finding.detail}")
    wrong = report.altered + report.missing
    if wrong > _MOST_ROWS:
        console.print(f"and {number(wrong - _MOST_ROWS)} more; --json names the first 1,000", markup=False)
    if report.unknown:
        console.print(
            f"{number(report.unknown)} documents are kept that no event names, such as {report.unknown_digests[0]}",
            markup=False,
        )


def _print_gone(console: "Console", report: "Report") -> None:
    events = sum(one.events for one in report.gone.values())
    console.print(f"{number(events)} events are gone, as the metadata of their streams allow:", markup=False)
    table = plain_table("STREAM", "EVENTS", "REVISIONS", "FIRST POSITION")
    for stream, gone in list(report.gone.items())[:_MOST_ROWS]:
        table.add_row(
            stream, number(gone.events), f"{gone.first_revision} to {gone.last_revision}", str(gone.first_position)
        )
    console.print(table)
    if len(report.gone) > _MOST_ROWS:
        console.print(f"and of {number(len(report.gone) - _MOST_ROWS)} streams more; --json names them all")

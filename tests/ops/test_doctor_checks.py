"""What the doctor makes of what it sees: a table of everything that can be wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from application import APPLICATION
from infrastructure.checkpoints import Target
from infrastructure.security.link_keys import make_link_keys
from infrastructure.settings import Settings
from infrastructure.view_registry import ViewRecord
from infrastructure.view_registry.transitions import first_record
from ops.doctor.checks import REQUEST_TIMEOUT, STUCK_AFTER, diagnose
from ops.doctor.facts import Facts, InstanceFacts, Known, TargetFacts
from ops.doctor.files import unusable_files
from ops.doctor.findings import Cancel, Finding, Forget, Rebuild, RemoveRequest, RemoveTarget, Retry
from ops.locations import own_link_keys
from subscriptions.membership.member import Member, PartitionReport
from subscriptions.operating.lag import NO_LAG, Lag
from subscriptions.replaying.requests import ReplayRequest

NOW = 1_760_000_000_000
BEHIND = Lag(500, 12, True, STUCK_AFTER + 1)


def target(role: Any = "live", **changes: Any) -> TargetFacts:
    name = (
        "relay" if role == "consumer" else {"live": "sums_v1", "candidate": "sums_v1_r2", "previous": "sums_v0"}[role]
    )
    facts = TargetFacts(
        target=Target("relay" if role == "consumer" else "sums", name, 1, 1),
        role=role,
        position=900,
        lag=NO_LAG,
        advanced=False,
        able=True,
        owned=True,
        dead_owners=[],
        reports=[PartitionReport(f"{name}:1:0", "live")],
        parked=0,
        sequences=0,
        first_error=None,
        other_log=None,
    )
    return replace(facts, **changes)


def member(*abilities: str) -> dict[str, Member]:
    return {"one-1": Member("one-1", "one", "projector", 1, 1, list(abilities), [], [])}


def facts(*targets: TargetFacts, **changes: Any) -> Facts:
    """A view `sums` and a consumer `relay` with a living process, and nothing wrong."""
    views: dict[str, ViewRecord] = {"sums": first_record("sums", 1, 1, 0)}
    usual = Facts(
        known=Known(frozenset({"sums"}), frozenset({"relay"})),
        end=900,
        views=views,
        consumers={"relay": 1},
        targets=targets or (target(), target("consumer")),
        alive=member("sums:1", "relay:1"),
        orphans={},
        requests=[],
        now=NOW,
    )
    return replace(usual, **changes)


def found(seen: Facts) -> list[tuple[str, str, str, Any]]:
    return [(one.kind, one.subject, one.mend, one.remedy) for one in diagnose(seen)]


def one(seen: Facts) -> Finding:
    (finding,) = diagnose(seen)
    return finding


@pytest.mark.parametrize(
    "well",
    [
        facts(),
        facts(target(lag=BEHIND, advanced=True)),
        facts(target(lag=Lag(500, 12, True, STUCK_AFTER - 1))),
        facts(target("candidate", lag=Lag(500_000, 9_000, False, 1e6), advanced=True)),
        facts(target("previous", able=False)),
        facts(target("previous", parked=3, sequences=1)),
        facts(requests=[ReplayRequest("r", "sums", [], [], NOW - REQUEST_TIMEOUT)]),
    ],
    ids=[
        "level",
        "behind, and moving",
        "behind for a moment",
        "a build that catches up",
        "a previous build of a version that nobody runs",
        "dead letters of a previous build, which the live one repeats",
        "a replay that somebody may wait for",
    ],
)
def test_nothing_is_wrong(well: Facts) -> None:
    assert diagnose(well) == []


PROJECTOR = "eventfold up, or: eventfold projector"
CONSUMERS = "eventfold up, or: eventfold consumers, eventfold process-manager"
LIVE, CANDIDATE, PREVIOUS, RELAY = (
    "view sums, sums_v1",
    "view sums, sums_v1_r2 (candidate)",
    "view sums, sums_v0 (previous)",
    "consumer relay",
)
NOBODY: dict[str, Any] = {"able": False, "reports": [], "owned": False}
STOPPED: dict[str, Any] = {"reports": [PartitionReport("sums_v1:1:0", "stopped", trouble="KeyError: 'x'")]}
OTHER_LOG: dict[str, Any] = {"other_log": "the log has no event e-1 at 900"}


@pytest.mark.parametrize(
    ("wrong", "kind", "subject", "mend", "remedy"),
    [
        (facts(target(lag=BEHIND)), "behind", LIVE, PROJECTOR, None),
        (facts(target("consumer", lag=BEHIND)), "behind", RELAY, CONSUMERS, None),
        (facts(target(**NOBODY), alive={}), "stuck", LIVE, PROJECTOR, None),
        (facts(target(lag=BEHIND, **NOBODY), alive={}), "behind", LIVE, PROJECTOR, None),
        (facts(target(dead_owners=["gone-7"])), "stuck", LIVE, PROJECTOR, None),
        (facts(target(owned=False)), "stuck", LIVE, PROJECTOR, None),
        (facts(target(**STOPPED)), "stuck", LIVE, PROJECTOR, None),
        (facts(target("candidate", **STOPPED)), "stuck", CANDIDATE, "eventfold views cancel sums", Cancel("sums")),
        (facts(target("candidate", **NOBODY)), "stuck", CANDIDATE, "eventfold views cancel sums", Cancel("sums")),
        (facts(target("candidate", **NOBODY), alive={}), "stuck", CANDIDATE, PROJECTOR, None),
        (facts(target(**OTHER_LOG)), "other_log", LIVE, "eventfold views rebuild sums", Rebuild("sums")),
        (facts(target(**OTHER_LOG, **NOBODY)), "other_log", LIVE, "eventfold views rebuild sums", Rebuild("sums")),
        (facts(target("previous", **OTHER_LOG)), "other_log", PREVIOUS, "eventfold views drop-previous sums", None),
        (facts(target("consumer", **OTHER_LOG)), "other_log", RELAY, "eventfold consumers reset relay", None),
        (
            facts(target(parked=3, sequences=2, first_error="no such field")),
            "parked",
            LIVE,
            "eventfold dead-letters retry sums",
            Retry("sums"),
        ),
        (
            facts(orphans={"sums_v7": ["checkpoints"]}),
            "orphaned",
            "target sums_v7",
            "eventfold doctor --apply",
            RemoveTarget("sums_v7"),
        ),
        (
            facts(target(), views={"sums": first_record("sums", 1, 1, 0), "old": first_record("old", 1, 1, 0)}),
            "orphaned",
            "view old",
            "eventfold doctor --apply --forget old",
            Forget("old"),
        ),
        (
            facts(consumers={"relay": 1, "gone": 4}),
            "orphaned",
            "consumer gone",
            "eventfold doctor --apply --forget gone",
            Forget("gone"),
        ),
        (
            facts(consumers={"relay": 1, "relay_warehouse": 1}),
            "orphaned",
            "consumer relay_warehouse",
            "eventfold relay remove warehouse",
            Forget("relay_warehouse"),
        ),
        (facts(target("consumer"), views={}), "behind", "view sums", PROJECTOR, None),
        (facts(target(), consumers={}), "behind", "consumer relay", CONSUMERS, None),
        (
            facts(requests=[ReplayRequest("r", "sums", [], [], NOW - REQUEST_TIMEOUT - 1)]),
            "stuck",
            "request r",
            "eventfold doctor --apply",
            RemoveRequest("r"),
        ),
    ],
)
def test_what_is_wrong_and_what_mends_it(wrong: Facts, kind: str, subject: str, mend: str, remedy: Any) -> None:
    finding = one(wrong)
    assert (finding.kind, finding.subject, finding.remedy) == (kind, subject, remedy)
    assert finding.mend.endswith(mend), finding.mend


def test_what_an_operator_has_paused_is_well() -> None:
    paused = [PartitionReport("relay:1:0", "paused_by_operator")]
    assert diagnose(facts(target("consumer", lag=BEHIND, reports=paused))) == []


def test_instances_that_are_stuck_or_late() -> None:
    stuck = InstanceFacts("fulfilment", "o-1", failed_steps=["release:tea", "cancel"])
    late = InstanceFacts("fulfilment", "o-2", overdue="payment", due_at=NOW - 90_000)
    first, second = diagnose(facts(instances=[stuck, late]))
    assert (first.kind, first.subject, first.remedy) == ("stuck", "process fulfilment, o-1", None)
    assert "release:tea, cancel failed" in first.detail
    assert "eventfold sagas show o-1" in first.mend
    assert (second.kind, second.remedy) == ("behind", None)
    assert "payment was due 90 s ago" in second.detail


def test_a_view_that_living_processes_know_is_not_orphaned() -> None:
    """This code may be older, or newer, than the one that runs."""
    views = {"sums": first_record("sums", 1, 1, 0), "new": first_record("new", 1, 1, 0)}
    assert diagnose(facts(target(), views=views, alive=member("sums:1", "relay:1", "new:1"))) == []


def test_the_reason_is_told() -> None:
    trouble = [PartitionReport("sums_v1:1:0", "waiting", trouble="the read store is away")]
    assert (
        "12 events behind, and did not move while it was watched: the read store is away"
        in one(facts(target(lag=BEHIND, reports=trouble))).detail
    )
    assert "gone-7 has the lease" in one(facts(target(dead_owners=["gone-7"]))).detail
    assert "KeyError: 'x'" in one(facts(target(**STOPPED))).detail
    assert one(facts(target(**OTHER_LOG))).detail == OTHER_LOG["other_log"]
    assert (
        "3 events are parked, of 2 keys or streams; the first: no such field"
        in one(facts(target(parked=3, sequences=2, first_error="no such field"))).detail
    )


def test_what_was_built_from_another_log_is_told_once() -> None:
    """Whatever else is wrong with it follows from that, or does not matter any more."""
    everything = target(parked=1, sequences=1, first_error="x", lag=BEHIND, **OTHER_LOG)
    assert [kind for kind, *_ in found(facts(everything))] == ["other_log"]


def test_messages_of_other_systems_that_are_set_aside_are_told() -> None:
    one, two = diagnose(facts(set_aside={"inbound_warehouse": 2, "inbound_crm": 1}))
    assert (one.kind, one.subject, one.detail) == ("parked", "source inbound_crm", "1 message is set aside")
    assert two.mend == "eventfold inbox dead-letters retry inbound_warehouse, or discard"
    assert one.remedy is None


@pytest.mark.parametrize(
    ("link_keys", "sources", "subjects"),
    [
        (None, None, []),
        ("{}", None, ["keys of signing links"]),
        (None, "sources = 5", ["sources of messages"]),
        ("", "", ["keys of signing links", "sources of messages"]),
    ],
)
def test_files_that_can_not_be_used_are_told(
    tmp_path: Path, link_keys: str | None, sources: str | None, subjects: list[str]
) -> None:
    given = {}
    for name, content in (("document_link_key_file", link_keys), ("inbound_sources", sources)):
        if content is not None:
            (tmp_path / name).write_text(content)
            given[name] = str(tmp_path / name)
    found = list(unusable_files(APPLICATION, tmp_path, Settings.of(**given)))
    assert [(one.kind, one.subject) for one in found] == [("unusable", subject) for subject in subjects]
    assert all(str(tmp_path) in one.detail for one in found)


def test_the_keys_that_up_has_made_are_looked_at(tmp_path: Path) -> None:
    make_link_keys(own_link_keys(tmp_path))
    assert list(unusable_files(APPLICATION, tmp_path, Settings.of())) == []
    own_link_keys(tmp_path).write_text("broken")
    assert len(list(unusable_files(APPLICATION, tmp_path, Settings.of()))) == 1

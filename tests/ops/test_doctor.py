"""`eventfold doctor` over a real node, a real read store and real projectors, some of them killed."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

import application
from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import NO_STREAM, NewEvent
from infrastructure.read_store import Write
from infrastructure.view_registry import transitions
from ops.cli import main
from projector.folding.undo import COLLECTION as UNDO
from projector.folding.undo import UndoRecord
from subscriptions.membership.leases import LEASES
from subscriptions.replaying.requests import REQUESTS, ReplayRequest, ReplayRequests
from tests.projector.fleet import Fleet, fleet_over
from tests.support.bundled import CODEC
from tests.support.order_logs import created
from tests.support.ordering import ORDERING, VIEWS
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import node_uri, start_node, until


class Report:
    """What one run of the doctor printed, and its exit status."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        self.json: Any = json.loads(text) if text.startswith("{") else None

    @property
    def found(self) -> list[tuple[str, str]]:
        return [(one["kind"], one["subject"]) for one in self.json["findings"]]


class Patient:
    """A fleet of projectors, and what the doctor says of it."""

    def __init__(self, fleet: Fleet, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.fleet = fleet
        self._folder = folder
        self._capsys = capsys

    async def doctor(self, *arguments: str, json: bool = True) -> Report:
        """Runs the command."""
        projector = next(iter(self.fleet.projectors.values()), None)
        where = [] if projector is None else ["--projector", projector.url]
        given = ["doctor", "--data-dir", str(self._folder), *where, *(["--json"] if json else []), *arguments]
        self._capsys.readouterr()
        status = await asyncio.to_thread(main, given)
        printed = self._capsys.readouterr()
        return Report(status, printed.out or printed.err)

    async def place(self, *orders: str) -> None:
        for order in orders:
            event = created(order, "ada", 100)
            await self.append(f"order-{order}", CODEC.encode(event, EventMetadata(), str(uuid.uuid4())))

    async def append(self, stream: str, event: NewEvent) -> None:
        await self.fleet.log.append(stream, NO_STREAM, [event])


@pytest_asyncio.fixture
async def patient(
    tmp_path: Path,
    read_store_database: ReadStoreDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[Patient]:
    node = await start_node(tmp_path)
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_URI", node_uri(node.port))
    monkeypatch.setenv("EVENTFOLD_MONGO_URI", read_store_database.uri)
    monkeypatch.setenv("EVENTFOLD_MONGO_DATABASE", read_store_database.name)
    monkeypatch.setenv("EVENTFOLD_CONSUMER_LEASE", "1")
    # Only projectors run here; what else there is would be found to be behind.
    monkeypatch.setattr(application, "APPLICATION", ORDERING)
    try:
        async with fleet_over(tmp_path, node, read_store_database) as fleet:
            yield Patient(fleet, tmp_path, capsys)
    finally:
        await node.kill()


async def test_a_projector_that_never_ran_and_one_that_was_killed(patient: Patient) -> None:
    await patient.place("a1")
    report = await patient.doctor()
    assert report.status == 1
    assert report.found == [("behind", f"view {name}") for name in sorted(view.name for view in VIEWS)]

    await patient.fleet.start("a")
    await patient.fleet.drained()
    report = await patient.doctor(json=False)
    assert (report.status, report.text.splitlines()[-1]) == (0, "Nothing is wrong."), report.text

    await patient.fleet.kill("a")
    await patient.place("a2")
    report = await patient.doctor()
    assert report.status == 1
    live = [f"view {view.name}, {view.collection}" for view in VIEWS]
    assert sorted(report.found) == sorted(("behind", one) for one in live)
    assert all("1 events behind" in one["detail"] for one in report.json["findings"])
    assert all("eventfold projector" in one["mend"] for one in report.json["findings"])

    await patient.fleet.start("a")
    await patient.fleet.drained()
    assert (await patient.doctor()).status == 0


async def test_what_no_record_names_is_removed_by_apply_alone(patient: Patient) -> None:
    fleet = patient.fleet
    await fleet.start("a")
    await patient.place("a1")
    await fleet.drained()
    gone = {"consumer": "customer_summary", "target": "customer_summary_v7"}
    await fleet.store.write(CHECKPOINTS, [Write("customer_summary_v7:1:0", 5, {**gone, "updated_at": 1})])
    await fleet.store.write(LEASES, [Write("customer_summary_v7:1:0", 5, {**gone, "owner": "x", "taken_at": 1})])
    undo = UndoRecord("customer_summary_v7", "ada", 5, -1, "{}")
    await fleet.store.write(UNDO, [Write("customer_summary_v7:5:ada", 5, msgspec.to_builtins(undo))])
    await fleet.store.write("customer_summary_v1_r1", [Write("ada", 5, {"orders": 1})])  # a late writer's
    stale = ReplayRequest("r-1", "customer_summary", [], [], 1)
    await fleet.store.write(REQUESTS, [Write("r-1", 1, msgspec.to_builtins(stale))])

    report = await patient.doctor()
    assert report.status == 1
    orphans = {("orphaned", f"target customer_summary_{name}") for name in ("v7", "v1_r1")}
    # A projector withdraws an old request by itself.
    assert set(report.found) - {("stuck", "request r-1")} == orphans
    assert "checkpoints, leases, document_undo" in report.text

    report = await patient.doctor("--apply")
    assert (report.status, report.found) == (0, [])
    assert {one["subject"] for one in report.json["treated"] if one["mended"]} >= {one for _, one in orphans}
    assert await fleet.store.load(CHECKPOINTS, ["customer_summary_v7:1:0"]) == {}
    assert await fleet.store.load(UNDO, ["customer_summary_v7:5:ada"]) == {}
    assert await fleet.store.load("customer_summary_v1_r1", ["ada"]) == {}
    assert await ReplayRequests(fleet.store).open() == []
    await fleet.assert_folded()


async def test_a_view_without_code_is_forgotten_only_by_name(patient: Patient) -> None:
    fleet = patient.fleet
    await fleet.start("a")
    await patient.place("a1")
    await fleet.drained()
    await fleet.registry.save(transitions.first_record("old_sums", 1, 1, 0))
    await fleet.store.write("old_sums_v1", [Write("ada", 5, {"orders": 1})])

    assert (await patient.doctor("--apply")).found == [("orphaned", "view old_sums")]
    assert await fleet.store.load("old_sums_v1", ["ada"]), "it needs its name"
    refused = await patient.doctor("--apply", "--forget", "daily_sales", json=False)
    assert refused.status == 1
    assert "those that can be: old_sums" in refused.text

    report = await patient.doctor("--apply", "--forget", "old_sums")
    assert (report.status, report.found) == (0, [])
    assert await fleet.store.load("old_sums_v1", ["ada"]) == {}
    await fleet.assert_folded()


async def test_a_build_that_nobody_can_make_is_cancelled(patient: Patient) -> None:
    fleet = patient.fleet
    await fleet.start("a")
    await patient.place("a1")
    await fleet.drained()
    await fleet.registry.change("daily_sales", lambda record: transitions.with_candidate(record, 9, 1))
    report = await patient.doctor()
    assert report.found == [("stuck", "view daily_sales, daily_sales_v9 (candidate)")]
    assert report.json["findings"][0]["mend"] == "eventfold views cancel daily_sales"
    report = await patient.doctor("--apply")
    assert (report.status, report.found) == (0, [])
    assert (await fleet.records())["daily_sales"].candidate is None


async def test_dead_letters_are_told_and_replayed_as_far_as_it_goes(patient: Patient) -> None:
    fleet = patient.fleet
    await fleet.start("a")
    await patient.append("order-bad", NewEvent(str(uuid.uuid4()), "OrderTeleported", b"{}", b""))

    async def parked() -> bool:
        return bool((await patient.doctor()).json["targets"][0]["parked"])

    await fleet.drained()
    await until(parked, "the event is parked", 60)
    report = await patient.doctor("--apply")
    assert report.status == 1
    assert {kind for kind, _ in report.found} == {"parked"}
    assert {one["mended"] for one in report.json["treated"]} == {False}
    assert "OrderTeleported" in report.text

    for view in VIEWS:
        (position,) = (one.position for one in await fleet.events() if one.type == "OrderTeleported")
        body = {"consumer": view.name, "position": position, "reason": "a test"}
        status, answer = await fleet.request("POST", "/dead-letters/discard", body)
        assert status == 200, answer
    assert (await patient.doctor()).status == 0


async def test_a_store_that_is_away_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        away.setenv("EVENTFOLD_EVENTSTORE_URI", "esdb://127.0.0.1:9?Tls=false")
        report = await patient.doctor()
        assert (report.status, report.found) == (1, [("unreachable", "event store")])
    monkeypatch.setenv("EVENTFOLD_MONGO_URI", "mongodb://127.0.0.1:9/?directConnection=true")
    monkeypatch.setenv("EVENTFOLD_READSTORE_TIMEOUT", "0.5")
    report = await patient.doctor()
    assert (report.status, report.found) == (1, [("unreachable", "read store")])

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from rich.console import Console

from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.settings import Settings
from ops.locations import READ_STORE
from ops.status.display import print_status
from ops.status.inspection import ServiceStatus, StackStatus, inspect
from tests.support.read_store import ReadStoreServer

READY = ServiceStatus("projector", "http://127.0.0.1:8003", True, "", 4711, 1)


def printed(projector: dict[str, Any] | None, *services: ServiceStatus) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        print_status(console, StackStatus(list(services), projector))
    return captured.get()


def test_views_with_lag_and_parked_events() -> None:
    view = {
        "name": "order_details",
        "version": 1,
        "position": 900,
        "lag_events": 1200,
        "lag_seconds": 0.25,
        "parked": 2,
        "state": "stopped",
        "trouble": "the disk is full",
    }
    text = printed({"event_store": {"position": 2100}, "views": [view]}, READY)
    assert "last position is 2100" in text
    assert "1,200 events, 0.2 s" in text
    *_, row, trouble = text.splitlines()
    assert row.split()[-1] == "2"
    assert trouble == "order_details: the disk is full"
    assert "4711" in text


def test_fields_that_the_projector_does_not_tell() -> None:
    text = printed({"views": [{"name": "daily_sales", "unheard_of": {}}]}, READY)
    assert "last position is -" in text
    assert "daily_sales" in text


def test_a_service_that_is_not_ready() -> None:
    down = ServiceStatus("query-api", "http://127.0.0.1:8002", False, "503: read store away", None, 0)
    text = printed(None, down)
    assert "not ready" in text
    assert "query-api: 503: read store away" in text
    assert "does not tell" in text


def test_consumers_that_are_no_views() -> None:
    relay = {
        "name": "event_relay",
        "position": 8000,
        "lag_events": 40,
        "lag_exact": False,
        "lag_seconds": 1.5,
        "parked": 2,
        "events_per_second": 1204.4,
        "state": "waiting",
        "trouble": "the broker is [away]",
        "partitions": [{"partition": 0, "owner": "relay-1"}, {"partition": 1}],
    }
    told = {"views": [{"name": "daily_sales", "trouble": "the disk is full"}], "consumers": [relay, {"name": "sagas"}]}
    lines = [" ".join(line.split()) for line in printed(told, READY).splitlines()]
    start = lines.index("consumer state position lag events/s parked owners")
    assert lines[start - 1] == "", "below the views"
    assert lines[start + 1 :] == [
        "event_relay waiting 8000 ~40 events, 1.5 s 1,204 2 2: relay-1 0; nobody 1",
        "sagas - - - - - -",
        "daily_sales: the disk is full",
        "event_relay: the broker is [away]",
    ]


def test_a_projector_that_knows_no_consumers_but_views() -> None:
    for told in ({"views": [{"name": "daily_sales"}]}, {"views": [{"name": "daily_sales"}], "consumers": []}):
        assert "consumer" not in printed(told, READY)


def test_instances_with_their_services() -> None:
    left = {"instance": "left-1", "service": "projector", "alive": True, "partitions": 4, "started_at": 0}
    told = {"instances": [left, {"instance": "old-2", "alive": False}], "views": []}
    lines = [" ".join(line.split()) for line in printed(told, READY).splitlines()]
    start = lines.index("service instance state partitions started")
    assert lines[start + 1 : start + 3] == ["projector left-1 alive 4 1970-01-01 00:00:00Z", "- old-2 gone - -"]


def test_a_read_store_that_is_silent_is_not_ready_although_its_port_is_open(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    read_store = ReadStoreServer(tmp_path / "store")
    read_store.start()
    assert read_store.pid is not None
    run_directory = RunDirectory(tmp_path)
    try:
        with run_directory.owned():
            entry = ServiceEntry(url=read_store.uri, state="ready")
            run_directory.write_services({READ_STORE: entry})
            assert ready(tmp_path) == {READ_STORE: ""}
            os.kill(read_store.pid, signal.SIGSTOP)
            assert "does not answer" in ready(tmp_path)[READ_STORE]
    finally:
        os.kill(read_store.pid, signal.SIGCONT)
        read_store.kill()


def ready(data_dir: Path) -> dict[str, str]:
    """What is wrong with each store of the stack."""
    nobody = Settings.of(command_api_port_number=9, projector_port_number=9, query_api_port_number=9)
    found = asyncio.run(inspect(data_dir, nobody)).services
    return {service.name: service.problem for service in found if service.url.startswith("mongodb")}

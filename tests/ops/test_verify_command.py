"""`eventfold views verify` against a real event store node and a real nx-27017, while both are written to."""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.event_codec import EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, EventStore, StoredEvent
from infrastructure.read_store import ReadStore, Write
from infrastructure.view_registry import ViewRegistry
from infrastructure.view_registry.transitions import first_record
from ops.cli import main
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY as VIEW
from tests.support.bundled import CODEC, VIEWS
from tests.support.order_logs import created
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, node_uri, start_node

CUSTOMERS = 7


class Traffic:
    """Orders placed one after another, each folded into the view at once; every tenth time the checkpoint is moved."""

    def __init__(self, log: EventStore, store: ReadStore) -> None:
        self.log = log
        self.store = store
        self.placed = 0
        self._documents: dict[str, Any] = {}
        record = first_record(VIEW.name, VIEW.version, 1, 0)
        self.record = record
        (self._checkpoint,) = record.target(record.live).keys

    async def place(self) -> None:
        number, self.placed = self.placed, self.placed + 1
        event = created(f"o{number}", f"c{number % CUSTOMERS}", 100 + number)
        stream = f"order-o{number}"
        new = CODEC.encode(event, EventMetadata(), event_id(stream, "place", "", 0))
        appended = await self.log.append(stream, NO_STREAM, [new])
        stored = StoredEvent(new.id, new.type, stream, 0, appended.position, 0, new.data, new.metadata)
        key = event.customer_id
        self._documents[key] = VIEW.fold(self._documents.get(key), CODEC.decode(stored))
        fields = msgspec.to_builtins(self._documents[key])
        await self.store.write(VIEW.collection, [Write(key, appended.position, fields)])
        if number % 10 == 9:
            await self.store.write(CHECKPOINTS, [Write(self._checkpoint, appended.position, {"consumer": VIEW.name})])

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Orders come in all through the block."""

        async def go_on() -> None:
            while True:
                await self.place()

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def traffic(
    tmp_path: Path, read_store_database: ReadStoreDatabase, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Traffic]:
    node = await start_node(tmp_path)
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_URI", node_uri(node.port))
    monkeypatch.setenv("EVENTFOLD_MONGO_URI", read_store_database.uri)
    monkeypatch.setenv("EVENTFOLD_MONGO_DATABASE", read_store_database.name)
    monkeypatch.setattr("ops.views.verification.verifier.CONFIRMATIONS", (0.0, 0.1))
    log = EventStore(node_uri(node.port))
    store = ReadStore(read_store_database.uri, read_store_database.name)
    try:
        traffic = Traffic(log, store)
        await ViewRegistry(store).save(traffic.record)
        for _ in range(100):
            await traffic.place()
        yield traffic
    finally:
        await log.close()
        await store.close()
        await node.kill()


async def verify(tmp_path: Path, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["views", "verify", *arguments, "--data-dir", str(tmp_path)])


async def test_verify(traffic: Traffic, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = traffic.placed
    async with traffic.going_on():
        assert await verify(tmp_path, VIEW.name) == 0
        assert await verify(tmp_path, VIEW.name, "--slices", "3") == 0
    assert traffic.placed > before, "the system went on"
    assert capsys.readouterr().out.count(f"customer_summary (customer_summary_v1): {CUSTOMERS} documents equal\n") == 2

    held = (await traffic.store.load(VIEW.collection, ["c3"]))["c3"]
    assert held.fields is not None
    wrong = Write("c3", held.position, {**held.fields, "orders": 4711})
    assert await traffic.store.replace_exactly(VIEW.collection, wrong, held.position)
    await traffic.store.delete(VIEW.collection, "c4")
    await traffic.store.write(VIEW.collection, [Write("c99", 1, held.fields)])
    assert await verify(tmp_path, VIEW.name) == 1
    text = capsys.readouterr().out
    for said in (
        f"{CUSTOMERS - 2} documents equal",
        "3 differ:",
        f"  c3 orders\n    expected {held.fields['orders']}\n    found    4711\n",
        "  c99 (document)\n    expected nothing\n",
        "  c4 (document)\n    expected {",
        "    found    nothing\n",
        "To make it right: eventfold views rebuild customer_summary",
    ):
        assert said in text
    assert await verify(tmp_path, VIEW.name, "--json") == 1
    (result,) = json.loads(capsys.readouterr().out)
    assert result["equal"] == CUSTOMERS - 2
    assert {one["key"] for one in result["differences"]} == {"c3", "c4", "c99"}


async def test_a_view_that_is_not_projected(
    traffic: Traffic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await verify(tmp_path, "--all") == 1
    assert (
        "order_details can't be verified: it has never been projected into this read store" in capsys.readouterr().err
    )


def test_names_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["no_such_view"], [], ["daily_sales", "--all"]):
        assert main(["views", "verify", *arguments, "--data-dir", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert f"the views are: {', '.join(view.name for view in VIEWS)}" in text
    assert text.count("say --all") == 2


def test_a_store_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVENTFOLD_MONGO_URI", "mongodb://127.0.0.1:9/?directConnection=true")
    monkeypatch.setenv("EVENTFOLD_READSTORE_TIMEOUT", "0.2")
    assert main(["views", "verify", "daily_sales", "--data-dir", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert "the read store can't be read" in text
    assert "EVENTFOLD_MONGO_URI" in text


_STALLED = """
import time
from ops.cli import main
from ops.views.verification import verifier
from ops.views.verification.unfinished import UnfinishedDocuments

move = UnfinishedDocuments._move

def moved(self):
    move(self)
    # As many documents as SQLite does not keep in memory itself.
    self._file.execute("INSERT INTO documents VALUES (x'00', 0, zeroblob(50000000))")
    print("moved", flush=True)
    time.sleep(600)

verifier.MAX_UNFINISHED = 1
UnfinishedDocuments._move = moved
main(["views", "verify", "customer_summary"])
"""


async def test_a_kill_in_the_middle_leaves_no_file(traffic: Traffic, tmp_path: Path) -> None:
    """Documents that do not fit in memory wait in a file that has no name any more."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _STALLED),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while not (await process.stdout.readline()).startswith(b"moved"):
                pass
        if sys.platform == "linux":
            assert any(one.startswith(str(folder)) for one in _opened(process.pid)), "it is there that they wait"
    finally:
        process.kill()
        await process.wait()
    assert list(folder.iterdir()) == []


def _opened(process: int) -> list[str]:
    """The names of the files that a process has open, as Linux tells them."""
    return [os.readlink(one) for one in Path(f"/proc/{process}/fd").iterdir()]


async def test_no_room_for_the_file(
    traffic: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("ops.views.verification.verifier.MAX_UNFINISHED", 1)
    monkeypatch.setattr("ops.views.verification.unfinished.sqlite3.connect", full)
    assert await verify(tmp_path, VIEW.name) == 1
    text = capsys.readouterr().err
    assert "there is no room for temporary files: database or disk is full" in text
    assert "TMPDIR" in text

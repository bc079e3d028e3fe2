"""`eventfold audit` as its users run it, on a real node."""

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_api.aggregates import Aggregates
from command_api.headers import command_headers
from command_api.pipeline import Pipeline
from command_api.requests import command_request
from domain.ordering.aggregate import ORDER
from infrastructure.event_store import EventStore
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.verifier import Checkpoint
from infrastructure.telemetry import TraceContext
from ops.cli import main
from tests.support.bundled import CODEC
from tests.support.orders import PLACE
from tests.support.services import node_uri, start_node

(CREATES,) = [one for one in ORDER.commands if one.creates]


async def place(uri: str, *orders: str) -> None:
    store = EventStore(uri)
    pipeline = Pipeline(store, CODEC, Aggregates(store, CODEC, 10), 5)
    for order in orders:
        await pipeline.handle(
            ORDER, CREATES, command_request(CREATES, order, PLACE, command_headers([]), TraceContext())
        )
    await store.close()


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a node with three orders."""
    loop = asyncio.new_event_loop()
    node = loop.run_until_complete(start_node(tmp_path_factory.mktemp("node")))
    loop.run_until_complete(place(node_uri(node.port), "o-1", "o-2", "o-3"))
    yield node_uri(node.port)
    loop.run_until_complete(node.kill())
    loop.close()


@pytest.fixture
def folder(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; the commands find the node."""
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_URI", uri)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path / "audit"


def audit(folder: Path, *arguments: object, log: bool = True) -> int:
    data_dir = ["--data-dir", str(folder.parent / "data")] if log else []
    where = ["--dir", str(folder), *data_dir] if log or arguments[0] == "key" else []
    return main(["audit", *map(str, arguments), *where])


def test_from_the_key_to_a_proof(folder: Path, uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(folder, "key", "--name", "shop.example/orders") == 0
    assert stat.S_IMODE((folder / "signing.key").stat().st_mode) == 0o600
    key = (folder / "verifier.key").read_text().strip()
    printed = capsys.readouterr().out
    assert key in printed
    assert (folder / "signing.key").read_text().strip() not in printed
    assert audit(folder, "key", "--name", "shop.example/orders") == 1
    assert "never written over" in capsys.readouterr().err

    assert audit(folder, "checkpoint") == 0
    assert "shop.example/orders, 3 events, 3 new" in capsys.readouterr().out
    kept = folder.parent / "kept"
    kept.write_text((folder / "checkpoint").read_text())
    assert kept.read_text().startswith("shop.example/orders\n3\n")

    assert audit(folder, "verify", "--checkpoint", kept) == 0
    out = capsys.readouterr().out
    assert "3 events of 3 streams: 3 with a link, 0 without" in out
    assert "nothing was altered, removed, inserted or moved" in out
    assert audit(folder, "verify", "--stream", "order-o-2", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["finding"], report["events"], report["covered"]) == (None, 1, 3)

    asyncio.run(place(uri, "o-4"))
    proof = folder.parent / "proof.json"
    assert audit(folder, "export", "o-4", "--out", proof) == 0  # makes a checkpoint that covers it
    assert audit(folder, "export", "order/o-1") == 0
    assert json.loads(capsys.readouterr().out)["stream"] == "order-o-1"
    assert audit(folder, "check", proof, "--key", key, log=False) == 0
    assert "proven: order-o-4, revisions 0 to 0, is in the log shop.example/orders" in capsys.readouterr().out
    proof.write_text(proof.read_text().replace("customer-1", "customer-2"))
    assert audit(folder, "check", proof, "--key", folder / "verifier.key", log=False) == 1
    assert "not proven: order-o-4, revision 0: it is not what was linked" in capsys.readouterr().err
    assert audit(folder, "verify", "--checkpoint", kept) == 0


def test_a_log_that_is_not_the_one_that_was_signed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(folder, "key", "--name", "shop") == 0
    signer, other = Signer.read(folder / "signing.key"), folder.parent / "other"
    other.write_text(signer.sign(Checkpoint("shop", 2, bytes(32))))
    assert audit(folder, "verify", "--checkpoint", other) == 1
    assert "rewritten: the first 2 events are not those signed with the checkpoint" in capsys.readouterr().out
    assert audit(folder, "verify", "--checkpoint", other, "--json") == 1
    assert json.loads(capsys.readouterr().out)["finding"]["kind"] == "rewritten"
    other.write_text(Signer.new("shop").sign(Checkpoint("shop", 2, bytes(32))))
    assert audit(folder, "verify", "--checkpoint", other) == 1
    assert f"{other}: the checkpoint is not signed by shop with this key" in capsys.readouterr().err


def test_what_can_not_be_done_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object, with_: str) -> None:
        assert audit(folder, *arguments) == 1
        assert with_ in capsys.readouterr().err

    fails("checkpoint", with_="there is no signing key")
    fails("export", "o-1", with_="`eventfold audit key --name NAME` makes one")
    fails("key", "--name", "a b", with_="no name for a key")
    assert audit(folder, "key", "--name", "shop") == 0
    fails("export", "o-9", with_="there is no stream order-o-9")
    fails("export", "house/o-1", with_="there is no category 'house'")
    fails("verify", "--checkpoint", folder / "nothing", with_="can't be read")
    (folder / "signing.key").rename(folder / "away.key")
    fails("export", "o-1", with_="there is no checkpoint yet")
    (folder / "away.key").write_text("PRIVATE+KEY+shop+00000000+AAAA")
    fails("checkpoint", "--signing-key", folder / "away.key", with_="holds no signing key")
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_URI", node_uri(9))
    monkeypatch.setenv("EVENTFOLD_EVENTSTORE_RETRY_TIMEOUT", "0.1")
    fails("verify", with_="the event store can't be read")


def test_it_follows_the_log(
    folder: Path, uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert audit(folder, "key", "--name", "shop") == 0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            await place(uri, f"o-{os.getpid()}-followed")
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("ops.audit.checkpoint._pause", sleep)
    assert audit(folder, "follow", "--every", 7) == 130
    lines = [line for line in capsys.readouterr().out.splitlines() if "events" in line]
    assert [line.split(", ")[2] for line in lines[-2:]] == [lines[-2].split(", ")[2], "1 new"]
    assert slept == [7, 7, 7]

"""`eventfold documents show`, and what `eventfold sagas show` says of a contract, over the process manager's routes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from litestar import Litestar, get

from application import APPLICATION
from domain.model.access import PUBLIC
from domain.ordering.events import OrderConfirmed
from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import ANY_REVISION, NewEvent
from infrastructure.http.openapi import documented
from infrastructure.http.service import create_app
from ops import projector_client
from ops.cli import main
from process_manager.choreographies.chains import ChainReader
from process_manager.http.choreographies import choreography_routes
from tests.support.bundled import CODEC, stream_of
from tests.support.contracts import DIGEST, RENDERED, REQUESTED, SIGNED, TO_SIGN
from tests.support.decider import NOON
from tests.support.identities import OPERATOR
from tests.support.in_process import ask, open_settings
from tests.support.memory_event_store import MemoryEventStore

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

SAGA = {
    "process": "order_fulfilment",
    "instance": "o-1",
    "status": "ended",
    "outcome": "fulfilled",
    "commands": [],
    "timers": [],
    "failures": [],
    "history": [],
}


@get("/processes", **documented({}, access=PUBLIC))
async def processes() -> dict[str, Any]:
    return {"processes": [{"process": "order_fulfilment", "running": 0, "stuck": 0, "ended": 1}]}


@get("/processes/{process:str}/instances/{instance:str}", **documented({}, access=PUBLIC))
async def saga(process: str, instance: str) -> dict[str, Any]:
    return {**SAGA, "process": process, "instance": instance}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_client, "RETRY_TIMEOUT", 30.0)  # a busy machine may make an answer wait


@pytest.fixture
def log() -> MemoryEventStore:
    return MemoryEventStore()


async def eventfold(*arguments: str) -> int:
    """Runs the command; answers its exit status."""
    return await asyncio.to_thread(main, list(arguments))


def without_log(printed: str) -> str:
    """What the command has printed, without the lines of the service, which runs in this process."""
    lines = printed.splitlines(keepends=True)
    return "".join(line for line in lines if "route" not in line)


async def add(log: MemoryEventStore, *events: Any) -> None:
    for event in events:
        stream, mine = stream_of(event), event is SIGNED
        metadata = EventMetadata(
            correlation_id="by-hand" if mine else "contract-o-1", actor="ada" if mine else "contract_steps"
        )
        encode = await CODEC.encoder(stream, [event])
        await log.append(stream, ANY_REVISION, [encode(event, metadata, f"id-{len(log.log)}")])


@asynccontextmanager
async def manager(log: MemoryEventStore) -> AsyncIterator[str]:
    """The URL of a process manager over the log."""
    routes = choreography_routes(ChainReader(log, CODEC, APPLICATION.choreographies))
    app: Litestar = create_app("x", [processes, saga, *routes], {}, open_settings())

    async def answer(request: web.Request) -> web.Response:
        reply = await ask(app, OPERATOR, request.method, request.path_qs)
        return web.Response(status=reply.status, body=reply.body, content_type="application/json")

    outer = web.Application()
    outer.router.add_route("*", "/{tail:.*}", answer)
    async with TestServer(outer) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_the_chain_is_a_tree_with_what_is_awaited(
    log: MemoryEventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    await add(log, OrderConfirmed("o-1", "ada", NOON), REQUESTED, RENDERED, TO_SIGN)
    async with manager(log) as url:
        assert await eventfold("documents", "show", "o-1", "--process-manager", url) == 0
    lines = [line.rstrip() for line in without_log(capsys.readouterr().out).splitlines()]
    assert lines[0] == "contract of order o-1, correlation id contract-o-1"
    assert lines[1].startswith("└── OrderConfirmed  order-o-1 0  2023-11-14 22:13:20Z  by contract_steps")
    depth = {
        name: next(line.index(name) for line in lines if name in line)
        for name in (
            "OrderConfirmed",
            "ContractRequested",
            "ContractRendered",
            "SignatureRequested",
            "awaited: the customer's",
        )
    }
    assert list(depth.values()) == [4, 8, 12, 16, 20]
    said = "\n".join(lines)
    assert f"document_sha256 {DIGEST}" in said
    assert "awaited: the customer's signature, by the customer, until 2026-03-28 12:00:00Z" in said
    assert "awaited: the mail contract-to-sign, by notifying" in said


async def test_somebodys_own_step_is_shown_with_who_it_was_and_what_cannot_be_read_with_why(
    log: MemoryEventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    await add(log, REQUESTED, RENDERED, TO_SIGN, SIGNED)
    await log.append("contract-o-1", ANY_REVISION, [NewEvent("id-x", "ContractFramed", b"{}", b"")])
    async with manager(log) as url:
        assert await eventfold("documents", "show", "o-1", "--process-manager", url) == 0
        said = capsys.readouterr().out
        assert await eventfold("documents", "show", "o-1", "--json", "--process-manager", url) == 0
        told = json.loads(without_log(capsys.readouterr().out))
    assert "by ada  (correlation id by-hand)" in said
    assert "can't be read: " in said
    assert [one["what"] for one in told["awaited"]] == ["the mail contract-to-sign", "the digital signature"]


async def test_an_order_without_a_contract_is_told_so(
    log: MemoryEventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    async with manager(log) as url:
        assert await eventfold("documents", "show", "o-1", "--process-manager", url) == 1
        assert "no order_contract of 'o-1' has begun" in capsys.readouterr().err
        assert await eventfold("sagas", "show", "o-1", "--process-manager", url) == 0
        assert "contract of order" not in capsys.readouterr().out


async def test_a_saga_shows_the_chain_of_its_orders_contract(
    log: MemoryEventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    await add(log, REQUESTED)
    async with manager(log) as url:
        assert await eventfold("sagas", "show", "o-1", "--process-manager", url) == 0
    said = without_log(capsys.readouterr().out)
    assert said.startswith("order_fulfilment o-1: ended (fulfilled)")
    assert "contract of order o-1, correlation id contract-o-1" in said
    assert "awaited: the document, by contract_steps" in said

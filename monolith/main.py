"""Starts all services in one process: `eventfold monolith`; with options of the node, the event store too."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from embedded.event_store_node.main import START_FAILURES as NODE_FAILURES
from embedded.event_store_node.main import ConfiguredNode, configured_node
from infrastructure.application import Application
from infrastructure.http.server import run_service
from infrastructure.settings import InvalidSettings, Settings
from monolith.composition import compose
from monolith.services import STAGES, Stages
from monolith.surface import AmbiguousRoutes
from monolith.whole import Backing, Whole

SERVICE = "monolith"


def main(application: Application, node_options: Sequence[str] = (), stages: Stages = STAGES) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code.

    With `node_options`, which are those of the event store node, a node runs in this process; the services reach it as
    the settings say, as they would any other.
    """
    node = None
    if node_options:
        try:
            node = configured_node(node_options)
        except NODE_FAILURES as error:
            return _node_failed(error)
    return run_service(SERVICE, partial(_create, application, stages, _backing(node)))


def _create(application: Application, stages: Stages, backing: Backing, settings: Settings) -> Whole:
    try:
        return compose(stages, application, settings, backing)
    except AmbiguousRoutes as error:
        raise InvalidSettings(f"these services can't share one address: {error}") from None


def _backing(node: ConfiguredNode | None) -> Backing:
    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        assert node is not None
        try:
            await node.start()
        except NODE_FAILURES as error:
            _node_failed(error)
            raise
        asked = asyncio.create_task(_stop_with(node))
        try:
            yield
        finally:
            asked.cancel()
            await node.stop()

    return nothing if node is None else running


async def _stop_with(node: ConfiguredNode) -> None:
    """Once a client has asked the node to shut down, the process ends: the node is no process of its own here."""
    await node.shutdown_requested.wait()
    signal.raise_signal(signal.SIGTERM)


def _node_failed(error: Exception) -> int:
    print(f"event store node: {error}", file=sys.stderr)  # noqa: T201 - the operator's terminal
    return 1

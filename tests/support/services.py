"""Services as real processes on free ports, for tests that drive them as their users do."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from infrastructure.event_store import EventStore, EventStoreUnavailable
from infrastructure.personal_data import make_master_key
from tests.support.http_session import http_session
from tests.support.places import HERE, Place
from tests.support.ports import free_port
from tests.support.shape import Shape, chosen_shape

ROOT = Path(__file__).parents[2]
ONE_PROCESS = "tests.support.one_process"


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 30) -> None:
    """Waits until `condition` holds, asking again every few milliseconds; fails after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {seconds} s") from None


class Service:
    """A process that can be started, killed and started again on the same port.

    `root` is the tree whose code runs from the next start on, with the packages of its own environment if it has one
    (`.venv`), else with those of this one.
    """

    def __init__(
        self,
        name: str,
        port: int,
        arguments: list[str],
        environ: dict[str, str],
        log: Path,
        *,
        root: Path = ROOT,
        place: Place = HERE,
    ) -> None:
        self.name = name
        self.port = port
        self.host = place.host
        self.url = f"http://{place.host}:{port}"
        self.log = log
        self.root = root
        self._arguments = arguments
        self._place = place
        # What is not about authentication asks for no tokens.
        self._environ = {"EVENTFOLD_AUTH": "off", **os.environ, **environ}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        is_whole = ONE_PROCESS in self._arguments or "monolith" in self._arguments
        composed = [] if chosen_shape() is Shape.MANY or is_whole else [ONE_PROCESS]
        own = self.root / ".venv" / "bin" / "python"
        python = str(own) if self.root != ROOT and own.exists() else sys.executable
        command = self._place.inside([python, "-m", *composed, *self._arguments])
        environ = {**self._environ, "PYTHONPATH": str(self.root)}
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=environ, stdout=output, stderr=output, cwd=self.root
            )

    @property
    def was_started(self) -> bool:
        return self._process is not None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        assert self._process is not None
        if self.running:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and waits for the exit code."""
        assert self._process is not None
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()

    async def ended(self) -> int:
        """Waits until it ends by itself; its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def answers(self, path: str = "/health/live") -> bool:
        """Whether the HTTP service answers 200."""
        assert self.running, f"{self.name} ended: {self.log.read_text()[-2000:]}"
        try:
            async with http_session() as session, session.get(self.url + path) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


def node_uri(port: int, host: str = "127.0.0.1") -> str:
    """The connection string of a node, on this machine unless another host is given."""
    return f"esdb://{host}:{port}?Tls=false"


async def start_node(directory: Path, port: int | None = None, *, place: Place = HERE, root: Path = ROOT) -> Service:
    """An event store node over `directory`/node; ready to take events. `root` is the tree whose code it runs."""
    port = port or free_port()
    arguments = ["embedded.event_store_node", "--port", str(port), "--data-dir", str(directory / "node")]
    if place is not HERE:
        arguments += ["--host", place.host, "--insecure"]
    node = Service("node", port, arguments, {}, directory / "node.log", place=place, root=root)
    await restart_node(node)
    return node


async def restart_node(node: Service) -> None:
    """Starts the node, and waits until it answers."""
    await node.start()

    async def ready() -> bool:
        assert node.running, f"the node ended: {node.log.read_text()[-2000:]}"
        store = EventStore(node_uri(node.port, node.host), deadline=1)
        try:
            await store.ping()
        except EventStoreUnavailable:
            return False
        finally:
            await store.close()
        return True

    await until(ready, "the node answers", 60)


BUNDLED, ORDERING = "ops.cli", "tests.support.ordering"
TINY, METERED = "tests.support.tiny_service", "tests.support.metered_service"


def key_settings(directory: Path) -> dict[str, str]:
    """The environment's variables for keys of personal data in `directory`; services there share them."""
    make_master_key(directory / "master.key")
    return {
        "EVENTFOLD_KEY_STORE": f"file:{directory / 'keys.db'}",
        "EVENTFOLD_MASTER_KEY_FILE": str(directory / "master.key"),
    }


def service(name: str, directory: Path, *, domain: str = BUNDLED, **settings: str) -> Service:
    """An HTTP service (`command_api`, `query_api`, `projector`) with these EVENTFOLD_ settings, to be started; what is
    named in capitals is another variable, by its whole name.

    `domain` is the module that runs it: BUNDLED, ORDERING, TINY or METERED.
    """
    return service_of(ROOT, HERE, name, directory, domain, settings)


def service_of(
    root: Path, place: Place, name: str, directory: Path, domain: str, settings: Mapping[str, str]
) -> Service:
    """As `service`, with the code of the tree `root`, at a place."""
    port = free_port()
    environ = {key if key.isupper() else f"EVENTFOLD_{key.upper()}": value for key, value in settings.items()}
    environ[f"EVENTFOLD_{name.upper()}_PORT_NUMBER"] = str(port)
    if domain == BUNDLED:  # which has personal fields
        environ = key_settings(directory) | environ
    environ.setdefault("EVENTFOLD_HOST", place.host)
    log = directory / f"{name}-{port}.log"
    return Service(name, port, [domain, name.replace("_", "-")], environ, log, root=root, place=place)


class Within(Service):
    """A service that is a part of a process: what is done to it is done to the whole."""

    def __init__(self, whole: Service, name: str) -> None:
        self.whole = whole
        self.name, self.port, self.log = f"{name} in {whole.name}", whole.port, whole.log
        self.host = whole.host
        self.url = f"{whole.url}/-/{name}"

    async def start(self) -> None:
        await self.whole.start()

    @property
    def _process(self) -> asyncio.subprocess.Process | None:  # type: ignore[override]
        return self.whole._process


def single_process(directory: Path, parts: Sequence[str], read_store_uri: str, **settings: str) -> tuple[Service, int]:
    """These services of the bundled domain in one process with these settings, and an event store node over
    `directory`/node in it, to be started; and the port of the node."""
    node_port, port = free_port(), free_port()
    environ = {key if key.isupper() else f"EVENTFOLD_{key.upper()}": value for key, value in settings.items()}
    environ |= {
        "EVENTFOLD_MONOLITH_PORT_NUMBER": str(port),
        "EVENTFOLD_EVENTSTORE_URI": node_uri(node_port),
        "EVENTFOLD_MONGO_URI": read_store_uri,
    }
    environ = key_settings(directory) | environ
    arguments = [ONE_PROCESS, ",".join(parts), "--port", str(node_port), "--data-dir", str(directory / "node")]
    return Service("whole", port, arguments, environ, directory / "whole.log"), node_port


@asynccontextmanager
async def running(
    name: str, directory: Path, path: str = "/health/live", *, domain: str = BUNDLED, **settings: str
) -> AsyncIterator[Service]:
    """An HTTP service with these EVENTFOLD_ settings, for the block; `domain` and `settings` as for `service`."""
    started = service(name, directory, domain=domain, **settings)
    await started.start()
    try:
        await until(lambda: started.answers(path), f"{name} answers {path}", 60)
        yield started
    finally:
        await started.kill()

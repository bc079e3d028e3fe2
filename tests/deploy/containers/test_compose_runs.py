"""deploy/compose.yaml, really started: the services as containers of the image, the walk of a customer through them, a
kill, and the end. EventStoreDB and MongoDB are the stand-ins of embedded/; nothing else is changed."""

import base64
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import yaml

from deploy.image.rootfs import ID
from tests.deploy.containers.engine import Engine
from tests.deploy.containers.images import STORES, build_mailpit, build_stores
from tests.support.services import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

WALK = Path(__file__).with_name("walk.py")
ONCE = {"keys", "signer"}


def listens(port: int) -> dict[str, Any]:
    """A health check for a stand-in."""
    script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
    return {"test": ["CMD", "python", "-c", script], "interval": "5s", "timeout": "5s", "retries": 24}


NODE = "python -m embedded.event_store_node --host 0.0.0.0 --advertise-host eventstore --insecure"
READ_STORE = "python -m embedded.read_store_server --host 0.0.0.0 -p 27017 --log-file /tmp/log --pid-file /tmp/pid"
STAND_INS = {
    "eventstore": {
        "image": STORES,
        "command": [*NODE.split(), "--data-dir", "/var/lib/eventstore"],
        "healthcheck": listens(2113),
    },
    "mongodb": {
        "image": STORES,
        "command": [*READ_STORE.split(), "--data-dir", "/data/db"],
        "healthcheck": listens(27017),
        "tmpfs": ["/tmp"],  # it would take itself for the process that its old pid file names
    },
}


def mailpit() -> str | None:
    return shutil.which("mailpit") or shutil.which(str(Path.home() / "go" / "bin" / "mailpit"))


class Stack:
    """The containers that a compose file describes."""

    def __init__(self, engine: Engine, file: Path) -> None:
        self._engine = engine
        self._compose = [sys.executable, "-m", "podman_compose", "--file", str(file)]

    def compose(self, *arguments: str, check: bool = True) -> str:
        return self._engine.inside(*self._compose, *arguments, seconds=600, check=check)

    def states(self) -> dict[str, str]:
        """What podman says of each container, by its service: "healthy", or how it ended. Checks its health first,
        which systemd does on other machines."""
        listed = json.loads(self._engine.inside("podman", "ps", "--all", "--format", "json"))
        found = {}
        for one in listed:
            name, service = one["Names"][0], one["Labels"]["com.docker.compose.service"]
            if one["State"] == "exited":
                found[service] = f"exited {one['ExitCode']}"
            else:
                self._engine.inside("podman", "healthcheck", "run", name, check=False)
                told = json.loads(self._engine.inside("podman", "inspect", name))[0]["State"]
                found[service] = told["Health"]["Status"] if told.get("Health") else told["Status"]
        return found

    def logs(self, service: str) -> str:
        return self.compose("logs", service, check=False)

    def until(self, good: Callable[[dict[str, str]], bool], what: str, seconds: float = 240) -> dict[str, str]:
        deadline = monotonic() + seconds
        while not good(states := self.states()):
            if monotonic() > deadline:
                ill = [one for one, state in states.items() if state not in ("healthy", "exited 0")]
                raise AssertionError(f"{what}: {states}\n" + "\n".join(self.logs(one)[-2000:] for one in ill))
            sleep(0.2)
        return states

    def up(self) -> None:
        """Starts what is not there yet, and waits until all of it is healthy."""
        self.compose("up", "--detach", "--no-build")
        self.until(all_well, "every service is healthy")

    def token(self, name: str, role: str) -> str:
        """As the README has it made."""
        made = ("token", "--as", name, "--role", role, "--data-dir", "/data")
        return self.compose("run", "--rm", "--no-deps", "-T", "keys", *made).split()[-1]

    def walk(self, *tokens: str) -> Any:
        """What has become of the order and its contract."""
        return json.loads(self._engine.inside(sys.executable, str(WALK), *tokens).splitlines()[-1])

    def ask(self, url: str, token: str) -> Any:
        """The answer to a GET, by the curl of this machine."""
        return json.loads(self._engine.inside("curl", "--silent", "--max-time", "30", "--oauth2-bearer", token, url))


def all_well(states: dict[str, str]) -> bool:
    return bool(states) and all(state in ("healthy", "exited 0") for state in states.values())


@contextmanager
def running(engine: Engine, folder: Path) -> Iterator[Stack]:
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    key = folder / "deploy/master.key"
    key.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    key.chmod(0o600)
    os.chown(key, ID, ID)
    described = yaml.safe_load((folder / "deploy/compose.yaml").read_text())
    for name, changed in STAND_INS.items():
        described["services"][name].update(changed)
    for service in described["services"].values():
        service.pop("build", None)
    file = folder / "deploy/compose.stand-ins.yaml"
    file.write_text(yaml.safe_dump(described))
    stack = Stack(engine, file)
    try:
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "5", check=False)


@pytest.fixture
def stack(engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    program = mailpit()
    if program is None:
        pytest.skip("needs Mailpit: .ci/install-mailpit builds it with Go")
    described = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    build_stores(engine)
    build_mailpit(engine, program, described["services"]["mail"]["image"])
    with running(engine, tmp_path) as stack:
        yield stack


def test_a_customer_is_served_by_containers_and_a_kill_loses_nothing(stack: Stack) -> None:
    stack.up()
    states = stack.states()
    assert {name for name, state in states.items() if state == "exited 0"} == ONCE
    staff, customer = stack.token("grace", "staff"), stack.token("ada", "customer")
    walked = stack.walk(staff, customer)
    assert (walked["order"], walked["contract"]) == ("confirmed", "sealed")
    assert walked["pdfs"] >= 2, "what was signed, and the certificate of completion"
    assert walked["event"]

    stack.compose("kill", "--signal", "SIGKILL", "eventstore", "mongodb", "projector", "query-api")
    stack.compose("up", "--detach", "--no-build")
    stack.until(all_well, "every service is healthy again")
    order = stack.ask("http://127.0.0.1:8002/orders/o-1", customer)
    assert (order["status"], order["total"]) == ("confirmed", 1900)
    assert stack.ask("http://127.0.0.1:8002/contracts/o-1", customer)["status"] == "sealed"

    # Compose stops those first that need others; podman-compose does not.
    stores = {"eventstore", "mongodb", "mail"}
    ours = set(stack.states()) - stores
    stack.compose("stop", "--timeout", "25", *sorted(ours - ONCE))
    ended = stack.states()
    late = {name: (ended[name], stack.logs(name)[-3000:]) for name in ours if ended[name] != "exited 0"}
    assert not late, "\n".join(map(str, late.items()))
    for name in sorted(ours):
        assert "Traceback" not in stack.logs(name), name

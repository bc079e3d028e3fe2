"""A customer's life over real processes: registered, told by mail, forgotten, and back again."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from domain.model.personal import REDACTED
from tests.end_to_end.conftest import System, running_system
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.services import ROOT, Service, key_settings, node_uri, service, until

NAME, EMAIL, CITY = "Canary-Name-881700423917", "canary.881700423917@home.example", "Canary-City-881700423917"
CANARIES = (NAME, EMAIL, CITY, "881700423917")
VERIFY = ("views", "verify", "customer_profiles", "notifications")
REGISTER = {
    "name": NAME,
    "email": EMAIL,
    "address": {"street": "1 Main St", "city": CITY, "postal_code": "88170", "country": "GB"},
}


class World:
    """The system with its consumers and a mail sink; `folder` holds everything that is on disk."""

    def __init__(self, system: System, consumers: Service, sink: MailSink, folder: Path) -> None:
        self.system, self.consumers, self.sink, self.folder = system, consumers, sink, folder
        self._environ = {
            **os.environ,
            **key_settings(folder),
            "EVENTFOLD_EVENTSTORE_URI": node_uri(system.node_port),
            "EVENTFOLD_MONGO_URI": system.read_store.uri,
            "EVENTFOLD_PROJECTOR_PORT_NUMBER": str(system.projector.port),
            "EVENTFOLD_COMMAND_API_PORT_NUMBER": str(system.commands.port),
        }

    async def eventfold(self, *arguments: str) -> tuple[int, str]:
        """The command as an operator runs it: its exit code, and what it prints."""
        ran = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops.cli", *arguments, "--data-dir", str(self.folder / "none")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
            env=self._environ,
        )
        output, _ = await ran.communicate()
        return ran.returncode or 0, output.decode()

    async def done(self, method: str, path: str, body: Any = None) -> int:
        """A command that is carried out; its position."""
        status, answer = await self.system.command(method, path, body or {})
        assert status in (200, 201), answer
        await self.system.reached(int(answer["position"]))
        return int(answer["position"])

    async def order(self, order: str, *actions: str) -> None:
        await self.system.place(order, "c-1")
        for action in actions:
            await self.done("POST", f"/orders/{order}/{action}")

    async def told(self, number: int) -> list[list[str]]:
        """Waits for so many mails; whom they went to."""
        await until(lambda: self._has(number), f"{number} mails are there", 60)
        return [mail["recipients"] for mail in await self.sink.mails()]

    async def _has(self, number: int) -> bool:
        return len(await self.sink.mails()) >= number

    async def documents(self) -> str:
        """Everything in the read store."""
        client: Any = AsyncIOMotorClient(self.system.read_store.uri)
        database = client["eventfold"]
        names = await database.list_collection_names()
        assert "customer_profiles_v1" in names
        found = {name: await database[name].find({}).to_list(10_000) for name in names}
        client.close()
        return repr(found)

    def on_disk(self, *folders: str) -> list[str]:
        """The files with a canary in them."""
        files = [file for folder in folders for file in self.folder.glob(folder) if file.is_file()]
        assert files
        return [str(one) for one in files if any(canary.encode() in one.read_bytes() for canary in CANARIES)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_system(tmp_path, personal_key_cache_seconds="0.2") as system, mail_sink(tmp_path) as sink:
        settings = {
            "eventstore_uri": node_uri(system.node_port),
            "mongo_uri": system.read_store.uri,
            "commands_url": system.commands.url,
            "mail_url": sink.url,
            "consumer_lease": "1",
            "consumer_name": "the one",
            "personal_key_cache_seconds": "0.2",
        }
        consumers = service("consumers", tmp_path, **settings)
        await consumers.start()
        try:
            await until(lambda: consumers.answers("/health/ready"), "the consumers are ready", 60)
            yield World(system, consumers, sink, tmp_path)
        finally:
            await consumers.kill()


def holds(text: str) -> bool:
    return any(canary in text for canary in CANARIES)


async def test_a_customer_is_forgotten_everywhere_and_may_come_back(world: World) -> None:
    system = world.system
    await world.done("PUT", "/customers/c-1", REGISTER)
    await world.order("o-1", "confirm")
    assert await world.told(1) == [[EMAIL]]
    assert (await system.seen("/customers/c-1/profile"))["address"]["city"] == CITY
    assert holds(json.dumps(await system.seen("/customers/c-1/history")))
    await until(lambda: sent(world, "o-1"), "the mail is recorded")
    assert EMAIL in json.dumps(await system.seen("/notifications/o-1/history"))
    assert holds(await world.documents()), "there they may be, for now"
    code, exported = await world.eventfold("privacy", "export", "c-1")
    held = json.loads(exported)
    assert (code, held["key"]) == (0, "present")
    assert held["events"][0]["data"]["name"] == NAME
    types = {one["type"] for one in held["events"]}
    assert types >= {"CustomerRegistered", "OrderCreated", "NotificationRequested", "NotificationSent"}
    collections = {one["collection"] for one in held["views"]}
    assert collections >= {"customer_profiles_v1", "notifications_v2"}
    assert held["remembered"][0]["fields"] == {"customer_id": "c-1", "email": EMAIL}

    # While the consumer that destroys keys is dead, the customer is forgotten, but not erased.
    await world.consumers.kill()
    code, output = await world.eventfold("privacy", "forget", "c-1", "--wait", "0.1")
    assert code == 1, output
    assert "1/2 customer c-1 is forgotten, at version 1" in output
    assert "was not destroyed within" in output
    status, refused = await system.command("PUT", "/customers/c-1", REGISTER)
    assert (status, refused["code"]) == (409, "customer-forgotten")
    await world.consumers.start()
    code, output = await world.eventfold("privacy", "forget", "c-1")
    assert (code, output.splitlines()) == (
        0,
        [
            "1/2 customer c-1 was forgotten before",
            "2/2 the key is destroyed: what was personal can't be read by anybody",
        ],
    )

    async def redacted() -> bool:
        """In every process, soon."""
        answers = [
            await system.query("/customers/c-1/profile?as_of=0"),
            await system.query("/customers/c-1/history"),
            await system.query("/notifications/o-1/history"),
        ]
        assert [status for status, _ in answers] == [200, 200, 200]
        return not holds(json.dumps(answers))

    await until(redacted, "what happened is shown redacted")
    assert (await system.seen("/customers/c-1/profile?as_of=0"))["name"] == REDACTED
    await until(lambda: shows(world, "erased"), "the view shows it")
    profile = await system.seen("/customers/c-1/profile")
    assert (profile["name"], profile["email"], "address" in profile) == (REDACTED, REDACTED, False)

    # No mail for what comes now; then another customer's, which shows that the consumer has come past it.
    await world.done("POST", "/orders/o-1/ship", {"carrier": "DHL", "tracking_number": "T-1"})
    await world.order("o-2", "confirm")
    await system.place("p-1", "eve")
    await world.done("POST", "/orders/p-1/confirm")
    assert await world.told(2) == [[EMAIL], ["eve@customers.eventfold.example"]]

    assert not holds(await world.documents())
    assert world.on_disk("node/**/*", "*.log") == [], "neither the log's files nor what services say hold any of it"
    rebuild = ("views", "rebuild", "customer_profiles", "--projector", system.projector.url)
    for command in (VERIFY, rebuild, VERIFY):
        code, output = await world.eventfold(*command)
        assert code == 0, output
    assert (await system.seen("/customers/c-1/profile"))["name"] == REDACTED
    code, exported = await world.eventfold("privacy", "export", "c-1")
    assert (code, json.loads(exported)["key"], holds(exported)) == (0, "destroyed", False)

    await world.done("PUT", "/customers/c-1", {"name": "Ada again", "email": "ada@back.example"})
    assert (await system.seen("/customers/c-1/profile"))["name"] == "Ada again"
    await world.done("POST", "/orders/o-1/deliver")
    assert (await world.told(3))[2] == ["ada@back.example"]
    code, output = await world.eventfold("privacy", "rotate-master-key")
    assert code == 0, output
    names = [one["data"].get("name") for one in (await system.seen("/customers/c-1/history"))["items"]]
    assert names == [REDACTED, None, None, "Ada again"]
    await world.done("POST", "/customers/c-1/change-name", {"name": "Ada with a new master key"})


async def sent(world: World, order: str) -> bool:
    status, answer = await world.system.query(f"/notifications/{order}")
    return status == 200 and answer["status"] == "sent"


async def shows(world: World, status: str) -> bool:
    return bool((await world.system.seen("/customers/c-1/profile"))["status"] == status)

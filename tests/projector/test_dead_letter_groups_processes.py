"""Thousands of dead letters over a real projector: three groups, retried with mended code while it is killed."""

import asyncio
import json
import os
import random
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from infrastructure.event_store import NO_STREAM, EventStore, NewEvent
from infrastructure.read_store import ReadStore
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, TINY, Service, node_uri, service, start_node, until

MENDED = "tests.support.tiny_mended_service"
AT = "2026-03-14T12:00:00Z"
CONSUMER = "lamp_details"


class Workshop:
    """A log with many events that the projector can't handle, and its operators."""

    def __init__(self, folder: Path, node: Service, database: ReadStoreDatabase) -> None:
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.store = ReadStore(database.uri, database.name)
        self.projector: Service | None = None
        self.expected: dict[str, tuple[str, int]] = {}
        self._folder = folder
        self._settings = {
            "eventstore_uri": node_uri(node.port),
            "mongo_uri": database.uri,
            "mongo_database": database.name,
            "consumer_lease": "1",
            "consumer_name": "only",
        }

    async def start(self, domain: str) -> None:
        """A projector of one domain, once it answers."""
        self.projector = service("projector", self._folder, domain=domain, **self._settings)
        await self.projector.start()
        await until(self.projector.answers, "the projector answers", 90)

    async def kill(self) -> None:
        assert self.projector is not None
        await self.projector.kill()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request that must be possible."""
        assert self.projector is not None
        url = self.projector.url + path
        async with http_session() as session, session.request(method, url, json=body) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return told

    async def drained(self) -> None:
        await self.ask("POST", "/drain?timeout=200")

    async def fill(self, future: int, exploded: int, stray: int) -> None:
        """So many lamps of a schema version to come, each switched on behind it; so many events of an unknown type; and
        so many of lamps that were never installed. Between them stand lamps with which all is well."""
        lamps: list[tuple[str, list[tuple[str, Any, int]]]] = []
        for one in range(future):
            name = f"future-{one}"
            lamps.append(
                (name, [("LampInstalled", _installed(name, "power"), 3), ("LampSwitchedOn", _switched(name), 1)])
            )
            self.expected[name] = ("on", 40)
        lamps += [(f"gone-{one}", [("LampExploded", {"lamp_id": f"gone-{one}"}, 1)]) for one in range(exploded)]
        for one in range(stray):
            lamps.append((f"stray-{one}", [("LampSwitchedOn", _switched(f"stray-{one}"), 1)]))
            if one % 10 == 0:
                name = f"good-{one}"
                lamps.append((name, [("LampInstalled", _installed(name, "watts"), 2)]))
                self.expected[name] = ("off", 40)
        waiting = iter(lamps)

        async def append() -> None:
            for name, events in waiting:
                await self.log.append(f"lamp-{name}", NO_STREAM, [_event(*event) for event in events])

        await asyncio.gather(*(append() for _ in range(32)))

    async def groups(self) -> dict[str, dict[str, Any]]:
        """The groups by a word of their message."""
        found = (await self.ask("GET", f"/dead-letters/groups?consumer={CONSUMER}"))["groups"]
        words = {"schema": "future", "named": "exploded", "before": "stray", "beginning": "stray"}
        return {next(name for word, name in words.items() if word in one["message"]): one for one in found}

    async def all_of(self, action: str, group: str, reason: str) -> dict[str, int]:
        """The sums over all portions of a group."""
        body: dict[str, Any] = {"consumer": CONSUMER, "group": group, "reason": reason}
        sums = {"replayed": 0, "discarded": 0, "remaining": 0}
        while True:
            one = await self.ask("POST", f"/dead-letters/groups/{action}", body)
            sums = {name: number + one[name] for name, number in sums.items()}
            if one["next"] is None:
                return sums
            body = {**body, "after": one["next"], "asked_at": one["asked_at"]}

    async def eventfold(self, *arguments: str) -> asyncio.subprocess.Process:
        """The command, begun."""
        assert self.projector is not None
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops.cli", "dead-letters", *arguments, "--projector", self.projector.url),
            env={"EVENTFOLD_AUTH": "off", **os.environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )

    async def done(self, *arguments: str, status: int = 0) -> str:
        """What the command prints when it has ended."""
        process = await self.eventfold(*arguments)
        output, errors = await process.communicate()
        assert process.returncode == status, (output, errors)
        return output.decode()

    async def assert_applied(self) -> None:
        """Every lamp is as a plain fold of its events makes it."""
        found = {}
        async for key, one in self.store.scan("lamp_details_v1"):
            assert one.fields is not None
            found[key] = (one.fields["status"], one.fields["watts"])
        assert found == self.expected


def _installed(lamp: str, watts: str) -> dict[str, Any]:
    return {"lamp_id": lamp, "room": "r1", watts: 40, "installed_at": AT}


def _switched(lamp: str) -> dict[str, Any]:
    return {"lamp_id": lamp, "switched_at": AT}


def _event(name: str, data: Any, version: int) -> NewEvent:
    metadata = json.dumps({"schemaVersion": version}).encode()
    return NewEvent(str(uuid.uuid4()), name, json.dumps(data).encode(), metadata)


@pytest_asyncio.fixture
async def workshop(read_store_database: ReadStoreDatabase, tmp_path: Path) -> AsyncIterator[Workshop]:
    node = await start_node(tmp_path)
    shop = Workshop(tmp_path, node, read_store_database)
    try:
        yield shop
    finally:
        if shop.projector is not None:
            await shop.projector.kill()
        await shop.log.close()
        await shop.store.close()
        await node.kill()


async def killed_and_mended(workshop: Workshop, future: int, exploded: int, stray: int, kills: int) -> None:
    choose = random.Random(5)
    await workshop.fill(future, exploded, stray)
    await workshop.start(TINY)
    await workshop.drained()
    groups = await workshop.groups()
    counts = {name: (one["count"], one["failed"]) for name, one in groups.items()}
    assert counts == {"future": (2 * future, future), "exploded": (exploded, exploded), "stray": (stray, stray)}

    # Nothing is mended yet: what fails again is counted, and is in no other group.
    group = groups["future"]["group"]
    again = await workshop.all_of("retry", group, "to see")
    assert (again["replayed"], again["remaining"]) == (0, 2 * future)
    listed = (await workshop.ask("GET", f"/dead-letters?consumer={CONSUMER}&group={group}&limit=500"))["dead_letters"]
    assert {(one["first"], one["retries"]) for one in listed} == {(True, 1), (False, 0)}

    # A release with an upcaster. The operator's command and the projector are killed in the middle, in turns.
    await workshop.kill()
    await workshop.start(MENDED)
    for number in range(kills):
        before = (await workshop.groups())["future"]["count"]
        command = await workshop.eventfold("retry", CONSUMER, "--group", group, "--reason", "upcaster deployed")

        async def begun(before: int = before) -> bool:
            return (await workshop.groups()).get("future", {"count": 0})["count"] < before

        await until(begun, "a part of the group is replayed", 120)
        await asyncio.sleep(choose.random() * 0.1)
        if number % 2:
            await workshop.kill()
            await command.wait()
            await workshop.start(MENDED)
        else:
            command.kill()
            await command.wait()
    # The other views have it parked too, as nobody could say what it is; without a name the command goes over all.
    told = await workshop.done("retry", "--group", group, "--reason", "the rest")
    assert ", 0 remaining" in told
    left = await workshop.groups()
    assert set(left) == {"exploded", "stray"}, (told, left.get("future"))
    # It is decoded now and of no view, in every view that has it parked.
    known = ("retry", "--group", groups["exploded"]["group"], "--reason", "known by now")
    assert ", 0 remaining" in await workshop.done(*known)
    discard = ("discard", CONSUMER, "--group", groups["stray"]["group"], "--reason", "never installed", "--yes")
    assert f"{stray:,} discarded, 0 replayed, 0 remaining" in await workshop.done(*discard)
    assert await workshop.groups() == {}
    assert (await workshop.ask("GET", "/dead-letters"))["dead_letters"] == []
    await workshop.assert_applied()
    history = (await workshop.ask("GET", f"/dead-letters/history?consumer={CONSUMER}&limit=500"))["entries"]
    assert {one["by"] for one in history} == {"anonymous"}
    discarded = [one for one in history if one["action"] == "discard"]
    assert sum(one["outcome"]["discarded"] for one in discarded) == stray
    assert {one["reason"] for one in history} >= {"to see", "upcaster deployed", "never installed"}
    # The audit stands in the log that the projector follows, and hinders nobody.
    await workshop.drained()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_group_is_retried_with_an_upcaster_while_command_and_projector_are_killed(workshop: Workshop) -> None:
    await killed_and_mended(workshop, 250, 10, 10, 2)


@pytest.mark.timeout(600)
async def test_five_thousand_dead_letters_are_three_groups(workshop: Workshop) -> None:
    await workshop.fill(1200, 1600, 1000)
    await workshop.start(TINY)
    await workshop.drained()
    groups = await workshop.groups()
    assert {name: one["count"] for name, one in groups.items()} == {"future": 2400, "exploded": 1600, "stray": 1000}
    assert sum(one["count"] for one in groups.values()) == 5000


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_thousands_are_retried_while_command_and_projector_are_killed_many_times(workshop: Workshop) -> None:
    await killed_and_mended(workshop, 5000, 1000, 1000, 12)

"""What the query API asks of the log: where it ends, and whether it is the one that the views were made from."""

import asyncio
from typing import Any

import pytest

from infrastructure.checkpoints import Anchor
from infrastructure.event_store import EventStoreUnavailable, StoredEvent
from infrastructure.http.problems import Problem
from infrastructure.read_store import StoredDocument
from query_api.following import log_match
from query_api.following.live_builds import LiveBuilds
from query_api.following.log_end import LogEnd
from query_api.following.log_match import LogMatch
from tests.query_api.memory_reads import MemoryReads, turns
from tests.support.memory_event_store import MemoryEventStore
from tests.support.tiny import LAMP_DETAILS, TINY

EVENT = StoredEvent("e-1", "LampInstalled", "lamp-1", 0, 100, 0, b"", b"")


class Ends:
    """A log whose end is read as slowly as the test says; `reads` counts."""

    may_lag = False

    def __init__(self, end: int | None) -> None:
        self.end = end
        self.reads = 0
        self.away = False

    async def end_position(self) -> int | None:
        self.reads += 1
        if self.away:
            raise EventStoreUnavailable("away")
        end = self.end
        await asyncio.sleep(0)
        return end


class TestEnd:
    async def test_a_position_beyond_it_is_told_from_one_before_it(self):
        for end, position, beyond in ((100, 101, True), (100, 100, False), (100, 7, False), (None, 0, True)):
            assert await LogEnd(Ends(end)).is_before(position) is beyond

    async def test_nobody_is_answered_by_a_read_that_began_before(self):
        log = Ends(100)
        end = LogEnd(log)
        first = asyncio.create_task(end.is_before(500))
        while not log.reads:
            await asyncio.sleep(0)
        log.end = 500  # acknowledged now, while that read is under way
        second = asyncio.create_task(end.is_before(500))
        assert (await first, await second) == (True, False)

    async def test_many_share_few_reads(self):
        log = Ends(100)
        end = LogEnd(log)
        assert all(await asyncio.gather(*(end.is_before(500 + number) for number in range(1000))))
        assert log.reads <= 2
        assert not await end.is_before(50)
        assert log.reads <= 2, "what was in the log a moment ago need not be asked for"

    async def test_while_nobody_can_say_nothing_is_said(self):
        log = Ends(100)
        log.away = True
        assert not await LogEnd(log).is_before(500)
        behind = Ends(100)
        behind.may_lag = True
        assert not await LogEnd(behind).is_before(500)


class Following:
    """A view whose checkpoint remembers an event, and a log that may have it."""

    def __init__(self) -> None:
        self.reads = MemoryReads(*TINY.views)
        self.log = MemoryEventStore()
        self.log.log = [EVENT]
        self.live_builds = LiveBuilds(self.reads, TINY.views)  # type: ignore[arg-type]
        self.match = LogMatch(self.log, self.reads, self.live_builds)  # type: ignore[arg-type]
        anchor = Anchor(EVENT.position, EVENT.id, EVENT.stream, EVENT.revision)
        fields = {"anchors": [{name: getattr(anchor, name) for name in anchor.__struct_fields__}]}
        key = "lamp_details_v1:1:0"
        load = self.reads.load

        async def with_anchors(collection: str, keys: list[str]) -> dict[str, StoredDocument]:
            found = await load(collection, keys)
            return {**found, key: StoredDocument(100, fields)} if key in keys else found

        self.reads.load = with_anchors  # type: ignore[method-assign, assignment]

    async def check(self) -> None:
        await self.match.check(LAMP_DETAILS.name, await self.live_builds.of(LAMP_DETAILS))


class TestMatch:
    async def test_the_first_request_already_is_refused_on_another_log(self):
        following = Following()
        following.log.log = []
        refused = await asyncio.gather(*(following.check() for _ in range(5)), return_exceptions=True)
        for problem in refused:
            assert isinstance(problem, Problem)
            assert (problem.details.status, problem.details.code) == (503, "other-log")
            assert "e-1 at position 100" in problem.details.detail

    async def test_on_its_own_log_everybody_is_answered(self):
        following = Following()
        await asyncio.gather(*(following.check() for _ in range(100)))
        assert following.log.reads == 1

    async def test_it_is_noticed_while_requests_come_and_forgotten_when_the_log_is_back(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(log_match, "_RENEWED_AFTER", 0.0)
        following = Following()
        await following.check()
        for events, is_refused in (([], True), ([EVENT], False)):
            following.log.log = events
            problem: Any = None
            for _ in range(10):
                try:
                    await following.check()
                    problem = None
                except Problem as error:
                    problem = error
                await turns()
            assert (problem is not None) is is_refused

    async def test_while_the_event_store_is_away_queries_are_answered(self):
        following = Following()
        following.log.away = True
        await following.check()

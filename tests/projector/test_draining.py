"""Waiting until the views have folded what the log holds, as a team's own tests do over HTTP."""

import random
import signal

from tests.projector.appending import Appender
from tests.projector.fleet import fleet_over
from tests.projector.verdict import assert_equal_to_a_fold
from tests.support.services import start_node, until


async def test_when_it_answers_every_view_has_folded_all(read_store_database, tmp_path):
    node = await start_node(tmp_path)
    try:
        names = ("a", "b")
        async with fleet_over(tmp_path, node, read_store_database, *names, consumer_partitions="2") as fleet:
            assert await fleet.request("POST", "/drain") == (200, {"position": None}), "the log is empty"
            appender = Appender(fleet.log, random.Random(1), "d", poison=0.05)
            for number in range(25):
                positions = [await appender.one() for _ in range(number % 4 + 1)]
                # Whichever process is asked, whoever folds the documents.
                projector = fleet.projectors[names[number % 2]]
                await until(projector.answers, "it has started")
                async with fleet.http.post(f"{projector.url}/drain") as answer:
                    assert (answer.status, await answer.json()) == (200, {"position": positions[-1]})
                await assert_equal_to_a_fold(fleet.store, await fleet.events())
            status, _ = await fleet.request("POST", "/drain?timeout=0")
            assert status == 400
    finally:
        await node.kill()


async def test_it_says_so_when_time_is_up(read_store_database, tmp_path):
    node = await start_node(tmp_path)
    try:
        given = {"consumer_partitions": "2", "consumer_lease": "12"}
        async with fleet_over(tmp_path, node, read_store_database, "a", "b", **given) as fleet:
            appender = Appender(fleet.log, random.Random(1), "t", poison=0)
            await appender.one()
            await fleet.shared_out("a", "b")
            await fleet.drained()
            # It is not thought dead before its lease is over.
            fleet.projectors["b"].signal(signal.SIGSTOP)
            for _ in range(20):
                await appender.one()
            async with fleet.http.post(f"{fleet.projectors['a'].url}/drain?timeout=0.3") as answer:
                problem = await answer.json()
            assert (answer.status, problem["type"], answer.headers["Retry-After"]) == (
                503,
                "urn:eventfold:problem:not-drained",
                "1",
            )
            fleet.projectors["b"].signal(signal.SIGCONT)
            await fleet.assert_folded()
    finally:
        await node.kill()

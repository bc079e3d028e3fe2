"""`eventfold views …` against a projector that answers per the contract."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ops import projector_client
from ops.cli import main
from ops.views.responses import Status
from projector.http.responses import Status as Told
from subscriptions.http.responses import ConsumerStatus, EventStoreStatus
from subscriptions.operating.status import InstanceStatus, PartitionStatus
from tests.ops.fake_projector import (
    OTHER,
    PREVIOUS,
    REBUILD,
    REBUILT,
    VIEW,
    FakeProjector,
    building,
    eventfold,
    serving,
)

ACTIONS = ("list", "show", "rebuild", "cancel", "switch-back", "drop-previous", "partitions", "verify")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_client, "RETRY_TIMEOUT", 30.0)  # a busy machine may make an answer wait


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch, _patient: None) -> None:
    """For what has no answer anyway."""
    monkeypatch.setattr(projector_client, "RETRY_TIMEOUT", 0.3)


RELAY = ConsumerStatus(
    name="event_relay",
    version=1,
    position=8000,
    lag_positions=1500,
    lag_events=40,
    lag_exact=True,
    lag_seconds=1.5,
    parked=2,
    state="waiting",
    trouble="the broker is [away]",
    partitions=[PartitionStatus(0, "relay-1", 3, 8000), PartitionStatus(1, None, 3, 8100)],
)


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["views", "--help"], ["views", action, "--help"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
        assert action in capsys.readouterr().out


async def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector([building(), OTHER])) as projector:
        assert await eventfold(projector, "views", "list") == 0
    text = lines(capsys.readouterr().out)
    assert text[0] == "view version collection state position lag partitions parked under way"
    assert text[1] == (
        "customer_summary 1 customer_summary_v1 live 9000 ~1,234 events, 2.5 s 2: left-1 0; right-2 1 3 "
        "rebuild 47.3 %, 1 min 15 s left"
    )
    assert text[2] == "daily_sales 1 daily_sales_v1 live 9000 0 events, 2.5 s 2: left-1 0; right-2 1 0"


async def test_list_says_what_is_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = replace(VIEW, state="stopped", trouble="the fold fails [always]")
    async with serving(FakeProjector([stopped, replace(building(trouble="the disk is full"), name="b")])) as projector:
        assert await eventfold(projector, "views", "list") == 0
    text = lines(capsys.readouterr().out)
    assert "customer_summary: the fold fails [always]" in text
    assert "b, build customer_summary_v1_r2: the disk is full" in text


async def test_json_is_the_answer_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "views", "list", "--json") == 0
        assert json.loads(capsys.readouterr().out)["views"][0] == msgspec.to_builtins(VIEW)
        assert await eventfold(projector, "views", "show", "daily_sales", "--json") == 0
        assert json.loads(capsys.readouterr().out) == msgspec.to_builtins(OTHER)


async def test_a_url_that_is_no_projectors(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        projector.refusals["GET", "/views"] = (404, "There is nothing at this path")
        assert await eventfold(projector, "views", "list") == 1
    text = capsys.readouterr().err
    assert "There is nothing at this path" in text
    assert "is that a projector's URL" in text


async def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    view = replace(building(), previous=PREVIOUS)
    async with serving(FakeProjector([view])) as projector:
        assert await eventfold(projector, "views", "show", "customer_summary") == 0
    text = lines(capsys.readouterr().out)
    for line in (
        "view customer_summary",
        "under way rebuild, catching_up",
        "into customer_summary_v1_r2 (version 1)",
        "so far 47.3 % of the log, 120,000 events, 15,400 events/s, 1 min 15 s left",
        "previous customer_summary_v1 (version 1)",
        "kept until 2025-10-09 09:03:20Z",
        "0 left-1 4 9000",
    ):
        assert line in text


async def test_an_unknown_view(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "views", "show", "no/such") == 1
    text = capsys.readouterr().err
    assert "eventfold: there is no view no/such" in text
    assert "`eventfold views list` names the views" in text


def test_nobody_there(nobody_waits: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["views", "list", "--projector", "http://127.0.0.1:9", "--data-dir", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert "the projector does not answer" in text
    assert "`eventfold up` starts it" in text


def test_the_projector_is_found_by_the_settings(
    nobody_waits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVENTFOLD_PROJECTOR_PORT_NUMBER", "9")
    assert main(["views", "cancel", "customer_summary", "--data-dir", str(tmp_path)]) == 1
    assert "http://127.0.0.1:9/views/customer_summary" in capsys.readouterr().err


async def test_a_503_is_repeated_and_then_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(FakeProjector()) as projector:
        projector.away = 2
        assert await eventfold(projector, "views", "list") == 0
        projector.away = 1_000
        monkeypatch.setattr(projector_client, "RETRY_TIMEOUT", 2.0)
        assert await eventfold(projector, "views", "list") == 1
    text = capsys.readouterr().err
    assert "the projector can't do that now: the owner of partition 1 did not answer" in text
    assert "try again" in text


async def test_rebuild_waits_until_the_new_build_is_served(
    quick_looks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        [VIEW],
        [VIEW],
        [building()],
        [building(fraction=0.9)],
        [building(fraction=1.0, state="switching")],
        [REBUILT],
    )
    async with serving(FakeProjector(*script)) as projector:
        assert await eventfold(projector, "views", "rebuild", "customer_summary") == 0
        assert ("POST", "/views/customer_summary/rebuild") in projector.asked
    assert lines(capsys.readouterr().out) == [
        "customer_summary: 47.3 % of the log, 120,000 events, 15,400 events/s, 1 min 15 s left",
        "customer_summary: 90.0 % of the log, 120,000 events, 15,400 events/s, 1 min 15 s left",
        "customer_summary: 100.0 % of the log, 120,000 events, 15,400 events/s, 1 min 15 s left, switching",
        "customer_summary: served from customer_summary_v1_r2 now",
    ]


async def test_a_projector_that_is_away_meanwhile_is_waited_for(
    quick_looks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(FakeProjector([VIEW], [building()], [REBUILT])) as projector:

        def go_away() -> None:
            projector.away = 2 if len(projector.script) == 2 else 0

        projector.on_look = go_away
        assert await eventfold(projector, "views", "rebuild", "customer_summary") == 0
        assert projector.asked.count(("GET", "/views")) == 3 + 2
    assert "served from customer_summary_v1_r2 now" in capsys.readouterr().out


async def test_all_views_are_watched_at_once(quick_looks: None, capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(OTHER, rebuild=replace(REBUILD, collection="daily_sales_v1_r2"))
    done = replace(OTHER, collection="daily_sales_v1_r2")
    script = ([VIEW, OTHER], [building(), other], [building(), done], [REBUILT, done])
    async with serving(FakeProjector(*script)) as projector:
        assert await eventfold(projector, "views", "rebuild", "--all") == 0
    text = capsys.readouterr().out
    assert text.index("daily_sales: served") < text.index("customer_summary: served")


async def test_no_wait(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "views", "rebuild", "customer_summary", "--no-wait") == 0
        assert projector.asked[-1] == ("POST", "/views/customer_summary/rebuild")
    assert "`eventfold views show customer_summary` shows how far it is" in capsys.readouterr().out


async def test_a_rebuild_that_is_refused_does_not_keep_others_back(
    quick_looks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    done = replace(OTHER, collection="daily_sales_v1_r2")
    async with serving(FakeProjector([VIEW, OTHER], [VIEW, done])) as projector:
        why = "customer_summary is being rebuilt already, into customer_summary_v1_r2"
        projector.refusals["POST", "/views/customer_summary/rebuild"] = (409, why)
        assert await eventfold(projector, "views", "rebuild", "--all") == 1
    text = capsys.readouterr().out
    assert why in text
    assert "`eventfold views cancel customer_summary` ends it" in text
    assert "daily_sales: served from daily_sales_v1_r2 now" in text


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ([VIEW], "it was cancelled; customer_summary_v1 is served as before"),
        ([building(state="stopped", trouble="KeyError: 'x'")], "it is stopped: KeyError: 'x'"),
        ([building(collection="customer_summary_v1_r3")], "it was cancelled; another build, customer_summary_v1_r3"),
        ([replace(VIEW, collection="customer_summary_v2")], "customer_summary_v1_r2 was given up"),
        ([OTHER], "the projector does not know it any more"),
    ],
)
async def test_a_rebuild_that_does_not_make_it(
    quick_looks: None, end: list[Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(FakeProjector([VIEW], [building()], end)) as projector:
        assert await eventfold(projector, "views", "rebuild", "customer_summary") == 1
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["customer_summary", "--all"]])
def test_rebuild_needs_names_or_all(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["views", "rebuild", *arguments, "--projector", "http://127.0.0.1:9"]) == 1
    assert "say --all" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "said"),
    [("rebuild", "nothing is left of it"), ("switch_back", "customer_summary_v1_r2 is the previous build again")],
)
async def test_cancel(kind: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector([building(kind=kind)])) as projector:
        assert await eventfold(projector, "views", "cancel", "customer_summary") == 0
        assert projector.asked[-1] == ("DELETE", "/views/customer_summary/rebuild")
    assert said in capsys.readouterr().out


async def test_nothing_to_cancel(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        projector.refusals["DELETE", "/views/customer_summary/rebuild"] = (409, "customer_summary is not being rebuilt")
        assert await eventfold(projector, "views", "cancel", "customer_summary") == 1
    assert "customer_summary is not being rebuilt" in capsys.readouterr().err


async def test_switch_back(quick_looks: None, capsys: pytest.CaptureFixture[str]) -> None:
    going = replace(REBUILT, previous=None, rebuild=replace(REBUILD, kind="switch_back", collection=VIEW.collection))
    async with serving(FakeProjector([REBUILT])) as projector:
        assert await eventfold(projector, "views", "switch-back", "customer_summary") == 0
        projector.script = [[REBUILT], [REBUILT], [going], [VIEW]]
        assert await eventfold(projector, "views", "switch-back", "customer_summary", "--wait") == 0
        assert projector.asked.count(("POST", "/views/customer_summary/switch-back")) == 2
    text = capsys.readouterr().out
    assert "customer_summary_v1 is served again as soon as it is level" in text
    assert "customer_summary: served from customer_summary_v1 now" in text


async def test_drop_previous(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "views", "drop-previous", "customer_summary") == 0
        assert projector.asked == [("DELETE", "/views/customer_summary/previous")]
    assert "the previous build is given up" in capsys.readouterr().out


async def test_partitions(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "views", "partitions", "customer_summary", "4") == 0
        assert projector.asked == [("PUT", "/views/customer_summary/partitions")]
        assert projector.bodies == [{"partitions": 4}]
        projector.refusals["PUT", "/views/customer_summary/partitions"] = (400, "a view has 1 to 64 partitions, not 65")
        assert await eventfold(projector, "views", "partitions", "customer_summary", "65") == 1
    captured = capsys.readouterr()
    assert "customer_summary: 4 partitions from now on" in captured.out
    assert "a view has 1 to 64 partitions, not 65" in captured.err


def test_what_is_read_is_what_the_projector_tells() -> None:
    view = replace(building(trouble="x"), previous=PREVIOUS)
    instance = InstanceStatus("left-1", "projector", True, 5, 1)
    told = Told(EventStoreStatus(9500, reachable=True), [instance], [view], [RELAY])
    assert msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(told), type=Status)) == msgspec.to_builtins(told)


async def test_status_shows_views_rebuilds_and_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(FakeProjector([building(), replace(OTHER, state="unowned")])) as projector:
        projector.consumers = [RELAY]
        monkeypatch.setenv("EVENTFOLD_PROJECTOR_PORT_NUMBER", projector.url.rpartition(":")[2])
        for name in ("COMMAND_API", "QUERY_API"):
            monkeypatch.setenv(f"EVENTFOLD_{name}_PORT_NUMBER", "9")
        import asyncio

        assert await asyncio.to_thread(main, ["status", "--data-dir", str(tmp_path)]) == 1
    text = lines(capsys.readouterr().out)
    assert "projector right-2 gone 1 1970-01-01 00:00:00Z" in text
    assert "customer_summary 1 live 9000 ~1,234 events, 2.5 s - 2 3 rebuild 47.3 %, 1 min 15 s left" in text
    assert "daily_sales 1 unowned 9000 0 events, 2.5 s - 2 0" in text
    assert "event_relay waiting 8000 40 events, 1.5 s - 2 2: relay-1 0; nobody 1" in text

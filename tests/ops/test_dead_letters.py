"""`eventfold dead-letters …` against a projector that answers per the contract."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from ops import projector_client
from ops.cli import main
from ops.dead_letters.responses import DeadLetter, Outcome, Page
from subscriptions.http.responses import DeadLetter as ToldDeadLetter
from subscriptions.http.responses import DeadLetters, RetryOutcome
from tests.ops.fake_projector import FakeProjector, eventfold, serving, summary

DISCARD = ("dead-letters", "discard", "customer_summary", "700", "--reason", "a test order")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_client, "RETRY_TIMEOUT", 30.0)  # a busy machine may make an answer wait


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch, _patient: None) -> None:
    """For what has no answer anyway."""
    monkeypatch.setattr(projector_client, "RETRY_TIMEOUT", 0.3)


def with_some(*positions: int) -> FakeProjector:
    projector = FakeProjector()
    projector.dead_letters = [summary(position) for position in positions]
    return projector


def answered(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    """A terminal at which somebody answers; the questions asked."""
    questions: list[str] = []

    def asked(question: str) -> str:
        questions.append(question)
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", asked)
    return questions


@pytest.mark.parametrize("action", ["list", "show", "retry", "discard"])
def test_every_action_has_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["dead-letters", "--help"], ["dead-letters", action, "--help"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
        assert action in capsys.readouterr().out


async def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    projector = with_some(700, 800)
    projector.dead_letters[1] = summary(800, kind="stream", keys=["order-o-2"], first=False, consumer="daily_sales")
    async with serving(projector):
        assert await eventfold(projector, "dead-letters", "list") == 0
        text = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert text[0] == "consumer position of event stream parked at error"
        assert text[1].startswith(
            "customer_summary 700 key ada OrderCancelled order-o-1 at 2 2025-10-09 08:53:21Z ValueError: order o-1"
        )
        assert text[2].startswith("daily_sales 800 stream order-o-2 ")
        assert await eventfold(projector, "dead-letters", "list", "--consumer", "daily_sales", "--json") == 0
        (found,) = json.loads(capsys.readouterr().out)["dead_letters"]
        assert found == msgspec.to_builtins(projector.dead_letters[1])
        assert await eventfold(projector, "dead-letters", "list", "--view", "daily_sales", "--json") == 0
        assert json.loads(capsys.readouterr().out)["dead_letters"] == [found]
        assert await eventfold(projector, "dead-letters", "list", "--key", "ada", "--json") == 0
        assert [one["position"] for one in json.loads(capsys.readouterr().out)["dead_letters"]] == [700]


async def test_none(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "dead-letters", "list") == 0
    assert "There are no dead letters." in capsys.readouterr().out


async def test_more_than_a_page_is_read_page_by_page(capsys: pytest.CaptureFixture[str]) -> None:
    projector = with_some(*range(1, 1302))
    async with serving(projector):
        assert await eventfold(projector, "dead-letters", "list", "--limit", "1300") == 0
        text = capsys.readouterr().out
        assert len(text.splitlines()) == 1 + 1300 + 1
        assert "There are more than these 1,300" in text
        assert len(projector.asked) == 3


async def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    projector = with_some(700)
    async with serving(projector):
        assert await eventfold(projector, "dead-letters", "show", "customer_summary", "700") == 0
        text = capsys.readouterr().out
        assert "the event that failed" in text
        assert '"reason": "[bold]late[/]"' in text
        assert "no json" in text
        assert "eventfold dead-letters discard customer_summary 700 --reason TEXT" in text
        assert await eventfold(projector, "dead-letters", "show", "customer_summary", "700", "--json") == 0
        assert json.loads(capsys.readouterr().out)["summary"]["position"] == 700
        assert await eventfold(projector, "dead-letters", "show", "customer_summary", "701") == 1
    captured = capsys.readouterr()
    assert "customer_summary has no dead letter at 701" in captured.err
    assert "`eventfold dead-letters list` names the dead letters" in captured.err


@pytest.mark.parametrize(("key", "body"), [([], {}), (["ada"], {"key": "ada"})])
async def test_retry(key: list[str], body: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        assert await eventfold(projector, "dead-letters", "retry", "customer_summary", *key) == 0
        assert projector.bodies == [{"consumer": "customer_summary", **body}]
    assert "customer_summary: 2 replayed, 0 remaining" in capsys.readouterr().out


async def test_a_retry_that_fails_again(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FakeProjector()) as projector:
        projector.outcome = RetryOutcome("customer_summary", 1, 0, 4, ["ada: ValueError: [again]"])
        assert await eventfold(projector, "dead-letters", "retry", "customer_summary") == 1
    text = capsys.readouterr().out
    assert "1 replayed, 4 remaining" in text
    assert "ada: ValueError: [again]" in text


async def test_discard_with_yes(capsys: pytest.CaptureFixture[str]) -> None:
    projector = with_some(700)
    projector.outcome = RetryOutcome("customer_summary", 3, 1, 0, [])
    async with serving(projector):
        assert await eventfold(projector, *DISCARD, "--yes") == 0
        assert projector.bodies == [{"consumer": "customer_summary", "position": 700, "reason": "a test order"}]
    assert "customer_summary: 1 discarded, 3 replayed, 0 remaining" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1), ("no", 1)])
async def test_discard_asks_on_a_terminal(
    answer: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = answered(monkeypatch, answer)
    async with serving(with_some(700)) as projector:
        assert await eventfold(projector, *DISCARD) == status
        assert len(projector.bodies) == (status == 0)
    assert "Leave OrderCancelled of order-o-1 at position 700 out of customer_summary for good?" in questions[0]
    assert ("Nothing was discarded." in capsys.readouterr().out) == (status == 1)


async def test_discard_without_a_terminal_needs_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    async with serving(with_some(700)) as projector:
        assert await eventfold(projector, *DISCARD) == 1
        assert projector.asked == []
        assert await eventfold(projector, *DISCARD[:-1], " ", "--yes") == 1
        assert projector.asked == []
    text = capsys.readouterr().err
    assert "say --yes" in text
    assert "--reason must say something" in text


@pytest.mark.parametrize("action", [["list"], ["show", "v", "1"], ["retry", "v"], [*DISCARD[1:], "--yes"]])
def test_nobody_there(
    nobody_waits: None, tmp_path: Path, action: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["dead-letters", *action, "--projector", "http://127.0.0.1:9", "--data-dir", str(tmp_path)]
    assert main(arguments) == 1
    assert "the projector does not answer" in capsys.readouterr().err


def test_what_is_read_is_what_the_projector_tells() -> None:
    pairs = [
        (DeadLetters([summary()], 700), Page),
        (ToldDeadLetter(summary(), "{}", "{}"), DeadLetter),
        (RetryOutcome("v", 1, 2, 3, ["x"]), Outcome),
    ]
    for told, kind in pairs:
        read = msgspec.json.decode(msgspec.json.encode(told), type=kind)
        assert msgspec.to_builtins(read) == msgspec.to_builtins(told)

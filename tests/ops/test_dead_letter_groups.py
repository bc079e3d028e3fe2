"""`eventfold dead-letters groups`, `history`, and what is done with a whole group, as a projector tells of it."""

import json
import sys
from typing import Any

import pytest
from msgspec.structs import replace

from ops.cli import main
from subscriptions.http.responses import DeadLetterEntry, DeadLetterGroup, EntryOutcome, PortionOutcome
from tests.ops.fake_projector import FakeProjector, eventfold, serving, summary

GROUP = "0123456789ab"
LATE = DeadLetterGroup(
    consumer="customer_summary",
    target="customer_summary_v1",
    group=GROUP,
    count=5000,
    failed=1200,
    event_type="OrderCancelled",
    message="ValueError: order # of # is cancelled before any was created",
    place="read_models.ordering.customer_summary:fold",
    first_at=1_760_000_000_000,
    last_at=1_760_000_600_000,
    sample=700,
)
PORTION = PortionOutcome("customer_summary", 3000, 0, 0, [], 800, 1_760_000_000_000)
LAST = PortionOutcome("customer_summary", 2000, 0, 0, [], None, 1_760_000_000_000)
ENTRY = DeadLetterEntry(
    request="r",
    consumer="customer_summary",
    action="retry",
    by="ada",
    reason="[mended]",
    group=GROUP,
    key="",
    count=100,
    positions=[700, 800],
    requested_at=1_760_000_000_000,
    outcome=EntryOutcome(1_760_000_000_500, 98, 0, 2, [f"{GROUP} ValueError: again"], ""),
)


def with_groups(*groups: DeadLetterGroup) -> FakeProjector:
    projector = FakeProjector()
    projector.groups = list(groups)
    projector.dead_letters = [summary(700, group=GROUP, retries=2, retried_at=1_760_000_000_000), summary(800)]
    return projector


async def test_the_largest_group_comes_first_and_all_pages_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    small = [replace(LATE, group=f"{number:012x}", count=number) for number in range(1, 6)]
    async with serving(with_groups(*small, LATE)) as projector:
        assert await eventfold(projector, "dead-letters", "groups") == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == "group consumer count failed event first at last at error in"
        assert lines[1] == (
            f"{GROUP} customer_summary 5,000 1,200 OrderCancelled 2025-10-09 08:53:20Z 2025-10-09 09:03:20Z "
            "ValueError: order # of # is cancelled before any was created read_models.ordering.customer_summary:fold"
        )
        assert [line.split()[2] for line in lines[2:]] == ["5", "4", "3", "2", "1"]
        assert await eventfold(projector, "dead-letters", "groups", "--consumer", "nobody", "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"groups": []}


async def test_a_group_is_shown_with_its_oldest(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups(LATE)) as projector:
        assert await eventfold(projector, "dead-letters", "show", "--group", GROUP) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "customer_summary 700 key ada order-o-1 at 2 2 2025-10-09 08:53:20Z ValueError" in text
        assert "800" not in text
        assert f"eventfold dead-letters retry --group {GROUP}" in text
        assert await eventfold(projector, "dead-letters", "show", "--group", GROUP, "--json") == 0
        assert [one["position"] for one in json.loads(capsys.readouterr().out)["dead_letters"]] == [700]
        assert await eventfold(projector, "dead-letters", "show", "customer_summary", "700") == 0
        text = " ".join(capsys.readouterr().out.split())
        assert f"group {GROUP}" in text
        assert "retries 2, last 2025-10-09 08:53:20Z" in text


async def test_a_group_is_retried_portion_by_portion(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups(LATE)) as projector:
        projector.portions = [PORTION, LAST]
        assert await eventfold(projector, "dead-letters", "retry", "--group", GROUP, "--reason", "mended") == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines == [
            "customer_summary: 3,000 of 5,000",
            f"customer_summary, group {GROUP}: 5,000 replayed, 0 remaining",
        ]
        first = {"consumer": "customer_summary", "group": GROUP, "reason": "mended"}
        assert projector.bodies == [first, {**first, "after": 800, "asked_at": 1_760_000_000_000}]


async def test_what_remains_is_told_with_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups(LATE, replace(LATE, consumer="daily_sales", count=7))) as projector:
        projector.portions = [replace(LAST, remaining=3, errors=["key ada at 700: [again]"]), replace(LAST, replayed=7)]
        assert await eventfold(projector, "dead-letters", "retry", "--group", GROUP) == 1
        text = capsys.readouterr().out
    assert f"customer_summary, group {GROUP}: 2,000 replayed, 3 remaining" in text
    assert "key ada at 700: [again]" in text
    assert f"daily_sales, group {GROUP}: 7 replayed, 0 remaining" in text
    assert [one["consumer"] for one in projector.bodies] == ["customer_summary", "daily_sales"]


async def test_cut_off_it_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups(LATE)) as projector:
        projector.portions = [PORTION]
        projector.refusals = {}
        assert await eventfold(projector, "dead-letters", "retry", "customer_summary", "--group", GROUP) == 1
    captured = capsys.readouterr()
    assert "3,000 replayed, 0 remaining" in captured.out
    assert "What is done is done; give the command again for the rest." in captured.out


async def test_a_group_that_somebody_else_has_seen_to_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups(LATE)) as projector:
        assert await eventfold(projector, "dead-letters", "retry", "--group", GROUP) == 0
    assert f"nothing of customer_summary is left in group {GROUP}" in capsys.readouterr().out


async def test_a_group_is_discarded_once_that_is_confirmed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    discard = ("dead-letters", "discard", "--group", GROUP, "--reason", "a test")
    questions: list[str] = []
    answers = iter(["n", "y"])

    def asked(question: str) -> str:
        questions.append(question)
        return next(answers)

    async with serving(with_groups(LATE)) as projector:
        assert await eventfold(projector, *discard) == 1
        assert "say --yes" in capsys.readouterr().err
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr("builtins.input", asked)
        assert await eventfold(projector, *discard) == 1
        assert "Nothing was discarded." in capsys.readouterr().out
        projector.portions = [replace(LAST, replayed=3800, discarded=1200)]
        assert await eventfold(projector, *discard) == 0
        assert "1,200 discarded, 3,800 replayed, 0 remaining" in capsys.readouterr().out
    assert questions[0] == (
        "Leave 1,200 x OrderCancelled out of customer_summary for good? The error: "
        "ValueError: order # of # is cancelled before any was created [y/N] "
    )


async def test_history(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups()) as projector:
        assert await eventfold(projector, "dead-letters", "history") == 0
        assert "Nothing was retried or discarded yet." in capsys.readouterr().out
        discarded = replace(ENTRY, action="discard", group="", positions=[700], count=1, by="bob", outcome=None)
        cut = replace(ENTRY, group="", key="ada", outcome=EntryOutcome(1, 0, 0, 0, [], "ReplayTimeout: not every"))
        projector.entries = [ENTRY, discarded, cut, replace(ENTRY, group="", consumer="daily_sales")]
        assert await eventfold(projector, "dead-letters", "history", "--consumer", "customer_summary") == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert lines == [
            "at by what consumer of dead letters outcome reason",
            f"2025-10-09 08:53:20Z ada retry customer_summary group {GROUP} 100 "
            f"98 replayed, 2 remaining; {GROUP} ValueError: again [mended]",
            "2025-10-09 08:53:20Z bob discard customer_summary position 700 1 not ended [mended]",
            "2025-10-09 08:53:20Z ada retry customer_summary ada 100 cut off: ReplayTimeout: not every [mended]",
        ]
        assert await eventfold(projector, "dead-letters", "history", "--json") == 0
        assert len(json.loads(capsys.readouterr().out)["entries"]) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry"], "CONSUMER is missing; or name a group with --group"),
        (["show", "customer_summary"], "POSITION is missing"),
        (["discard", "--reason", "x"], "CONSUMER and POSITION is missing"),
        (["retry", "c", "ada", "--group", GROUP], "either KEY or --group, not both"),
        (["discard", "c", "7", "--group", GROUP, "--reason", "x"], "either POSITION or --group, not both"),
        (["show", "--group", "ABC"], "'ABC' is no fingerprint, which has 12 hexadecimal digits in lower case"),
        (["discard", "--group", GROUP], "the following arguments are required: --reason"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["dead-letters", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("action", ["retry", "show", "discard"])
async def test_an_unknown_group(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    more: list[Any] = ["--reason", "x", "--yes"] if action == "discard" else []
    async with serving(with_groups()) as projector:
        assert await eventfold(projector, "dead-letters", action, "nobody", "--group", GROUP, *more) == 1
    captured = capsys.readouterr()
    assert f"there are no dead letters of nobody in a group {GROUP}" in captured.err
    assert "`groups` names the groups" in captured.err


async def test_a_blank_reason(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(with_groups(LATE)) as projector:
        assert await eventfold(projector, "dead-letters", "discard", "--group", GROUP, "--reason", "  ", "--yes") == 1
        assert projector.bodies == []
    assert "--reason must say something" in capsys.readouterr().err

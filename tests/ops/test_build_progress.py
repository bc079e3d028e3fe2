"""What is shown while a build is under way, on a terminal and elsewhere, and what Ctrl-C does."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE

import msgspec
import pytest
from rich.console import Console

from ops.output import duration, moment, number, percent
from ops.views.build_progress import Lines, build_display
from ops.views.build_watch import BuildWatch, Ending
from ops.views.responses import Rebuild, View
from tests.ops.fake_projector import REBUILD, VIEW, FakeProjector, building, serving
from tests.support.services import ROOT


def rebuild(fraction: float, **changes: object) -> Rebuild:
    told = {**msgspec.to_builtins(REBUILD), "fraction": fraction, **changes}
    return msgspec.convert(told, Rebuild)


def test_a_bar_for_each_view_on_a_terminal() -> None:
    console = Console(width=140, force_terminal=True, color_system=None)
    with console.capture() as captured, build_display(console, ["daily_sales", "customer_summary"]) as display:
        display.show("customer_summary", rebuild(0.473))
        display.show("daily_sales", rebuild(1.0, state="switching", seconds_left=None))
        display.end("daily_sales", Ending(True, "served from daily_sales_v1_r2 now"))
        display.end("customer_summary", Ending(False, "it was cancelled"))
    bars = [line for line in captured.get().splitlines() if "events/s" in line]
    assert "daily_sales" in bars[-2]
    assert "100%" in bars[-2]
    assert "customer_summary" in bars[-1]
    assert " 47% 15,400 events/s 1 min 15 s left" in bars[-1]
    assert "daily_sales: served from daily_sales_v1_r2 now" in captured.get()
    assert "customer_summary: it was cancelled" in captured.get()


def test_a_line_for_each_change_at_most_one_a_second() -> None:
    seen = [(0.0, 0.1), (0.4, 0.2), (0.9, 0.3), (1.0, 0.4), (2.5, 0.4), (2.6, 0.5), (2.6, 0.1)]
    clock = iter([at for at, _ in seen])
    console = Console(width=200)
    with console.capture() as captured, Lines(console, lambda: next(clock)) as lines:
        for _, fraction in seen[:-1]:
            lines.show("a", rebuild(fraction))
        lines.show("b", rebuild(seen[-1][1]))
    shown = [line.partition(" of the log")[0] for line in captured.get().splitlines()]
    assert shown == ["a: 10.0 %", "a: 40.0 %", "a: 50.0 %", "b: 10.0 %"]


def test_a_rebuild_of_which_nothing_is_known_yet() -> None:
    console = Console(width=200)
    with console.capture() as captured, Lines(console, lambda: 0.0) as lines:
        lines.show("a", Rebuild())
    assert captured.get() == "a: - of the log, - events\n"


def test_a_view_whose_collection_was_not_known_is_not_taken_for_served() -> None:
    watch = BuildWatch("v", None)
    assert watch.observe(View("v", collection="v_v1", rebuild=Rebuild(collection="v_v1_r2"))) is None
    assert watch.observe(View("v", collection="v_v1_r2")) == Ending(True, "served from v_v1_r2 now")


async def test_ctrl_c_ends_the_watching_only() -> None:
    async with serving(FakeProjector([VIEW], [building()])) as projector:
        command = ["views", "rebuild", "customer_summary", "--projector", projector.url]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", "-m", "ops.cli", *command, stdout=PIPE, stderr=PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert b"47.3 %" in await process.stdout.readline()
            process.send_signal(signal.SIGINT)
            output, complaints = await process.communicate()
        assert not any(method == "DELETE" for method, _ in projector.asked)
    assert complaints == b""
    assert process.returncode == 130
    assert output.decode() == (
        "customer_summary: the rebuild goes on, unwatched; end it with: eventfold views cancel customer_summary\n"
    )


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (duration(0.4), "0 s"),
        (duration(59.6), "1 min 00 s"),
        (duration(3725), "1 h 02 min"),
        (duration(None), "-"),
        (percent(0.9999), "99.9 %"),
        (percent(1.0), "100.0 %"),
        (number(15400.4), "15,400"),
        (moment(0), "1970-01-01 00:00:00Z"),
    ],
)
def test_words(shown: str, expected: str) -> None:
    assert shown == expected

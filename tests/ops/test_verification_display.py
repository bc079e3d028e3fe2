from rich.console import Console

from ops.views.verification.differences import Difference
from ops.views.verification.display import print_verified, progress
from ops.views.verification.verifier import Verified


def printed(verified: Verified) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        print_verified(console, verified)
    return captured.get()


def test_all_equal() -> None:
    assert printed(Verified("v", "v_v1", 1234, [], 1)) == "v (v_v1): 1,234 documents equal\n"


def test_the_first_twenty_differences_are_shown() -> None:
    differences = [Difference(f"k{n}", "[total]", n, n + 1) for n in range(25)]
    text = printed(Verified("v", "v_v1", 0, differences, 1))
    assert "25 differ:" in text
    assert "  k19 [total]\n    expected 19\n    found    20\n" in text
    assert "k20" not in text
    assert "and 5 more; --json shows all" in text


def test_long_documents_are_cut() -> None:
    text = printed(Verified("v", "v_v1", 0, [Difference("k", "(document)", None, {"a": "x" * 1000})], 1))
    assert "expected nothing" in text
    assert "(1,008 characters)" in text


def test_progress_off_a_terminal_is_at_most_a_line_a_second() -> None:
    console, clock = Console(width=200), iter([0.0, 0.5, 1.2, 1.2, 1.5])
    with console.capture() as captured, progress(console, "v", lambda: next(clock)) as report:
        report(0.1, "early")
        report(0.25, "folding the log")
        report(0.3, "again")
    assert captured.get() == "v: 25.0 %, folding the log\n"


def test_progress_on_a_terminal_is_a_bar() -> None:
    console = Console(width=120, force_terminal=True, color_system=None)
    with console.capture() as captured, progress(console, "v") as report:
        report(0.25, "folding the log")
    assert "25%" in captured.get()
    assert "folding the log" in captured.get()

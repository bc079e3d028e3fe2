"""A part of the slow tests, chosen by the date, in a bounded time: `make test-turn`.

The slow tests stand in a fixed order, in a circle. Each day begins a few tests after the day before, and goes on until
the time is used up. A test that is still running then is stopped, and said to be unfinished: that is no failure, and
`make test-slow` runs it whole.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from math import gcd
from time import monotonic

SECONDS = 180.0
"""After this nothing is running any more, but for what tests have to tidy up."""
LEAST = 20.0
"""A test is not begun where less is left."""
STEP = 5
"""By how many tests a day begins after the one before, or by a few more: by so many that every test comes first on
some day."""
_TIDYING = 30.0
_NOTHING_RAN = 5


def in_turn(tests: Sequence[str], day: int) -> list[str]:
    """All tests, in the order of that day. The order has nothing to do with files, so that neighbours differ; every
    test is the first of some day, whatever their number is."""
    circle = sorted(tests, key=lambda test: hashlib.sha256(test.encode()).digest())
    if not circle:
        return []
    step = next(step for step in count(STEP) if gcd(step, len(circle)) == 1)
    start = day * step % len(circle)
    return circle[start:] + circle[:start]


def slow_tests() -> list[str]:
    """Every one that there is, by pytest's name for it."""
    command = [*_PYTEST, "--collect-only", "-m", "slow", "tests"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        sys.exit(f"the slow tests can't be listed:\n{listed.stdout[-4000:]}{listed.stderr[-4000:]}")
    return [line for line in listed.stdout.splitlines() if "::" in line]


_PYTEST = [sys.executable, "-m", "pytest"]


def run(test: str, seconds: float) -> str:
    """passed, skipped, failed or unfinished; what pytest prints is printed."""
    process = subprocess.Popen([*_PYTEST, "-m", "slow", test], env=os.environ)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # so that it stops what it has started
        try:
            process.wait(_TIDYING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return "unfinished"
    return {0: "passed", _NOTHING_RAN: "skipped"}.get(status, "failed")


def main() -> int:
    today = datetime.now(UTC).toordinal()
    parser = argparse.ArgumentParser(prog="python -m tests.turn", description=__doc__)
    parser.add_argument("--day", type=int, default=today, help="the number of the day (default: today, %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long it may take (default: %(default)s)")
    args = parser.parse_args()
    begun = monotonic()
    tests = in_turn(slow_tests(), args.day)
    outcomes: dict[str, str] = {}
    for test in tests:
        left = args.seconds - (monotonic() - begun)
        if left < LEAST:
            break
        print(f"slow tests in turn, day {args.day}: {test}", flush=True)
        outcomes[test] = run(test, left)
    print(f"slow tests in turn, day {args.day}: {len(outcomes)} of {len(tests)} had their turn")
    for test, outcome in outcomes.items():
        print(f"  {outcome:10} {test}")
    return int("failed" in outcomes.values())


if __name__ == "__main__":
    sys.exit(main())

"""A part of what is too long for every day, chosen by the date, in a bounded time: `make test-turn`.

The slow tests stand in a fixed order, in a circle. Each day begins a few tests after the day before, and goes on until
the time is used up. A test that is still running then is stopped, and said to be unfinished: that is no failure, and
`make test-slow` runs it whole. In the same way, with `--single-process`, the files of tests that speak to services have
their turn with the services composed as one process; `make test-single-process` runs all of them.
"""

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from math import gcd
from pathlib import Path
from time import monotonic

from tests.support.shape import Shape

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


_STARTS_SERVICES = re.compile(
    r"tests\.support\.(services|shape)|tests\.\w+\.(conftest|shop|world)|async def test_\w+\((system|shop|api|client)\b"
)
_OF_MANY_PROCESSES = re.compile(r"^pytestmark = .*many_processes", re.MULTILINE)
_FOLDERS = (
    *("command_api", "query_api", "streams", "signing_page", "inbound", "infrastructure"),
    *("application", "security", "ops", "observability"),
    *("end_to_end", "payments", "signatures", "projector", "process_manager", "subscriptions", "gateway", "openapi"),
    *("monolith", "examples", "read_models", "event_relay"),
)
"""Folders of tests that have passed as a whole with one process."""


def files_about_services() -> list[str]:
    """Every file of tests in those folders that may start services, unless it is about services that are processes."""
    here = Path(__file__).parent
    found = []
    for path in here.rglob("test_*.py"):
        text = path.read_text()
        chosen = path.relative_to(here).parts[0] in _FOLDERS and not _OF_MANY_PROCESSES.search(text)
        if chosen and _STARTS_SERVICES.search(text):
            found.append(str(path.relative_to(here.parent)))
    return found


def run(test: str, chosen: Sequence[str], seconds: float) -> str:
    """passed, skipped, failed or unfinished; what pytest prints is printed. `chosen` are options of pytest."""
    process = subprocess.Popen([*_PYTEST, *chosen, test], env=os.environ)
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
    parser.add_argument(
        "--single-process", action="store_true", help="files of tests, with one process for all services"
    )
    args = parser.parse_args()
    begun = monotonic()
    if args.single_process:
        what, chosen = "files with one process in turn", ["--shape", Shape.SINGLE]
        tests = in_turn(files_about_services(), args.day)
    else:
        what, chosen = "slow tests in turn", ["-m", "slow"]
        tests = in_turn(slow_tests(), args.day)
    outcomes: dict[str, str] = {}
    for test in tests:
        left = args.seconds - (monotonic() - begun)
        if left < LEAST:
            break
        print(f"{what}, day {args.day}: {test}", flush=True)
        outcomes[test] = run(test, chosen, left)
    print(f"{what}, day {args.day}: {len(outcomes)} of {len(tests)} had their turn")
    for test, outcome in outcomes.items():
        print(f"  {outcome:10} {test}")
    return int("failed" in outcomes.values())


if __name__ == "__main__":
    sys.exit(main())

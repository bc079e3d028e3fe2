"""Two runs of tests at once are given different ports."""

import subprocess
import sys

from tests.support.ports import BLOCK, FIRST, LAST, free_port
from tests.support.services import ROOT

SCRIPT = """
import sys
from tests.support.ports import free_port

print(*(free_port() for _ in range({count})), flush=True)
sys.stdin.read()
"""


def test_processes_at_the_same_time_share_no_port() -> None:
    count = 2 * BLOCK
    command = [sys.executable, "-c", SCRIPT.format(count=count)]
    pipe = subprocess.PIPE
    others = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    try:
        given = [free_port() for _ in range(count)]
        for one in others:
            assert one.stdout is not None
            given += map(int, one.stdout.readline().split())
    finally:
        for one in others:
            one.communicate()
    assert len(given) == len(set(given)) == 4 * count
    assert all(FIRST <= port < LAST for port in given)

"""Runs what the console blocks of a document say, and compares what comes out with what stands under each command."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from infrastructure.settings import PREFIX

# What differs from run to run.
VOLATILE = {
    "position",
    "created_at",
    "updated_at",
    "confirmed_at",
    "cancelled_at",
    "shipped_at",
    "dispatched_at",
    "delivered_at",
}
VOLATILE |= {"placed_position", "dispatched_position", "opened_position", "requested_position"}
VOLATILE |= {"opened_at", "requested_at", "charged_at", "charge_id"}
# For what the documents say will be so in a moment, in seconds.
PATIENCE = 60.0
# The day on which the documents say that something was done now.
TODAY = "2026-03-14"


@contextmanager
def stack(root: Path, data_dir: Path, *options: str) -> Iterator[dict[str, int]]:
    """`eventfold up` of a tree of sources on free ports, as without any settings; yields where each service listens."""
    up = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "up", "--data-dir", str(data_dir), "--free-ports", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
    )
    try:
        ports: dict[str, int] = {}
        assert up.stdout is not None
        for line in up.stdout:
            found = re.match(r"(\S+) +\S+://[^ ]*:(\d+)", line)
            if found:
                ports[found[1]] = int(found[2])
            if "are ready" in line:
                break
        else:
            raise AssertionError(f"the stack did not start; its logs are in {data_dir / 'logs'}")
        yield ports
    finally:
        up.terminate()
        up.wait(30)


def steps(document: str) -> Iterator[tuple[str, Any, bool]]:
    """Every command of the document's console blocks, with the JSON that stands under it, and whether it is so only
    after a moment."""
    for when, block in re.findall(r"<!-- (run|run until) -->\n```console\n(.*?)```", document, re.DOTALL):
        lines = block.splitlines()
        assert len(lines) % 2 == 0
        for command, answer in zip(lines[::2], lines[1::2], strict=True):
            assert command.startswith("$ ")
            yield command[2:], json.loads(answer), when == "run until"


def tokens(document: str, data_dir: Path) -> dict[str, str]:
    """What the document's block of tokens exports, made with the keys of the stack on the data directory."""
    made = {}
    for block in re.findall(r"<!-- tokens -->\n```sh\n(.*?)```", document, re.DOTALL):
        for name, command in re.findall(r"^export (\w+)=\$\(\.venv/bin/eventfold (.*)\)$", block, re.MULTILINE):
            run = [sys.executable, "-m", "ops.cli", *shlex.split(command), "--data-dir", str(data_dir)]
            made[f"${name}"] = subprocess.run(
                run, capture_output=True, text=True, check=True, timeout=60
            ).stdout.strip()
    return made


def follow(
    document: str, ports: dict[str, int], cwd: Path, *, dated: bool = False, known: Mapping[str, str] | None = None
) -> int:
    """Carries every step out, in order; answers how many. With `dated`, TODAY in them is the day of the run. `known`
    has the shell's variables."""
    usual = {"8001": "command-api", "8002": "query-api", "8003": "projector"}
    position, number = None, 0
    for command, documented, later in steps(document):
        for port, service in usual.items():
            command = command.replace(f"localhost:{port}", f"127.0.0.1:{ports[service]}")
        for variable, value in (known or {}).items():
            command = command.replace(variable, value)
        if position is not None:
            command = re.sub(r"at_least=\d+", f"at_least={position}", command)
        if dated:
            today = f"{datetime.now(UTC):%Y-%m-%d}"
            if f"to={TODAY}" in command:
                command = command.replace(f"{TODAY}", today)
            documented = json.loads(json.dumps(documented).replace(f'"{TODAY}"', f'"{today}"'))
        answer, until = _answer(command, cwd), monotonic() + PATIENCE
        while later and monotonic() < until and _without_volatile(answer) != _without_volatile(documented):
            answer = _answer(command, cwd)
        position = answer.get("position", position)
        assert _without_volatile(answer) == _without_volatile(documented), command
        number += 1
    return number


def _answer(command: str, cwd: Path) -> Any:
    ran = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=60, cwd=cwd)
    return json.loads(ran.stdout)


def _without_volatile(answer: Any) -> Any:
    """The same without the values that differ from run to run; that they are there is kept."""
    if isinstance(answer, list):
        return [_without_volatile(one) for one in answer]
    if isinstance(answer, dict):
        return {name: "..." if name in VOLATILE else _without_volatile(value) for name, value in answer.items()}
    return answer

"""The README's walk-through is run as it stands, and its tables are what the code says."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infrastructure.settings import PREFIX, Settings
from tests.support.services import ROOT

README = (ROOT / "README.md").read_text()

# What differs from run to run.
VOLATILE = {"position", "placed_position", "created_at", "updated_at", "confirmed_at"}


def walk_through() -> Iterator[tuple[str, Any]]:
    """Every command of the README's console blocks, with the JSON that stands under it."""
    for block in re.findall(r"<!-- run -->\n```console\n(.*?)```", README, re.DOTALL):
        lines = block.splitlines()
        assert len(lines) % 2 == 0
        for command, answer in zip(lines[::2], lines[1::2], strict=True):
            assert command.startswith("$ curl ")
            yield command[2:], json.loads(answer)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[dict[str, int]]:
    """`eventfold up` on free ports; answers where each service listens."""
    up = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "up", "--data-dir", str(tmp_path / "data"), "--free-ports"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
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
        yield ports
    finally:
        up.terminate()
        up.wait(30)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_walk_through_says_what_happens(stack):
    ports = {"8001": stack["command-api"], "8002": stack["query-api"]}
    position = None
    for command, documented in walk_through():
        for usual, actual in ports.items():
            command = command.replace(f"localhost:{usual}", f"127.0.0.1:{actual}")
        if position is not None:
            command = re.sub(r"at_least=\d+", f"at_least={position}", command)
        ran = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=60)
        answer = json.loads(ran.stdout)
        position = answer.get("position", position)
        assert without_volatile(answer) == without_volatile(documented), command
        assert set(answer) == set(documented), command


def without_volatile(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in VOLATILE}


def test_every_setting_is_in_the_table():
    table = README.split("<!-- settings -->")[1].split("\n## ")[0]
    documented = dict(re.findall(rf"\| `({PREFIX}\w+)` \| .* \| (?:`(.*)` )?\|", table))
    actual = {
        PREFIX + field.name.upper(): f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
        for field in msgspec.structs.fields(Settings)
    }
    assert documented == actual


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)\b", README)) - {"python"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_is_linked_exists():
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
    for document in documents:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"

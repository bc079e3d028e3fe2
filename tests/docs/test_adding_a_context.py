"""The page on adding a context, carried out as it stands on a copy of this tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.walk_through import follow, stack
from tests.support.services import ROOT

PAGE = (ROOT / "docs/adding-a-context.md").read_text()
TOUCHED = {"application/__init__.py"}


def files_of_the_page() -> dict[str, str]:
    """Every file that the page has, by its path."""
    return dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what git knows of this tree, and what is new in it, with the page's files."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    copy = tmp_path / "tree"
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    files = files_of_the_page()
    assert {name for name in files if (copy / name).exists()} == TOUCHED, "no other file that was there is touched"
    for name, text in files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
    return copy


def run_in(tree: Path, *command: str) -> None:
    """Runs a tool on the copy alone."""
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    ran = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_the_page_is_what_happens(tree: Path, tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    run_in(tree, str(tools / "ruff"), "check", *files_of_the_page())
    run_in(tree, str(tools / "lint-imports"), "--no-cache")
    run_in(tree, sys.executable, "-m", "pytest", "-q", "tests/domain/shipping")
    with stack(tree, tmp_path / "data", "--no-auth") as ports:
        assert follow(PAGE, ports, tree, dated=True) == 11
        assert "consumers" in ports

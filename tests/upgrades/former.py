"""The version before this one, in a folder beside the tree. Its services run with this environment's packages, or with
its own, where it is installed."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.services import ROOT

UNTAGGED = "90db39ca40531bac1749c996d0d9fd58b1ef7163"
"""Stands for the last version while the history has no tag: it has no signing page, no inbound messages, no groups of
dead letters, and events of contracts in older schema versions."""


def former_commit() -> str | None:
    """The last tag before this commit, or UNTAGGED where there is none; None where the history is not there."""
    described = _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
    named = described.stdout.strip() if described.returncode == 0 else UNTAGGED
    return named if _git("cat-file", "-e", f"{named}^{{commit}}").returncode == 0 else None


@pytest.fixture(scope="session")
def former_tree() -> Path:
    """The folder with the former version's code, kept for the next run; skips where git can't give it."""
    if shutil.which("git") is None:
        pytest.skip("needs git, for the version before this one: apt-get install git")
    commit = former_commit()
    if commit is None:
        pytest.skip("needs the history with the version before this one: git fetch --unshallow --tags")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventfold-former"
    tree = cache / _git("rev-parse", f"{commit}^{{commit}}").stdout.strip()
    if not tree.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as making:
            archive, unpacked = Path(making) / "tree.zip", Path(making) / "tree"
            subprocess.run(["git", "archive", "--output", str(archive), commit], cwd=ROOT, check=True)
            shutil.unpack_archive(archive, unpacked)
            with contextlib.suppress(OSError):  # another run was faster
                unpacked.rename(tree)
    return tree


@pytest.fixture(scope="session")
def former_installed(former_tree: Path) -> Path:
    """The same, with an environment of its own, from its own lock (see tests.support.services.Service)."""
    environment = former_tree / ".venv"
    if not (environment / "bin" / "python").exists():
        with tempfile.TemporaryDirectory(dir=former_tree) as making:
            new = Path(making) / "environment"
            subprocess.run([sys.executable, "-m", "venv", str(new)], check=True)
            install = [str(new / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, "--requirement", str(former_tree / "requirements.lock")], check=True)
            new.rename(environment)
    return former_tree


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

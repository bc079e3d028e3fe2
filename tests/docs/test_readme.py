"""The README's walk-through is run as it stands, and its tables are what the code says."""

import re
import shutil
from pathlib import Path

import pytest

from infrastructure.settings import PREFIX, every_setting
from tests.docs.walk_through import follow, stack, tokens
from tests.support.services import ROOT

README = (ROOT / "README.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_the_walk_through_says_what_happens(tmp_path: Path):
    with stack(ROOT, tmp_path / "data") as ports:
        known = tokens(README, tmp_path / "data")
        assert set(known) == {"$STAFF", "$ADA"}
        assert follow(README, ports, tmp_path, known=known) > 5


def test_every_setting_is_in_the_table():
    table = README.split("<!-- settings -->")[1].split("\n## ")[0]
    documented = dict(re.findall(rf"\| `({PREFIX}\w+)` \| .* \| (?:`(.*)` )?\|", table))
    actual = {
        PREFIX + one.encode_name.upper(): f"{one.default:g}" if isinstance(one.default, float) else str(one.default)
        for one in every_setting()
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

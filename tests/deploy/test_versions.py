"""What is deployed is of this version, wherever it is named."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("deploy/kubernetes/chart/Chart.yaml", r"^(?:version|appVersion): (\S+)$"),
        ("deploy/kubernetes/manifests/production.yaml", r"image: \"?(?:\S*/)?eventfold:([^\s\"]+)"),
        ("deploy/image/Dockerfile", r"(?:eventfold:|image\.version=\")(\d[\d.]*\d)"),
        ("deploy/compose.yaml", r"image: eventfold:(\S+)"),
        ("deploy/compose.cluster.yaml", r"image: eventfold:(\S+)"),
        ("deploy/README.md", r"eventfold:(\d\S*)"),
        ("docs/kubernetes.md", r"eventfold:(\d[\d.]*\d)"),
    ],
)
def test_the_version_is_this_one(file: str, named: str) -> None:
    found = re.findall(named, (ROOT / file).read_text(), re.MULTILINE)
    assert found, f"{file} names no version any more"
    assert set(found) == {VERSION}

"""Every promise in docs/guarantees.md names tests that exist."""

import re

from tests.support.services import ROOT

GUARANTEES = (ROOT / "docs/guarantees.md").read_text()


def test_every_promise_names_a_test_and_every_test_named_exists():
    promises = [line for line in GUARANTEES.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(promises) > 10
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(?:Test\w+::)?(\w+))?`", promise)
        assert named, promise
        for path, function in named:
            file = ROOT / path
            assert file.is_file(), path
            assert not function or re.search(rf"def {function}\(", file.read_text()), f"{path}::{function}"

"""`eventfold catalogue` as people use it."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from infrastructure.integration.release import read_release, write_release
from ops.cli import main
from tests.support.services import ROOT

RELEASED = ROOT / "application/event_schemas.json"


def test_the_list_has_both_kinds_or_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "list"]) == 0
    everything = capsys.readouterr().out
    assert "OrderCreated.v2" in everything
    assert "ordering.order-placed.v1" in everything
    assert main(["catalogue", "list", "--kind", "integration"]) == 0
    assert "OrderCreated.v2" not in capsys.readouterr().out


def test_one_event_is_shown_in_its_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "show", "ordering.order-placed"]) == 0
    shown = capsys.readouterr().out
    assert "made from: OrderCreated" in shown
    assert '"specversion": "1.0"' in shown


def test_an_unknown_event_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "show", "ordering.order-lost"]) == 1
    assert "there is no event ordering.order-lost" in capsys.readouterr().err


def test_the_page_has_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "page"]) == 0
    page = capsys.readouterr().out
    assert page.count("### ") > 60
    assert page.index("## Published to others") < page.index("## In the log")


def test_the_page_in_the_documents_is_of_this_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "page"]) == 0
    assert (ROOT / "docs/catalogue.md").read_text() == capsys.readouterr().out, (
        "eventfold catalogue page >docs/catalogue.md"
    )


def test_schemas_and_asyncapi_are_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "schemas", str(tmp_path / "schemas")]) == 0
    capsys.readouterr()
    written = sorted((tmp_path / "schemas").iterdir())
    assert "ordering.order-placed.v1.json" in [one.name for one in written]
    assert all(json.loads(one.read_bytes())["$id"].endswith(one.stem) for one in written)
    assert main(["catalogue", "asyncapi"]) == 0
    assert json.loads(capsys.readouterr().out)["asyncapi"] == "3.0.0"


@pytest.mark.parametrize("command", [["check"], ["catalogue", "check"]])
def test_the_check_says_that_all_is_well(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    assert "released events are as they were" in capsys.readouterr().out


def test_a_breaking_change_fails_the_check_and_is_never_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = read_release(RELEASED)
    strange = msgspec.structs.replace(last.events[0], name="OrderLost")
    path = tmp_path / "release.json"
    write_release(msgspec.structs.replace(last, events=(*last.events, strange)), path)
    before = path.read_bytes()
    assert main(["catalogue", "check", "--against", str(path)]) == 1
    assert "OrderLost.v1 is gone, and the log has events of it" in capsys.readouterr().err
    assert main(["catalogue", "release", "--against", str(path)]) == 1
    assert path.read_bytes() == before


def test_what_is_released_is_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "release.json"
    shutil.copyfile(RELEASED, path)
    assert main(["catalogue", "release", "--against", str(path)]) == 0
    assert main(["catalogue", "check", "--against", str(path)]) == 0
    assert "not released yet" not in capsys.readouterr().out


def test_a_release_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "check", "--against", str(tmp_path / "none.json")]) == 1
    assert "can't be read" in capsys.readouterr().err

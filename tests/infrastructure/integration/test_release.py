"""The last release against this code, and what is refused."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from application import APPLICATION
from domain.model.event_types import EventType
from infrastructure.application import Application
from infrastructure.integration.release import (
    InvalidRelease,
    Release,
    breaking_changes,
    next_release,
    read_release,
    unreleased,
    write_release,
)
from tests.infrastructure.integration.test_publisher import lamps
from tests.support.services import ROOT
from tests.support.tiny import LAMP

LAMPS = Application((LAMP,), publications=(lamps(),))
LAST = next_release(Release(), LAMPS)


class LampInstalledToday(Struct, frozen=True):
    lamp_id: str


def changed_log(*events: EventType) -> Application:
    """The lamps, of which these events are changed; `lamp-hung` is left out."""
    return Application((replace(LAMP, events=events, begins_with=frozenset(), owner=""),))


def test_nothing_of_this_code_breaks_the_last_release():
    assert list(breaking_changes(read_release(ROOT / "application/event_schemas.json"), APPLICATION)) == []


def test_a_release_has_every_event_and_its_own_code_keeps_to_it():
    assert [(one.kind, one.name, one.version) for one in LAST.events] == [
        ("domain", "LampInstalled", 2),
        ("domain", "LampSwitchedOff", 1),
        ("domain", "LampSwitchedOn", 1),
        ("integration", "lamps.lamp-hung", 1),
    ]
    assert list(breaking_changes(LAST, LAMPS)) == []
    assert unreleased(LAST, LAMPS) == []


def test_what_is_new_is_only_named():
    without = Release(events=LAST.events[1:])
    assert list(breaking_changes(without, LAMPS)) == []
    assert unreleased(without, LAMPS) == ["LampInstalled.v2"]


def test_an_event_that_is_no_longer_published_is_refused():
    assert list(breaking_changes(LAST, Application((LAMP,)))) == [
        "lamps.lamp-hung.v1 is no longer published, and its consumers wait for it"
    ]


def test_an_event_that_the_log_has_may_not_be_forgotten():
    gone = changed_log(*(one for one in LAMP.events if one.name != "LampSwitchedOn"))
    assert "LampSwitchedOn.v1 is gone, and the log has events of it" in list(breaking_changes(LAST, gone))


def test_an_event_may_not_go_back_to_an_older_version():
    back = changed_log(*(replace(one, version=1, upcasters={}) for one in LAMP.events))
    assert any("LampInstalled.v2 is newer than version 1" in one for one in breaking_changes(LAST, back))


def with_new_version(upcaster: Any) -> Application:
    installed, *others = LAMP.events
    newest = replace(installed, version=3, struct=LampInstalledToday, upcasters={1: dict, 2: upcaster})
    return changed_log(newest, *others)


def test_a_new_version_needs_an_upcaster_that_reads_what_was_released():
    domain = Release(events=tuple(one for one in LAST.events if one.kind == "domain"))
    assert list(breaking_changes(domain, with_new_version(lambda event: {"lamp_id": event["lamp_id"]}))) == []
    [broken] = breaking_changes(domain, with_new_version(lambda event: {"lamp": event["lamp_id"]}))
    assert broken.startswith("LampInstalled.v2: what the log has of it can't be read any more")


def test_a_changed_field_of_a_published_event_is_refused():
    class Other(Struct, frozen=True):
        lamp: str

    kind = msgspec.structs.replace(lamps().events[0], struct=Other)
    mapping = {next(iter(lamps().mapping)): (lambda event: Other(event.lamp_id),)}
    other = Application((LAMP,), publications=(lamps(events=(kind,), mapping=mapping),))
    assert list(breaking_changes(LAST, other)) == ["lamps.lamp-hung.v1: lamp_id: is removed"]


def test_old_versions_stay_in_a_release():
    later = next_release(LAST, with_new_version(lambda event: {"lamp_id": event["lamp_id"]}))
    versions = [one.version for one in later.events if one.name == "LampInstalled"]
    assert versions == [2, 3]
    assert any(one.name == "lamps.lamp-hung" for one in later.events)


def test_a_release_is_read_as_it_was_written(tmp_path: Path):
    write_release(LAST, tmp_path / "release.json")
    assert read_release(tmp_path / "release.json") == msgspec.json.decode(msgspec.json.encode(LAST), type=Release)
    assert [one.name for one in tmp_path.iterdir()] == ["release.json"]


@pytest.mark.parametrize(("content", "what"), [(b"{", "release.json"), (b'{"format":2}', "newer"), (None, "can't be")])
def test_a_release_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None, what: str):
    if content is not None:
        (tmp_path / "release.json").write_bytes(content)
    with pytest.raises(InvalidRelease, match=what):
        read_release(tmp_path / "release.json")

"""Who is taken to be alive, by one process and its own clock."""

import pytest

from subscriptions.membership import roster as module
from subscriptions.membership.member import Member
from subscriptions.membership.roster import Roster

NOW = 1_700_000_000_000


class Watch:
    """A roster with a lease of 3 s, a clock that is set, and what it finds: each process with its last beat."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self._roster = Roster(3.0)
        monkeypatch.setattr(module, "monotonic", lambda: self.seconds)

    def look(self, *, names: dict[str, str] | None = None, **beats: int) -> str:
        """Who is alive; with a question mark where that is not sure."""
        found = {
            one: (beat, Member(one, (names or {}).get(one, one), "counter", number, NOW, [], [], []))
            for number, (one, beat) in enumerate(beats.items())
        }
        alive = self._roster.refresh(found)
        return " ".join(one if self._roster.has_beaten(one) else f"{one}?" for one in alive)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def test_whoever_beats_is_alive(watch):
    assert watch.look(a=1, b=1) == "a? b?"
    watch.seconds = 2.9
    assert watch.look(a=2, b=1) == "a b?"
    watch.seconds = 3.1
    assert watch.look(a=2, b=1) == "a"
    assert watch.look(a=2, b=2) == "a b", "it was not dead"


def test_whoever_comes_later_is_sure_to_be_alive(watch):
    assert watch.look(a=1) == "a?"
    assert watch.look(a=1, b=7) == "a? b"


def test_a_newer_process_takes_the_place_of_an_older_one_of_its_name(watch):
    names = {"p-1": "p", "p-2": "p"}
    assert watch.look(names=names, **{"p-1": 1}) == "p-1?"
    assert watch.look(names=names, **{"p-1": 2, "p-2": 1}) == "p-2"

"""Each transition by example: given a record, when this is done, then that changes and nothing else, or a refusal."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import asdict

from infrastructure.view_registry import Build, NotPossible, ViewRecord
from infrastructure.view_registry.transitions import (
    MOST_PARTITIONS,
    cancelled,
    first_record,
    forgotten,
    paused,
    repartitioned,
    resumed,
    switched,
    with_candidate,
    with_previous_as_candidate,
    without_previous,
)
from tests.infrastructure.view_registry.examples import (
    BUILDING,
    BUILDING_AGAIN,
    FIRST,
    ONE,
    PAUSED,
    PAUSED_TO_RETURN,
    REBUILT,
    RETURNING,
    STATES,
    SWITCHED,
    TWO,
)

When = Callable[[ViewRecord], ViewRecord]

NEW_VERSION: When = lambda record: with_candidate(record, 2, 200)  # noqa: E731
SAME_VERSION: When = lambda record: with_candidate(record, 1, 200)  # noqa: E731
SWITCH: When = lambda record: switched(record, 300, 1000)  # noqa: E731
CANCEL: When = lambda record: cancelled(record, 700, 1000)  # noqa: E731
THREE = Build("sales_v3", 3, 3, 400)
REACHED = {"sales_v1": 70, "sales_v2": 50, "sales_v3": -1, "another": 9}


def divide(partitions: int) -> When:
    return lambda record: repartitioned(record, partitions, REACHED)


def forget(build: Build) -> When:
    return lambda record: forgotten(record, build)


RETIRED = cancelled(BUILDING, 300, 0)

CHANGES: list[tuple[str, ViewRecord, When, Mapping[str, Any]]] = [
    ("a new version", FIRST, NEW_VERSION, {"candidate": TWO, "latest_version": 2, "builds_made": 2}),
    ("the same version again", FIRST, SAME_VERSION, {"candidate": REBUILT, "builds_made": 2}),
    (
        "an older version than the latest, of which there may be a collection yet",
        SWITCHED,
        lambda record: with_candidate(record, 1, 400),
        {"candidate": Build("sales_v1_r3", 1, 3, 400), "builds_made": 3},
    ),
    (
        "the version of a build that was cancelled",
        RETIRED,
        lambda record: with_candidate(record, 2, 400),
        {"candidate": Build("sales_v2_r3", 2, 3, 400), "builds_made": 3},
    ),
    ("a pause", BUILDING, paused, {"paused": 3}),
    ("another pause has another name", PAUSED, paused, {"paused": 4}),
    ("a pause on the way back", RETURNING, paused, {"paused": 6}),
    ("a resume", PAUSED, resumed, {"paused": 0}),
    ("a resume without a pause", FIRST, resumed, {}),
    (
        "a switch",
        PAUSED,
        SWITCH,
        {"live": TWO, "candidate": None, "paused": 0, "switched_at": 300, "previous": ONE, "previous_until": 1300},
    ),
    (
        "a switch retires the build before the previous one",
        BUILDING_AGAIN,
        lambda record: switched(record, 500, 1000),
        {
            "live": THREE,
            "candidate": None,
            "switched_at": 500,
            "previous": TWO,
            "previous_until": 1500,
            "retired": [ONE],
        },
    ),
    (
        "the way back begins",
        SWITCHED,
        with_previous_as_candidate,
        {"candidate": ONE, "returning": True, "previous": None, "previous_until": 0},
    ),
    (
        "the way back ends",
        PAUSED_TO_RETURN,
        lambda record: switched(record, 600, 1000),
        {
            "live": ONE,
            "candidate": None,
            "returning": False,
            "paused": 0,
            "switched_at": 600,
            "previous": TWO,
            "previous_until": 1600,
        },
    ),
    ("a build is cancelled", BUILDING, CANCEL, {"candidate": None, "retired": [TWO]}),
    ("a build is cancelled on hold", PAUSED, CANCEL, {"candidate": None, "paused": 0, "retired": [TWO]}),
    (
        "the way back is cancelled",
        PAUSED_TO_RETURN,
        CANCEL,
        {"candidate": None, "returning": False, "paused": 0, "previous": ONE, "previous_until": 1700},
    ),
    (
        "the previous build is given up",
        SWITCHED,
        without_previous,
        {"previous": None, "previous_until": 0, "retired": [ONE]},
    ),
    (
        "the previous build is given up during a rebuild",
        BUILDING_AGAIN,
        without_previous,
        {"previous": None, "previous_until": 0, "retired": [ONE]},
    ),
    ("a retired build is struck off", RETIRED, forget(TWO), {"retired": []}),
    ("the others stay", RETIRED, forget(ONE), {}),
    (
        "a division",
        FIRST,
        divide(4),
        {"partitions": 4, "partition_epoch": 2, "live": Build("sales_v1", 1, 1, 100, 70)},
    ),
    (
        "a division of all builds",
        BUILDING_AGAIN,
        divide(1),
        {
            "partitions": 1,
            "partition_epoch": 2,
            "live": Build("sales_v2", 2, 2, 200, 50),
            "candidate": Build("sales_v3", 3, 3, 400, -1),
            "previous": Build("sales_v1", 1, 1, 100, 70),
        },
    ),
    (
        "a division into as many as before",
        FIRST,
        divide(2),
        {"partition_epoch": 2, "live": Build("sales_v1", 1, 1, 100, 70)},
    ),
    (
        "a division into the most there are",
        FIRST,
        divide(MOST_PARTITIONS),
        {"partitions": MOST_PARTITIONS, "partition_epoch": 2, "live": Build("sales_v1", 1, 1, 100, 70)},
    ),
]


@pytest.mark.parametrize(("given", "when", "then"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_what_changes(given: ViewRecord, when: When, then: Mapping[str, Any]) -> None:
    before = asdict(given)
    assert asdict(when(given)) == {**before, **then, "sequence": given.sequence + 1}
    assert asdict(given) == before, "the record before is left as it is"


NO_REBUILD = "sales is not being rebuilt"
BUILDS_ALREADY = "sales is being rebuilt already, into sales_v2"
RETURNS_ALREADY = "sales is going back to its previous build already, into sales_v1"
TRY_AGAIN = "sales is being switched; try again in a few seconds"

REFUSALS: list[tuple[str, When, str]] = [
    *[(state, NEW_VERSION, BUILDS_ALREADY) for state in ("building", "paused")],
    *[(state, NEW_VERSION, RETURNS_ALREADY) for state in ("returning", "holding to return")],
    ("first", with_previous_as_candidate, "sales has no previous build to go back to"),
    ("building", with_previous_as_candidate, BUILDS_ALREADY),
    ("building again", with_previous_as_candidate, "sales is being rebuilt already, into sales_v3"),
    ("returning", with_previous_as_candidate, RETURNS_ALREADY),
    *[(state, when, NO_REBUILD) for state in ("first", "switched") for when in (paused, SWITCH, CANCEL)],
    *[
        (state, without_previous, "sales has no previous build to remove")
        for state in ("first", "building", "paused", "returning", "holding to return")
    ],
    ("first", divide(0), "a view has 1 to 64 partitions, not 0"),
    ("first", divide(-1), "a view has 1 to 64 partitions, not -1"),
    ("first", divide(65), "a view has 1 to 64 partitions, not 65"),
    *[(state, divide(2), TRY_AGAIN) for state in ("paused", "holding to return")],
]


@pytest.mark.parametrize(("state", "when", "said"), REFUSALS)
def test_what_is_not_possible_is_said_in_words(state: str, when: When, said: str) -> None:
    with pytest.raises(NotPossible) as refused:
        when(STATES[state])
    assert str(refused.value) == said


def test_a_first_record() -> None:
    assert first_record("sales", 3, 4, 100) == ViewRecord(
        view="sales",
        live=Build("sales_v3", 3, 1, 100),
        partitions=4,
        partition_epoch=1,
        latest_version=3,
        builds_made=1,
        sequence=1,
        switched_at=100,
    )


@pytest.mark.parametrize(
    ("state", "collections"),
    [
        ("first", ["sales_v1"]),
        ("paused", ["sales_v1", "sales_v2"]),
        ("building again", ["sales_v2", "sales_v3", "sales_v1"]),
        ("returning", ["sales_v2", "sales_v1"]),
    ],
)
def test_the_builds_to_be_brought_up_to_date(state: str, collections: list[str]) -> None:
    assert [build.collection for build in STATES[state].builds] == collections

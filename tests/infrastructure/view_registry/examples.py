"""Records for examples: a view in each state that operators and projectors bring it into."""

from infrastructure.view_registry import Build, ViewRecord
from infrastructure.view_registry.transitions import (
    first_record,
    paused,
    switched,
    with_candidate,
    with_previous_as_candidate,
)

ONE = Build("sales_v1", 1, 1, 100)
TWO = Build("sales_v2", 2, 2, 200)
REBUILT = Build("sales_v1_r2", 1, 2, 200)

FIRST = first_record("sales", 1, 2, 100)
BUILDING = with_candidate(FIRST, 2, 200)
PAUSED = paused(BUILDING)
SWITCHED = switched(PAUSED, 300, 1000)
BUILDING_AGAIN = with_candidate(SWITCHED, 3, 400)
RETURNING = with_previous_as_candidate(SWITCHED)
PAUSED_TO_RETURN = paused(RETURNING)

STATES: dict[str, ViewRecord] = {
    "first": FIRST,
    "building": BUILDING,
    "paused": PAUSED,
    "switched": SWITCHED,
    "building again": BUILDING_AGAIN,
    "returning": RETURNING,
    "holding to return": PAUSED_TO_RETURN,
}


def collections(record: ViewRecord) -> list[str]:
    """Of every build that the record knows, retired ones too."""
    return [build.collection for build in (*record.builds, *record.retired)]

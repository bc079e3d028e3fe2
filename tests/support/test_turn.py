"""Every slow test has its turn."""

import pytest

from tests.support.services import ROOT
from tests.turn import STEP, files_about_services, in_turn

TESTS = [f"tests/some/test_{number}.py::test" for number in range(101)]


@pytest.mark.parametrize("number", [1, 2, STEP, 2 * STEP, 7, 86, 100])
def test_every_test_is_the_first_of_some_day(number: int) -> None:
    tests = TESTS[:number]
    firsts = {in_turn(tests, day)[0] for day in range(739_000, 739_000 + number)}
    assert firsts == set(tests)


def test_a_day_has_every_test_once_and_the_order_does_not_depend_on_how_they_are_listed() -> None:
    assert sorted(in_turn(TESTS, 739_123)) == sorted(TESTS)
    assert in_turn(TESTS, 739_123) == in_turn(TESTS[::-1], 739_123)


def test_the_next_day_begins_a_few_tests_later() -> None:
    today, tomorrow = in_turn(TESTS, 739_100), in_turn(TESTS, 739_101)
    assert today.index(tomorrow[0]) == STEP


def test_with_one_process_files_that_start_services_have_their_turn() -> None:
    files = set(files_about_services())
    assert all((ROOT / file).is_file() for file in files)
    expected = (
        *("command_api/test_faults.py", "application/contracts/test_deadline_processes.py"),
        *("inbound/test_kafka.py", "signing_page/test_in_chromium.py"),
    )
    assert {f"tests/{name}" for name in expected} <= files
    assert not {"tests/end_to_end/test_other_log.py", "tests/domain/test_event_types.py"} & files


def test_without_any_there_is_nothing_to_do() -> None:
    assert in_turn([], 739_000) == []

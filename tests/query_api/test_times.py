"""Times between epoch milliseconds and RFC 3339 text."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_api.http.times import epoch_millis, rfc3339

MILLIS = st.integers(0, round(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000))


@given(MILLIS)
def test_a_time_comes_back_as_it_was(millis: int) -> None:
    text = rfc3339(millis)
    assert len(text) == 24
    assert text.endswith("Z")
    assert epoch_millis(text) == millis


def test_what_is_finer_than_a_millisecond_is_cut_off() -> None:
    assert epoch_millis("1970-01-01T00:00:00.123999Z") == 123
    assert epoch_millis("1969-12-31T23:59:59.999Z") == -1


@given(st.text(max_size=30))
def test_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        epoch_millis(text)
    except ValueError:
        return


@pytest.mark.parametrize("text", ["0", "1.5", "-1", "1773489600", "2026-03-14T12:00:00", "2026-03-14"])
def test_numbers_and_local_times_are_no_times(text: str) -> None:
    with pytest.raises(ValueError):
        epoch_millis(text)

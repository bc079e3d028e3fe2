"""Settings come from EVENTFOLD_* alone; what is unknown or wrong is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.settings import PREFIX, InvalidSettings, Settings, every_setting, load_settings

NAMES = [PREFIX + setting.encode_name.upper() for setting in every_setting()]


def test_what_is_not_set_or_empty_has_its_default() -> None:
    assert load_settings({}) == Settings()
    assert load_settings(dict.fromkeys(NAMES, "")) == Settings()
    assert load_settings({"PATH": "/bin", "eventfold_host": "x", "OTHER_EVENTFOLD_HOST": "x"}) == Settings()


def test_text_becomes_the_type_of_the_setting() -> None:
    settings = load_settings(
        {
            "EVENTFOLD_QUERY_API_PORT_NUMBER": "9002",
            "EVENTFOLD_AT_LEAST_TIMEOUT": "2.5",
            "EVENTFOLD_HOST": "0.0.0.0",
            "EVENTFOLD_MONGO_DATABASE": "7",
        }
    )
    assert (settings.http.query_api_port, settings.queries.at_least_timeout) == (9002, 2.5)
    assert (settings.http.host, settings.read_store.database) == ("0.0.0.0", "7")


@pytest.mark.parametrize("name", ["EVENTFOLD_QUERY_API_PROT", "EVENTFOLD_", "EVENTFOLD_MONGO"])
def test_an_unknown_variable_is_named(name: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_settings({name: "1"})
    assert name in str(refused.value)


def test_who_still_sets_where_traces_go_is_told_how_it_is_said_now() -> None:
    with pytest.raises(InvalidSettings, match=r"EVENTFOLD_TRACES .*OTEL_TRACES_EXPORTER"):
        load_settings({"EVENTFOLD_TRACES": "console"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENTFOLD_QUERY_API_PORT_NUMBER", "65536"),
        ("EVENTFOLD_QUERY_API_PORT_NUMBER", "-1"),
        ("EVENTFOLD_QUERY_API_PORT_NUMBER", "http"),
        ("EVENTFOLD_QUERY_API_PORT_NUMBER", "80.5"),
        ("EVENTFOLD_AT_LEAST_TIMEOUT", "0"),
        ("EVENTFOLD_AT_LEAST_TIMEOUT", "nan"),
        ("EVENTFOLD_AT_LEAST_TIMEOUT", "inf"),
        ("EVENTFOLD_AT_LEAST_TIMEOUT", "soon"),
        ("EVENTFOLD_LOG_LEVEL", "loud"),
        ("EVENTFOLD_LOG_FORMAT", "xml"),
        ("EVENTFOLD_MAX_BODY_BYTES", "1"),
        ("EVENTFOLD_CONSUMER_BATCH", "0"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_settings({name: value, "EVENTFOLD_HOST": "127.0.0.1"})
    assert name in str(refused.value)


def _refusal(environ: dict[str, str]) -> str | None:
    try:
        load_settings(environ)
    except InvalidSettings as error:
        return str(error)
    return None


@given(st.dictionaries(st.sampled_from([*NAMES, "EVENTFOLD_X"]), st.text(max_size=20), max_size=4))
def test_any_environment_is_settings_or_a_refusal_that_names_a_variable(environ: dict[str, str]) -> None:
    refusal = _refusal(environ)
    assert refusal is None or any(name in refusal for name in environ)

"""A Kubernetes Service puts variables into every container: they are no settings, and hide no mistake in one."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from infrastructure.kubernetes import could_be_service_variable, service_variables
from infrastructure.settings import PREFIX, InvalidSettings, Settings, every_setting, load_settings
from tests.support.kubelet import SERVICES, Port, kubelet_variables, namespace_variables
from tests.support.ports import free_port
from tests.support.services import TINY, running

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = [PREFIX + setting.encode_name.upper() for setting in every_setting()]

# What a Service and its ports may be called: labels, which begin with a letter.
LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
SERVICE_NAMES = st.one_of(
    st.sampled_from(SERVICES),
    st.builds("eventfold-{}".format, LABELS),
    # The names that are nearest to settings, and to one another's variables.
    st.sampled_from([name.lower().replace("_", "-") for name in NAMES]),
    st.sampled_from([name.lower().replace("_", "-").rpartition("-")[0] for name in NAMES]),
    st.builds(
        "{}-{}".format, st.sampled_from(SERVICES), st.sampled_from(["service", "port", "port-80", "service-port"])
    ),
)
PORTS = st.lists(
    st.builds(Port, st.integers(1, 65535), LABELS, st.sampled_from(["TCP", "UDP", "SCTP"])),
    min_size=1,
    max_size=4,
    unique_by=(lambda port: (port.number, port.protocol), lambda port: port.name),
)
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize("name", NAMES)
def test_no_setting_is_called_like_a_variable_of_a_service(name: str) -> None:
    assert not could_be_service_variable(name), "give it another name: see infrastructure/kubernetes.py"


@unhurried
@given(SERVICE_NAMES, PORTS, ADDRESSES)
def test_every_variable_of_a_service_has_such_a_name(service: str, ports: list[Port], address: str) -> None:
    assert all(could_be_service_variable(name) for name in kubelet_variables(service, ports, address))


@unhurried
@given(st.lists(st.tuples(SERVICE_NAMES, PORTS, ADDRESSES), max_size=4, unique_by=lambda service: service[0]))
def test_services_of_any_name_are_no_settings(services: list[tuple[str, list[Port], str]]) -> None:
    variables: dict[str, str] = {}
    for service, ports, address in services:
        variables |= kubelet_variables(service, ports, address)
    assert load_settings(variables) == Settings()
    chosen = load_settings({**variables, "EVENTFOLD_COMMAND_API_PORT_NUMBER": "9001", "EVENTFOLD_HOST": "::"})
    assert (chosen.http.command_api_port, chosen.http.host) == (9001, "::")


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load_settings(environ)
    return str(refused.value)


@unhurried
@given(st.data(), st.sampled_from(SERVICES), PORTS)
def test_one_that_is_missing_makes_the_others_unknown(data: st.DataObject, service: str, ports: list[Port]) -> None:
    variables = kubelet_variables(service, ports)
    required = [name for name in variables if "_SERVICE_PORT_" not in name]
    missing = data.draw(st.sampled_from(required))
    # Without the variable that makes it known, a port is none of the Service's; another may be left, whole.
    del variables[missing]
    said = refusal(variables)
    assert any(name in said for name in variables)


@unhurried
@given(st.data(), st.sampled_from(SERVICES), PORTS, st.text(max_size=12))
def test_one_that_says_otherwise_makes_it_unknown(
    data: st.DataObject, service: str, ports: list[Port], value: str
) -> None:
    variables = kubelet_variables(service, ports)
    name = data.draw(st.sampled_from(list(variables)))
    assume(value and value not in variables.values())
    said = refusal({**variables, name: value})
    assert any(one in said for one in variables)


def test_what_only_looks_like_one_is_named_with_the_reason() -> None:
    alone = refusal({"EVENTFOLD_QUERY_API_PORT": "tcp://10.0.0.5:8002"})
    assert "EVENTFOLD_QUERY_API_PORT " in alone
    assert "EVENTFOLD_QUERY_API_PORT_NUMBER" in alone
    host = refusal({"EVENTFOLD_SERVICE_HOST": "0.0.0.0"})
    assert "EVENTFOLD_SERVICE_HOST (it may be a Kubernetes Service's" in host
    old = refusal({"EVENTFOLD_COMMAND_API_PORT": "8001"})
    assert old == (
        "unknown setting EVENTFOLD_COMMAND_API_PORT (the port is chosen with EVENTFOLD_COMMAND_API_PORT_NUMBER)"
    )
    variables = namespace_variables()
    assert "EVENTFOLD_QUERY_API_PROT" in refusal({**variables, "EVENTFOLD_QUERY_API_PROT": "1"})
    assert "EVENTFOLD_QUERY_API_PORT_80_TCP" in refusal({**variables, "EVENTFOLD_QUERY_API_PORT_80_TCP": "1"})
    assert "EVENTFOLD_QUERY_API_SERVICE_PORT_X" in refusal({**variables, "EVENTFOLD_QUERY_API_SERVICE_PORT_X": "1"})


def test_the_port_of_a_pod_that_sets_the_old_name_is_not_lost_in_silence() -> None:
    """What the pod sets stands, not the kubelet's."""
    variables = {**namespace_variables(), "EVENTFOLD_COMMAND_API_PORT": "8000"}
    assert "the port is chosen with EVENTFOLD_COMMAND_API_PORT_NUMBER" in refusal(variables)


def test_a_service_of_another_program_is_none_of_ours() -> None:
    variables = kubelet_variables("mongodb", [Port(27017)])
    assert service_variables(variables) == set(variables)
    assert load_settings(variables) == Settings()


@pytest.mark.parametrize("name", ["command_api", "query_api", "projector"])
async def test_services_start_in_such_a_namespace(name: str, tmp_path: Path) -> None:
    nowhere = free_port()
    settings = {
        **{variable.removeprefix(PREFIX).lower(): value for variable, value in _ours(namespace_variables()).items()},
        "eventstore_uri": f"esdb://127.0.0.1:{nowhere}?Tls=false",
        "mongo_uri": f"mongodb://127.0.0.1:{nowhere}/?directConnection=true",
    }
    async with running(name, tmp_path, domain=TINY, **settings) as service:
        assert await service.answers("/health/live")


def _ours(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(PREFIX)}

"""Variables that Kubernetes puts into every container of a namespace for each Service in it, known by their values.

The kubelet writes them, unless the pod says `enableServiceLinks: false`. A Service `eventfold-query-api` with the port
8002, named http, at 10.0.0.5 gives, each with the prefix EVENTFOLD_QUERY_API:

    _SERVICE_HOST=10.0.0.5            _PORT_8002_TCP=tcp://10.0.0.5:8002
    _SERVICE_PORT=8002                _PORT_8002_TCP_PROTO=tcp
    _SERVICE_PORT_HTTP=8002           _PORT_8002_TCP_PORT=8002
    _PORT=tcp://10.0.0.5:8002         _PORT_8002_TCP_ADDR=10.0.0.5
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_HOST = "_SERVICE_HOST"
_PORT = re.compile(r"_PORT_([1-9][0-9]{0,4})_(TCP|UDP|SCTP)", re.ASCII)
_ANY = re.compile(
    r".*(_SERVICE_HOST|_SERVICE_PORT(_.+)?|_PORT|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)


class _Port(NamedTuple):
    number: str
    url: str


def could_be_service_variable(name: str) -> bool:
    """Whether some Service's name and ports give a variable of this name: no setting may be called so."""
    return _ANY.fullmatch(name) is not None


def service_variables(environ: Mapping[str, str]) -> set[str]:
    """The variables that belong to a Service: all of its variables are there, and they agree on its address and ports.

    One that is alone, or says otherwise than the others, is none of them.
    """
    services = [service for name in environ if name.endswith(_HOST) and (service := _service(name, environ))]
    # Services with names such as `a` and `a-service` write some of the same variables; the last one's value stands.
    values: dict[str, set[str]] = {}
    for service in services:
        for name, allowed in service.items():
            values.setdefault(name, set()).update(allowed)
    whole = [one for one in services if all(environ.get(name) in values[name] for name in one)]
    return {name for one in whole for name in one}


def _service(host_variable: str, environ: Mapping[str, str]) -> dict[str, set[str]]:
    """The variables of the Service with this host, and the values that each may have; none if it is no such host."""
    prefix, host = host_variable.removesuffix(_HOST), environ[host_variable]
    if not _is_address(host):
        return {}
    found: dict[str, set[str]] = {}
    ports = list(_ports(prefix, host, environ, found))
    if not ports:
        return {}
    numbers, urls = {port.number for port in ports}, {port.url for port in ports}
    named = (name for name in environ if name.startswith(f"{prefix}_SERVICE_PORT_") and environ[name] in numbers)
    return (
        found
        | dict.fromkeys(named, numbers)
        | {host_variable: {host}, f"{prefix}_SERVICE_PORT": numbers, f"{prefix}_PORT": urls}
    )


def _ports(prefix: str, host: str, environ: Mapping[str, str], found: dict[str, set[str]]) -> Iterator[_Port]:
    """Each port of a Service; its four variables are added to those found."""
    authority = f"[{host}]" if ":" in host else host
    for name in environ:
        port = _PORT.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if port is None:
            continue
        number, protocol = port[1], port[2].lower()
        url = f"{protocol}://{authority}:{number}"
        found |= {name: {url}, f"{name}_PROTO": {protocol}, f"{name}_PORT": {number}, f"{name}_ADDR": {host}}
        yield _Port(number, url)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

"""Whether an address is of this machine alone."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens at the host, or answers there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

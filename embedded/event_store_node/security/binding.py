"""On which addresses a node may listen, secured as it is."""

import ipaddress

from embedded.event_store_node.security.security import Security, SecurityError


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_exposure(host: str, security: Security) -> None:
    """
    Refuse what would be open to others by oversight.

    Raises:
        SecurityError: the address can be reached from other machines, and TLS or users are missing.
    """
    if security.users and not security.tls:
        raise SecurityError(
            "--users needs --tls-cert and --tls-key: clients send no password without TLS"
            " (or give --insecure to go without)"
        )
    if is_loopback(host) or (security.tls and security.users):
        return
    raise SecurityError(
        f"{host} can be reached from other machines: give --tls-cert, --tls-key and --users to secure the node,"
        " or --insecure to let everybody read and write"
    )

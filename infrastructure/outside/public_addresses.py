"""Connections to public addresses alone: for an address that somebody else has chosen, who may mean to reach what we
alone can.

It is the address that is connected to that counts, after its name was looked up, at each connection: a name that leads
elsewhere by then changes nothing.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

# Gateways take these to the IPv4 address that stands in the last four bytes.
_TO_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


class NotPublic(OSError):
    """The address belongs to this machine, or to a network of somebody's own; the message names it."""


def public_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """A socket for one address, as `getaddrinfo` gives it. Raises NotPublic."""
    family, kind, protocol, _, address = address_info
    found = ip_address(str(address[0]).partition("%")[0])
    if not is_public(found):
        raise NotPublic(f"{found} is not a public address, and EVENTFOLD_RELAY_PUBLIC_ONLY is on")
    return socket.socket(family, kind, protocol)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody may have it. An IPv6 address that stands for an IPv4 address is what that is."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _TO_IPV4):
            inner = IPv4Address(address.packed[-4:])
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast

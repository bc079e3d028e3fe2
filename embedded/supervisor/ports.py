"""Ports on this machine: whether one is free, and free ones to use."""

import socket


class PortTaken(Exception):
    """Another process listens on the port that a service needs."""

    def __init__(self, service: str, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is taken, and the {service} needs it")
        self.service = service
        self.host = host
        self.port = port


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def free_ports(host: str, count: int) -> list[int]:
    """That many different ports, free at this moment, chosen by the system."""
    probes = [socket.socket(_family(host), socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((host, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET

"""Where a process of a test runs: on this machine, or on a host of the test's own."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """`inside` makes the command line that runs a command on the host whose address is `host`."""

    host: str
    inside: Callable[[Sequence[str]], list[str]]


HERE = Place("127.0.0.1", list)

Places = Callable[[str], Place]
"""The place of a process, by its name."""


def all_here(_name: str) -> Place:
    """Everything runs on this machine."""
    return HERE

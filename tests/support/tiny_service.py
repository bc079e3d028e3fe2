"""The services over the tiny domain, as processes: `python -m tests.support.tiny_service <service>`."""

import sys

import command_api.main
import projector.main
import query_api.main
from tests.support.tiny import TINY

_MAINS = {
    "command-api": command_api.main.main,
    "projector": projector.main.main,
    "query-api": query_api.main.main,
}


if __name__ == "__main__":
    sys.exit(_MAINS[sys.argv[1]](TINY))

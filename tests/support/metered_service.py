"""The services over the tiny domain with meters, as processes: `python -m tests.support.metered_service <service>`."""

import sys

import command_api.main
import projector.main
import query_api.main
from infrastructure.application import Application
from tests.support.tiny import TINY
from tests.support.tiny.meter import METER

METERED = Application(aggregates=(*TINY.aggregates, METER), views=TINY.views)

_MAINS = {
    "command-api": command_api.main.main,
    "projector": projector.main.main,
    "query-api": query_api.main.main,
}


if __name__ == "__main__":
    sys.exit(_MAINS[sys.argv[1]](METERED))

"""The bundled application with short times in its process: `python -m tests.end_to_end.saga_services SERVICE`; of the
service `monolith`, options of the node may follow.

PATIENCE seconds is how long a payment may take; a refund that failed is asked for once more, after a moment.
"""

import importlib
import os
import sys
from datetime import timedelta

from msgspec.structs import replace

from application import APPLICATION
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from domain.processes.order_fulfilment.process import order_fulfilment
from infrastructure.application import Application


def application(patience: float) -> Application:
    """All of it, but for the process's times; `patience` is in seconds."""
    times = FulfilmentTimes(
        payment=timedelta(seconds=patience), refund_retry=timedelta(milliseconds=200), refund_retries=1
    )
    return replace(APPLICATION, processes=(order_fulfilment(times),))


def main() -> int:
    package = {"consumers": "subscriptions"}.get(sys.argv[1], sys.argv[1].replace("-", "_"))
    service = importlib.import_module(f"{package}.main")
    return int(service.main(application(float(os.environ["PATIENCE"])), *([sys.argv[2:]] if sys.argv[2:] else [])))


if __name__ == "__main__":
    sys.exit(main())

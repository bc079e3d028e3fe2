"""The bundled contexts and the process over them, with short times, for tests: also as services.

`python -m tests.process_manager.bundled <service>` runs one; PATIENCE seconds is how long a payment may take.
"""

import os
import sys
from datetime import timedelta

from domain.inventory.aggregate import STOCK
from domain.ordering.aggregate import ORDER
from domain.payments.aggregate import PAYMENT
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from domain.processes.order_fulfilment.process import order_fulfilment
from infrastructure.application import Application
from read_models.fulfilment.fulfilments import FULFILMENTS


def application(times: FulfilmentTimes) -> Application:
    """Ordering, inventory and payments, and the fulfilment of orders with these times."""
    return Application(aggregates=(ORDER, STOCK, PAYMENT), views=(FULFILMENTS,), processes=(order_fulfilment(times),))


def main() -> int:
    import command_api.main
    import process_manager.main
    import projector.main
    import query_api.main

    mains = {
        "command-api": command_api.main.main,
        "projector": projector.main.main,
        "query-api": query_api.main.main,
        "process-manager": process_manager.main.main,
    }
    payment = timedelta(seconds=float(os.environ.get("PATIENCE", "1800")))
    return mains[sys.argv[1]](application(FulfilmentTimes(payment=payment)))


if __name__ == "__main__":
    sys.exit(main())

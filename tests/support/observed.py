"""The bundled application with short times in its process, and with a view that is broken:
`python -m tests.support.observed ...` is `eventfold ...` over it.

For tests of what operators see when things go wrong.
"""

import sys
from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

import application
from domain.inventory.events import StockReceived
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from domain.processes.order_fulfilment.process import order_fulfilment
from read_models.model.view import View


class Nothing(Struct, frozen=True):
    """What the broken view never comes to have."""

    sku: str


def broken(_document: Nothing | None, _recorded: Any) -> Nothing:
    """Fails for every event, so that the fault is the view's own."""
    raise RuntimeError("this view is broken")


BROKEN = View(
    name="broken",
    version=1,
    document=Nothing,
    events=frozenset({StockReceived}),
    keys=lambda event: (event.sku,),
    fold=broken,
)
TIMES = FulfilmentTimes(refund_retry=timedelta(milliseconds=200), refund_retries=1)

if __name__ == "__main__":
    application.APPLICATION = replace(
        application.APPLICATION,
        views=(*application.APPLICATION.views, BROKEN),
        processes=(order_fulfilment(TIMES),),
    )
    from ops.cli import main

    sys.exit(main())

"""The bundled domain with the ordering context alone: `python -m tests.support.ordering ...` is `eventfold ...`
over it.

For tests of what does not depend on how many contexts there are, and would only take longer with all of them.
"""

import sys

from msgspec.structs import replace

import application
from domain.ordering.aggregate import ORDER
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from read_models.ordering.daily_sales import DAILY_SALES
from read_models.ordering.order_details import ORDER_DETAILS
from read_models.ordering.order_list import ORDER_LIST

VIEWS = (ORDER_DETAILS, ORDER_LIST, CUSTOMER_SUMMARY, DAILY_SALES)
ORDERING = replace(
    application.APPLICATION,
    aggregates=(ORDER,),
    views=VIEWS,
    consumers=(),
    processes=(),
    publications=(),
    choreographies=(),
    inbound=(),
)


if __name__ == "__main__":
    application.APPLICATION = ORDERING
    from ops.cli import main

    sys.exit(main())
